use std::io::Read as _;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::Child;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use rustix::fs::{Mode, OFlags, open};
use rustix::io::Errno;
use rustix::process::{getegid, geteuid, umask};
use rustix::stdio::{dup2_stderr, dup2_stdout};
use rustix::thread::UnshareFlags;
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2};

use super::chroot::{self, Assembled};
use super::{Outcome, changes, descendants, overlay, owners, privileges, unpack};
use crate::change::Change;
use crate::channel::{Assignment, answer_requests};
use crate::task::{Confinement, Failure, Identity, Report, Trying as _, Work};
use crate::{Network, RunRequest};

/// Enters the user namespace, and does the work there or starts *init* for it.
pub(super) fn outer(assignment: &mut Assignment) -> Outcome {
    umask(Mode::empty());
    let task = assignment.task()?;
    enter_user_namespace(task.identity, assignment)?;
    match task.work {
        Work::Run(request) | Work::Probe(request) => {
            run(&request, task.confinement, assignment, |_, _| Ok(())).map(|()| None)
        }
        Work::Step(request) => run(&request, task.confinement, assignment, |root, changes| {
            let changes = changes::without_mount_points(changes()?, &request)?;
            let lost = owners::forgotten(root, &changes, &request.roots);
            for owner in lost.trying(|| "compare the owners".to_owned())? {
                assignment.report(&Report::LostOwner(owner))?;
            }
            tell(root, &changes, assignment)
        })
        .map(|()| None),
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

/// Finds out what was changed.
type FindChanges<'a> = &'a dyn Fn() -> Result<Vec<Change>, Failure>;

/// Runs *init* to its end, and then `after` it, with where it wrote and what can tell the changes.
fn run(
    request: &RunRequest,
    confinement: Confinement,
    assignment: &Assignment,
    after: impl FnOnce(&Path, FindChanges<'_>) -> Result<(), Failure>,
) -> Result<(), Failure> {
    outlive_signals()?;
    let scratch = &request.scratch;
    let (result, cleared) = match confinement {
        Confinement::Namespaces => {
            enter_namespaces(request.network)?;
            overlay::prepare(scratch)?;
            let result = overlay::mount_root(request).and_then(|upper| {
                run_init(assignment)?
                    .then(|| after(&upper, &|| changes::of_overlay(&upper, &request.roots)))
                    .transpose()
            });
            (result, overlay::clear(scratch))
        }
        Confinement::Chroot => {
            descendants::adopt()?;
            let result = Assembled::of(request).and_then(|assembled| {
                let ended = run_init(assignment);
                // Also what a killed *init* has left.
                descendants::end_all()?;
                chroot::hand_back(request)?;
                ended?.then(|| after(&chroot::tree(scratch), &|| assembled.changes())).transpose()
            });
            let has_ended = matches!(result, Ok(Some(())));
            (result, chroot::clear(request, has_ended))
        }
    };
    result?;
    cleared
}

fn enter_namespaces(network: Network) -> Result<(), Failure> {
    let mut flags = UnshareFlags::NEWPID | UnshareFlags::NEWIPC;
    if network == Network::None {
        flags |= UnshareFlags::NEWNET;
    }
    privileges::unshare(flags).trying(|| "make a process namespace".to_owned())?;
    privileges::unshare(UnshareFlags::NEWNS).trying(|| "make a mount namespace".to_owned())
}

/// Whether the command ended, rather than failed to start or was stopped.
fn run_init(assignment: &Assignment) -> Result<bool, Failure> {
    let ended = start_init(assignment)?.wait().trying(|| "wait for the sandbox".to_owned())?;
    Ok(ended.success())
}

/// Signals that were meant for the whole process group must not end this process before the command, which gets
/// them, too; a handler, other than ignoring them, is not inherited by the command.
pub(super) fn outlive_signals() -> Result<(), Failure> {
    for signal in [SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2] {
        signal_hook::flag::register(signal, Arc::new(AtomicBool::new(false)))
            .trying(|| format!("handle signal {signal}"))?;
    }
    Ok(())
}

/// From here on the output is the command's alone, so that its end can be seen.
fn start_init(assignment: &Assignment) -> Result<Child, Failure> {
    let step = || "start the first process of the sandbox".to_owned();
    let init = assignment.spawn(Path::new("/proc/self/exe"), "init", None).trying(step)?;
    let nowhere = fs_err::OpenOptions::new().write(true).open("/dev/null").trying(step)?;
    dup2_stdout(nowhere.file()).trying(step)?;
    dup2_stderr(nowhere.file()).trying(step)?;
    Ok(init)
}

/// Tells what a step has changed, and opens the changed files for the caller until it has them all.
fn tell(root: &Path, changes: &[Change], assignment: &Assignment) -> Result<(), Failure> {
    for change in changes {
        assignment.report(&Report::Changed(change.clone()))?;
    }
    assignment.report(&Report::Done)?;
    let connection = UnixStream::from(assignment.data.try_clone()?);
    Ok(answer_requests(&connection, |index| {
        let change = changes.get(index).ok_or(Errno::NOENT)?;
        Ok(open(changes::place(root, change), CONTENT, Mode::empty())?)
    })?)
}

const CONTENT: OFlags = OFlags::RDONLY.union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// Removes a tree whatever the modes of its directories are: here this process may.
fn remove(directory: &Path) -> Result<(), Failure> {
    fs_err::remove_dir_all(directory).trying(|| format!("remove {}", directory.display()))
}
