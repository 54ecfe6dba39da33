use std::io;
use std::path::PathBuf;

use imagewright_layer::LayerError;
use imagewright_oci::DiffId;
use thiserror::Error;

use crate::{Mode, ModeReport};

/// Why a layer could not be unpacked or a command not be started.
#[derive(Debug, Error)]
pub enum SandboxError {
    /// A text that names no mode.
    #[error("`{text}` is not a sandbox mode (root, subordinate-ids, single-id or chroot)")]
    UnknownMode {
        /// What was given.
        text: String,
    },
    /// No mode works on this machine.
    #[error("no command can be run in an image here: {}", join(reports))]
    NoMode {
        /// Every mode, and what failed in it.
        reports: Vec<ModeReport>,
    },
    /// The mode that was asked for does not work on this machine.
    #[error("sandbox mode {mode} does not work here")]
    ModeUnavailable {
        /// The mode.
        mode: Mode,
        /// What failed in it.
        #[source]
        source: Box<SandboxError>,
    },
    /// Mode [`Mode::Root`] or [`Mode::Chroot`] without being root.
    #[error("this is user {uid}, not root")]
    NotRoot {
        /// The effective user id.
        uid: u32,
    },
    /// Mode [`Mode::Root`] or [`Mode::Chroot`] in a user namespace that lacks the owners that images have.
    #[error("this is root of a user namespace with {count} ids only")]
    FewIds {
        /// How many user ids the namespace has.
        count: u64,
    },
    /// No subordinate ids are granted.
    #[error("{} grants no subordinate ids to {user}", file.display())]
    NoSubordinateIds {
        /// The file that was read.
        file: PathBuf,
        /// The user's name, or id if it has none.
        user: String,
    },
    /// newuidmap or newgidmap could not be started.
    #[error("cannot start {tool}")]
    StartIdMapTool {
        /// The program.
        tool: &'static str,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// newuidmap or newgidmap refused the map.
    #[error("{tool} refused: {said}")]
    IdMapRefused {
        /// The program.
        tool: &'static str,
        /// What it wrote to its standard error.
        said: String,
    },
    /// The helper process could not be started.
    #[error("cannot start the sandbox helper {}", helper.display())]
    StartHelper {
        /// The program.
        helper: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The helper process ended without saying how the work ended; something killed it.
    #[error("the sandbox helper was killed")]
    HelperKilled,
    /// One step of the preparation failed.
    #[error("cannot {step}")]
    Step {
        /// What was tried, on which input.
        step: String,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The tar stream of a layer could not be read.
    #[error("cannot read layer {diff_id}")]
    ReadLayer {
        /// The layer.
        diff_id: DiffId,
        /// What the reader said.
        #[source]
        source: io::Error,
    },
    /// The tar stream is not the one that was asked for.
    #[error("layer {expected} has the content of {actual}")]
    WrongLayer {
        /// The diff id that the image names.
        expected: DiffId,
        /// The diff id of the bytes.
        actual: DiffId,
    },
    /// An entry of a layer that would leave the layer, or that no image may have.
    #[error("entry `{entry}` of the layer is refused: {because}")]
    UnsafeEntry {
        /// The entry's path.
        entry: String,
        /// What is wrong with it.
        because: String,
    },
    /// A step that made a file whose name would hide another one in a layer.
    #[error("the step made {path}: names that begin with `.wh.` stand for removed files in a layer")]
    ReservedName {
        /// Where, in the image.
        path: String,
    },
    /// A change that no layer can have.
    #[error("the change of the step cannot be read")]
    UnreadableChange {
        /// What is wrong with it.
        #[source]
        source: LayerError,
    },
    /// The step was stopped by [`crate::Stopper::stop`].
    #[error("the step was stopped")]
    Stopped,
    /// An image that has no such user or group.
    #[error("the image has no {kind} `{name}` in {file}")]
    NoSuchUser {
        /// `user` or `group`.
        kind: String,
        /// The name.
        name: String,
        /// The file that was read, in the image.
        file: String,
    },
    /// A working directory that the command's user may not enter, or that is none.
    #[error("cannot enter the working directory {}", directory.display())]
    WorkingDirectory {
        /// The directory, in the image.
        directory: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// No command was given and the image has none.
    #[error("no command to run: none is given, and the image has none")]
    NoCommand,
    /// An image that has no such program.
    #[error("the image has no program `{program}`{}", searched.as_ref().map(|path| format!(" in {path}")).unwrap_or_default())]
    NoSuchProgram {
        /// The program.
        program: String,
        /// The `PATH` that was searched, if it was.
        searched: Option<String>,
    },
    /// A program that the kernel refuses to execute.
    #[error("cannot execute `{program}`")]
    NotExecutable {
        /// The program's path in the image.
        program: String,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

impl SandboxError {
    /// What the user can do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::NoMode { reports } => {
                reports.iter().rev().find_map(|report| report.outcome.as_ref().err()?.hint())
            }
            Self::ModeUnavailable { source, .. } => source.hint(),
            Self::NotRoot { .. } => Some("run as root, or leave the choice of the mode open".to_owned()),
            Self::NoSubordinateIds { user, .. } => Some(format!(
                "as root: usermod --add-subuids 100000-165535 --add-subgids 100000-165535 {user}"
            )),
            Self::StartIdMapTool { .. } => {
                Some("install newuidmap and newgidmap: package `uidmap` on Debian and Ubuntu, `shadow-utils` elsewhere".to_owned())
            }
            Self::Step { step, source } => step_hint(step, source),
            Self::WrongLayer { .. } => Some("the stored layer is damaged: run `imagewright cache check --deep --repair`, then this again".to_owned()),
            Self::NoSuchUser { .. } => Some("name a user that the image has, or a number".to_owned()),
            Self::WorkingDirectory { .. } => {
                Some("start in a directory that this user may enter: `-w /tmp`".to_owned())
            }
            Self::NoCommand => Some("add `-- COMMAND`".to_owned()),
            Self::NotExecutable { source, .. } if source.raw_os_error() == Some(8) => Some(
                "the image is for another processor architecture, and no emulator is registered for it here"
                    .to_owned(),
            ),
            _ => None,
        }
    }

    /// The status that a shell would report for a command that could not be started: 127 if there is no such
    /// program, 126 if it cannot be executed.
    pub fn shell_code(&self) -> Option<u8> {
        match self {
            Self::NoSuchProgram { .. } => Some(127),
            Self::NotExecutable { .. } => Some(126),
            _ => None,
        }
    }
}

/// A refused namespace or mount is nearly always a policy of the machine, and the error does not say which.
fn step_hint(step: &str, source: &io::Error) -> Option<String> {
    let number = source.raw_os_error()?;
    if step.starts_with("unpack") && number == rustix::io::Errno::NOSPC.raw_os_error() {
        return Some("free some space, or use a directory on a larger disk".to_owned());
    }
    if step.starts_with("unpack") && number == rustix::io::Errno::INVAL.raw_os_error() {
        return Some(
            "an owner in the image is beyond the subordinate ids: grant more of them, or choose the mode single-id"
                .to_owned(),
        );
    }
    let refused = [rustix::io::Errno::PERM, rustix::io::Errno::ACCESS, rustix::io::Errno::NOSPC]
        .iter()
        .any(|errno| errno.raw_os_error() == number);
    if !refused || !(step.contains("namespace") || step.contains("id map") || step.contains("mount")) {
        return None;
    }
    Some(
        "user namespaces must be permitted: sysctl user.max_user_namespaces above 0, kernel.unprivileged_userns_clone \
         and kernel.apparmor_restrict_unprivileged_userns as your distribution documents them; in a container, its \
         seccomp profile must allow unshare and mount"
            .to_owned(),
    )
}

fn join(reports: &[ModeReport]) -> String {
    reports.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}
