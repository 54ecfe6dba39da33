//! What the caller and its helper processes say to each other.

use std::io;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::change::Change;
use crate::{Exit, LostOwner, RunRequest, SandboxError, Unpacked};

/// What the helper is to do, and as whom.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Task {
    pub(crate) identity: Identity,
    pub(crate) confinement: Confinement,
    pub(crate) work: Work,
}

/// Which user namespace the helper works in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Identity {
    /// The caller's.
    Caller,
    /// A new one, whose ids the caller maps.
    Mapped,
    /// A new one, in which the caller's id is 0.
    Single,
}

/// What keeps a command in its root file system.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Confinement {
    /// Namespaces, and an overlay of the layers.
    Namespaces,
    /// chroot, and a copy of the layers.
    Chroot,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Work {
    /// Run the command.
    Run(RunRequest),
    /// Run the command, then tell what it changed.
    Step(RunRequest),
    /// Prepare everything that a run needs, but execute nothing.
    Probe(RunRequest),
    /// Unpack the tar stream that comes as the data file into this directory.
    Unpack { directory: PathBuf },
    /// Remove this directory with all that is in it.
    Remove { directory: PathBuf },
}

/// What the helper answers.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Report {
    /// The user namespace is there and needs its maps.
    NeedsIdMap,
    /// The command has ended.
    Ended(Exit),
    /// The step has changed this.
    Changed(Change),
    /// The command has changed an owner, which could not be kept.
    LostOwner(LostOwner),
    /// The layer is unpacked.
    Unpacked(Unpacked),
    /// The probe or the removal went well, or all changes were told.
    Done,
    /// It could not be done.
    Failed(Failure),
}

/// A [`SandboxError`] of a helper process, in a form that can be sent.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Failure {
    Step { step: String, cause: Cause },
    UnsafeEntry { entry: String, because: String },
    ReservedName { path: String },
    NoSuchUser { kind: String, name: String, file: String },
    WorkingDirectory { directory: PathBuf, cause: Cause },
    Stopped,
    HelperKilled,
    NoCommand,
    NoSuchProgram { program: String, searched: Option<String> },
    NotExecutable { program: String, cause: Cause },
}

/// An I/O error in a form that can be sent.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Cause {
    Errno(i32),
    Text(String),
}

/// Says what was tried when an operation fails.
pub(crate) trait Trying<T> {
    fn trying(self, step: impl FnOnce() -> String) -> Result<T, Failure>;
}

impl<T, E: Into<io::Error>> Trying<T> for Result<T, E> {
    fn trying(self, step: impl FnOnce() -> String) -> Result<T, Failure> {
        self.map_err(|error| Failure::Step { step: step(), cause: error.into().into() })
    }
}

impl From<io::Error> for Cause {
    fn from(error: io::Error) -> Self {
        error.raw_os_error().map_or_else(|| Self::Text(error.to_string()), Self::Errno)
    }
}

impl From<Cause> for io::Error {
    fn from(cause: Cause) -> Self {
        match cause {
            Cause::Errno(number) => Self::from_raw_os_error(number),
            Cause::Text(text) => Self::other(text),
        }
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Step { step: "talk to the caller".to_owned(), cause: error.into() }
    }
}

impl From<Failure> for SandboxError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Step { step, cause } => Self::Step { step, source: cause.into() },
            Failure::UnsafeEntry { entry, because } => Self::UnsafeEntry { entry, because },
            Failure::ReservedName { path } => Self::ReservedName { path },
            Failure::NoSuchUser { kind, name, file } => Self::NoSuchUser { kind, name, file },
            Failure::WorkingDirectory { directory, cause } => {
                Self::WorkingDirectory { directory, source: cause.into() }
            }
            Failure::Stopped => Self::Stopped,
            Failure::HelperKilled => Self::HelperKilled,
            Failure::NoCommand => Self::NoCommand,
            Failure::NoSuchProgram { program, searched } => Self::NoSuchProgram { program, searched },
            Failure::NotExecutable { program, cause } => {
                Self::NotExecutable { program, source: cause.into() }
            }
        }
    }
}
