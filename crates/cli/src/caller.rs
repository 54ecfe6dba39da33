//! The process that started this one as its helper, and whether it was killed.

use std::io::{Read as _, Seek as _};
use std::os::unix::process::parent_id;
use std::thread;
use std::time::{Duration, Instant};

use fs_err::File;

/// How long a process that is being killed may take to let go of its files: its last one may wait for a disk.
const LIMIT: Duration = Duration::from_secs(10);

/// `PF_EXITING` of the kernel's `include/linux/sched.h`.
const EXITING: u64 = 0x4;

/// Where the flags of a process are in `/proc/PID/stat`, behind its name (proc(5)).
const FLAGS: usize = 6;

#[derive(Debug)]
pub(crate) struct Caller {
    id: u32,
    /// Open from the start, as a helper may end in a place that has no `/proc`.
    stat: Option<File>,
}

impl Caller {
    /// Whoever started this process. It is asked for before the work begins.
    pub(crate) fn find() -> Self {
        let id = parent_id();
        Self { id, stat: File::open(format!("/proc/{id}/stat")).ok() }
    }

    /// Whether it has ended before its helper, and has let go of its locks.
    ///
    /// A helper sees that its caller closes their connection while the caller is still about to close its other files.
    pub(crate) fn has_ended(&mut self) -> bool {
        let limit = Instant::now() + LIMIT;
        while parent_id() == self.id {
            if !self.is_ending() || Instant::now() > limit {
                return false;
            }
            thread::sleep(Duration::from_millis(2));
        }
        true
    }

    fn is_ending(&mut self) -> bool {
        let Some(stat) = &mut self.stat else { return false };
        let mut text = String::new();
        if stat.rewind().and_then(|()| stat.read_to_string(&mut text)).is_err() {
            // There is no such process any more.
            return true;
        }
        let fields = text.rsplit_once(')').map_or("", |(_, fields)| fields);
        let flags = fields.split_whitespace().nth(FLAGS).and_then(|flags| flags.parse::<u64>().ok());
        flags.is_some_and(|flags| flags & EXITING != 0)
    }
}

/// Waits for the end of the process `id`, which started this one and is about to end; false if it does not.
pub(crate) fn await_end(id: &str) -> bool {
    let limit = Instant::now() + LIMIT;
    while parent_id().to_string() == id && Instant::now() < limit {
        thread::sleep(Duration::from_millis(2));
    }
    parent_id().to_string() != id
}
