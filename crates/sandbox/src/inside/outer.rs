use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use rustix::fs::Mode;
use rustix::process::{getegid, geteuid, umask};
use rustix::thread::UnshareFlags;
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2};

use super::{Outcome, overlay, privileges, unpack};
use crate::channel::Assignment;
use crate::task::{Failure, Identity, Report, Trying as _, Work};
use crate::{Network, RunRequest};

/// Enters the user namespace, and does the work there or starts *init* for it.
pub(super) fn outer(assignment: &mut Assignment) -> Outcome {
    umask(Mode::empty());
    let task = assignment.task()?;
    enter_user_namespace(task.identity, assignment)?;
    match task.work {
        Work::Run(request) | Work::Probe(request) => run(&request, assignment).map(|()| None),
        Work::Unpack { directory } => unpack::unpack(&directory, task.identity, assignment)
            .map(|unpacked| Some(Report::Unpacked(unpacked))),
        Work::Remove { directory } => remove(&directory).map(|()| Some(Report::Done)),
    }
}

fn enter_user_namespace(identity: Identity, assignment: &Assignment) -> Result<(), Failure> {
    match identity {
        Identity::Caller => Ok(()),
        Identity::Mapped => {
            new_user_namespace()?;
            assignment.report(&Report::NeedsIdMap)?;
            Ok((&assignment.channel).read_exact(&mut [0])?)
        }
        Identity::Single => {
            let (uid, gid) = (geteuid().as_raw(), getegid().as_raw());
            new_user_namespace()?;
            privileges::map_single_id((0, uid), (0, gid))
        }
    }
}

fn new_user_namespace() -> Result<(), Failure> {
    privileges::unshare(UnshareFlags::NEWUSER).trying(|| "make a user namespace".to_owned())
}

/// Runs *init* to its end. Signals that were meant for the whole process group must not end this process before
/// the command, which gets them, too; a handler, other than ignoring them, is not inherited by the command.
fn run(request: &RunRequest, assignment: &Assignment) -> Result<(), Failure> {
    for signal in [SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2] {
        signal_hook::flag::register(signal, Arc::new(AtomicBool::new(false)))
            .trying(|| format!("handle signal {signal}"))?;
    }
    let mut flags = UnshareFlags::NEWPID | UnshareFlags::NEWIPC;
    if request.network == Network::None {
        flags |= UnshareFlags::NEWNET;
    }
    privileges::unshare(flags).trying(|| "make a process namespace".to_owned())?;
    overlay::prepare(&request.scratch)?;
    let ended = assignment
        .spawn(Path::new("/proc/self/exe"), "init")
        .and_then(|mut init| init.wait())
        .trying(|| "start the first process of the sandbox".to_owned());
    let cleared = overlay::clear(&request.scratch);
    ended?;
    cleared
}

/// Removes a tree whatever the modes of its directories are: here this process may.
fn remove(directory: &Path) -> Result<(), Failure> {
    fs_err::remove_dir_all(directory).trying(|| format!("remove {}", directory.display()))
}
