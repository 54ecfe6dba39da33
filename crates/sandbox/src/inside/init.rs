use std::io::{self, Read as _};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::process::{
    Pid, PidfdFlags, Signal, WaitOptions, WaitStatus, getppid, kill_process, pidfd_open,
    set_parent_process_death_signal, wait,
};
use rustix::thread::UnshareFlags;
use signal_hook::consts::SIGCHLD;

use super::outer::outlive_signals;
use super::owners::Owners;
use super::{Outcome, descendants, privileges};
use crate::Exit;
use crate::channel::Assignment;
use crate::task::{Confinement, Failure, Identity, Report, Trying as _, Work};

/// Process 1: starts the command, reaps every process that ends, and ends with the command or with the caller.
/// With it the kernel kills all that is left in the process namespace; without one, it does so itself.
pub(super) fn init(assignment: &mut Assignment) -> Outcome {
    let tie = || "tie the sandbox to its caller".to_owned();
    let task = assignment.task()?;
    match task.confinement {
        Confinement::Namespaces => {
            set_parent_process_death_signal(Some(Signal::KILL)).trying(tie)?;
            privileges::unshare(UnshareFlags::NEWNS).trying(|| "make a mount namespace".to_owned())?;
            let owners = (task.identity == Identity::Single && is_by_root(&task.work)).then(Owners::watch);
            let owners = owners.transpose().trying(|| "watch for changes of owners".to_owned())?;
            start(assignment, None, owners.as_ref())
        }
        Confinement::Chroot => {
            outlive_signals()?;
            descendants::adopt()?;
            let outer = getppid().ok_or(Errno::SRCH).and_then(|outer| pidfd_open(outer, PidfdFlags::empty()));
            let outcome = start(assignment, Some(&outer.trying(tie)?), None);
            descendants::end_all()?;
            outcome
        }
    }
}

/// Another user than root may change no owners, so nobody needs to pretend.
fn is_by_root(work: &Work) -> bool {
    let (Work::Run(request) | Work::Step(request) | Work::Probe(request)) = work else { return false };
    matches!(request.user.split(':').next(), Some("" | "0" | "root"))
}

fn start(assignment: &Assignment, outer: Option<&OwnedFd>, owners: Option<&Owners>) -> Outcome {
    let (ended, on_signal) = UnixStream::pair()?;
    ended.set_nonblocking(true)?;
    signal_hook::low_level::pipe::register(SIGCHLD, on_signal)?;
    let command = assignment
        .spawn(Path::new("/proc/self/exe"), "enter", None)
        .trying(|| "start the process that enters the image".to_owned())?;
    let command = Pid::from_raw(i32::try_from(command.id()).expect("a process id is positive"))
        .expect("a process id is not 0");
    supervise(command, &ended, assignment, outer, owners)
}

/// Waits for the end of the command, of the caller, and of *outer* if that is given; answers for `owners`.
fn supervise(
    command: Pid,
    ended: &UnixStream,
    assignment: &Assignment,
    outer: Option<&OwnedFd>,
    owners: Option<&Owners>,
) -> Outcome {
    let caller = &assignment.channel;
    let awaited = [
        Some(ended.as_fd()),
        Some(caller.as_fd()),
        outer.map(AsFd::as_fd),
        owners.map(|owners| owners.listener().as_fd()),
    ];
    loop {
        let files = awaited.iter().flatten();
        let mut events: Vec<_> = files.map(|file| PollFd::from_borrowed_fd(*file, PollFlags::IN)).collect();
        match poll(&mut events, None) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(errno) => return Err(io::Error::from(errno).into()),
        }
        let mut happened = events.iter().map(|event| !event.revents().is_empty());
        let [some_ended, caller_spoke, outer_ended, owner_changes] =
            awaited.map(|file| file.is_some() && happened.next() == Some(true));
        if let (Some(owners), true) = (owners, owner_changes)
            && let Some(lost) = owners.answer()?
        {
            assignment.report(&Report::LostOwner(lost))?;
        }
        if some_ended {
            forget_notices(ended)?;
            if let Some(exit) = reap(command)? {
                return Ok(Some(Report::Ended(exit)));
            }
        }
        if outer_ended {
            return Err(Failure::HelperKilled);
        }
        if caller_spoke && !pass_on_signal(caller, command)? {
            return Err(Failure::Stopped);
        }
    }
}

fn forget_notices(mut ended: &UnixStream) -> Result<(), Failure> {
    match ended.read(&mut [0; 64]) {
        Err(error) if error.kind() != io::ErrorKind::WouldBlock => Err(error.into()),
        _ => Ok(()),
    }
}

/// Reaps all processes that have ended; how the command ended if it is among them.
fn reap(command: Pid) -> Result<Option<Exit>, Failure> {
    loop {
        match wait(WaitOptions::NOHANG) {
            Ok(Some((pid, status))) if pid == command => {
                if let Some(exit) = exit_of(status) {
                    return Ok(Some(exit));
                }
            }
            Ok(Some(_)) => {}
            Ok(None) | Err(Errno::CHILD) => return Ok(None),
            Err(errno) => return Err(io::Error::from(errno).into()),
        }
    }
}

fn exit_of(status: WaitStatus) -> Option<Exit> {
    let code = status.exit_status().and_then(|code| u8::try_from(code).ok()).map(Exit::Code);
    code.or_else(|| status.terminating_signal().map(Exit::Signal))
}

/// Whether the caller is still there.
fn pass_on_signal(mut caller: &UnixStream, command: Pid) -> Result<bool, Failure> {
    let mut number = [0];
    if caller.read(&mut number)? == 0 {
        return Ok(false);
    }
    if let Some(signal) = Signal::from_named_raw(i32::from(number[0])) {
        match kill_process(command, signal) {
            Ok(()) | Err(Errno::SRCH) => {}
            Err(errno) => return Err(io::Error::from(errno).into()),
        }
    }
    Ok(true)
}
