use std::io;
use std::path::PathBuf;
use std::time::Duration;

use imagewright_pypa::Version;
use thiserror::Error;

/// Why there is no uv to ask.
#[derive(Debug, Error)]
pub enum UvError {
    /// Found nowhere, and pip could not install it.
    #[error("uv, which resolves Python packages, was not found and could not be installed{}", list(attempts))]
    Missing {
        /// What was tried, and why it did not serve.
        attempts: Vec<String>,
        /// What pip was asked for.
        requirement: String,
        /// Whether the package index did not answer pip.
        is_unreachable: bool,
    },
    /// A uv outside the range that is understood.
    #[error("{} is uv {version}, but {supported} is needed", program.display())]
    Unsupported {
        /// Where it is.
        program: PathBuf,
        /// What it says it is.
        version: Version,
        /// The range, as a requirement.
        supported: String,
    },
    /// A program named uv that does not answer as uv does.
    #[error("{} does not answer as uv does: {answer}", program.display())]
    NotUv {
        /// Where it is.
        program: PathBuf,
        /// The first line of its answer.
        answer: String,
    },
    /// The system refused to start a program.
    #[error("cannot start {}", program.display())]
    NotStarted {
        /// Which program.
        program: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A program did not end within its limit and was killed.
    #[error("{} had not ended after {} s", program.display(), limit.as_secs())]
    TimedOut {
        /// Which program.
        program: PathBuf,
        /// How long it had.
        limit: Duration,
    },
    /// The tools folder cannot be read or written.
    #[error("cannot keep uv in {}", path.display())]
    Folder {
        /// The folder or a file in it.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

impl UvError {
    /// Whether the disk that uv was to be kept on is full or read-only.
    pub fn is_of_disk(&self) -> bool {
        use io::ErrorKind::{PermissionDenied, QuotaExceeded, ReadOnlyFilesystem, StorageFull};
        match self {
            // pip prints Python's words for the system's numbers.
            Self::Missing { attempts, .. } => attempts.iter().any(|attempt| {
                ["[Errno 28]", "[Errno 122]", "[Errno 30]"].iter().any(|it| attempt.contains(it))
            }),
            Self::Folder { source, .. } => {
                matches!(source.kind(), StorageFull | QuotaExceeded | ReadOnlyFilesystem | PermissionDenied)
            }
            _ => false,
        }
    }

    /// Whether the network was in the way.
    pub fn is_of_network(&self) -> bool {
        matches!(self, Self::Missing { is_unreachable: true, .. } | Self::TimedOut { .. })
    }

    /// What the user can do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Missing { .. } | Self::Folder { .. } if self.is_of_disk() => Some(
                "free some space, or set IMAGEWRIGHT_STORE to a directory that can be written and has room"
                    .to_owned(),
            ),
            Self::Missing { is_unreachable: true, .. } => Some(
                "the package index did not answer: try again when it does, or set IMAGEWRIGHT_UV to the path of a uv"
                    .to_owned(),
            ),
            Self::Missing { requirement, .. } => Some(format!(
                "install it with `python3 -m pip install '{requirement}'`, or set IMAGEWRIGHT_UV to the path of one"
            )),
            Self::Unsupported { supported, .. } => {
                Some(format!("upgrade it: `python3 -m pip install --upgrade '{supported}'`"))
            }
            Self::NotUv { .. } | Self::NotStarted { .. } => {
                Some("set IMAGEWRIGHT_UV to the path of a working uv".to_owned())
            }
            Self::TimedOut { .. } => Some("is the package index reachable from this machine?".to_owned()),
            Self::Folder { .. } => None,
        }
    }
}

fn list(attempts: &[String]) -> String {
    attempts.iter().fold(String::new(), |text, attempt| text + "\n  " + attempt)
}
