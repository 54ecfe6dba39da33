//! The helper processes: the program itself, started again, without threads.

mod changes;
mod chroot;
mod descendants;
mod enter;
mod init;
mod made;
mod mounts;
mod outer;
mod overlay;
mod owners;
mod privileges;
mod seccomp;
mod secrets;
mod tree;
mod unpack;
mod user;
mod xattrs;

use crate::channel::Assignment;
use crate::task::{Failure, Report};

/// The first argument that makes a program of this crate a helper process.
pub const HELPER_ARGUMENT: &str = "__sandbox";

/// The stage of the helper that the caller itself starts.
pub const OUTERMOST: &str = "outer";

/// What a program does that was started with [`HELPER_ARGUMENT`]; `stage` is its second argument. It must be
/// called before any thread is started, and what it returns is the program's exit status.
pub fn helper_main(stage: &str) -> u8 {
    let Ok(mut assignment) = Assignment::receive() else { return 70 };
    let result = match stage {
        OUTERMOST => outer::outer(&mut assignment),
        "init" => init::init(&mut assignment),
        "enter" => enter::enter(&mut assignment),
        _ => return 70,
    };
    // Without a channel there is no one left to be told.
    match result.and_then(|report| report.map_or(Ok(()), |report| Ok(assignment.report(&report)?))) {
        Ok(()) => 0,
        Err(failure) => {
            drop(assignment.report(&Report::Failed(failure)));
            1
        }
    }
}

type Outcome = Result<Option<Report>, Failure>;
