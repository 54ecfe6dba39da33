//! The processes of a command, where no process namespace keeps them together.

use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitOptions, getpid, kill_process, set_child_subreaper, wait};

use crate::task::{Failure, Trying as _};

/// Makes this process the parent of all its descendants that lose theirs.
pub(super) fn adopt() -> Result<(), Failure> {
    set_child_subreaper(Some(getpid())).trying(|| "become the parent of what the command starts".to_owned())
}

/// Kills every descendant. The children of one that ends become this process's own, so none is forgotten.
pub(super) fn end_all() -> Result<(), Failure> {
    let step = || "end what the command has started".to_owned();
    loop {
        for child in children().trying(step)? {
            match kill_process(child, Signal::KILL) {
                Ok(()) | Err(Errno::SRCH) => {}
                Err(errno) => return Err(errno).trying(step),
            }
        }
        match wait(WaitOptions::empty()) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(Errno::CHILD) => return Ok(()),
            Err(errno) => return Err(errno).trying(step),
        }
    }
}

/// This process has one thread, so that thread's children are all.
fn children() -> std::io::Result<Vec<Pid>> {
    let list = fs_err::read_to_string("/proc/thread-self/children")?;
    Ok(list.split_whitespace().filter_map(|pid| Pid::from_raw(pid.parse().ok()?)).collect())
}
