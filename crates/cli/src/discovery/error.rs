//! Why the images of a Python file are not known.

use std::path::PathBuf;
use std::process::ExitStatus;
use std::time::Duration;

use thiserror::Error;

/// Why the images of a Python file are not known.
#[derive(Debug, Error)]
pub(crate) enum DiscoveryError {
    /// No Python on this machine.
    #[error("there is no Python that could read {}", file.display())]
    NoInterpreter { file: PathBuf },
    /// It cannot be executed.
    #[error("{} cannot be started", program.display())]
    NotStarted { program: PathBuf, source: std::io::Error },
    /// Its answer cannot be read.
    #[error("what {} answers cannot be read", program.display())]
    Unread { program: PathBuf, source: std::io::Error },
    /// It lacks our package, or has one that is older than this program.
    #[error("{} has no package `imagewright`, or an older one", program.display())]
    NoPackage { program: PathBuf },
    /// It gave no answer: a signal, or a crash.
    #[error("{} ended with {status} while it read {}", program.display(), file.display())]
    Ended { program: PathBuf, file: PathBuf, status: ExitStatus },
    #[error("{} was not read within {} minutes", file.display(), limit.as_secs() / 60)]
    TimedOut { file: PathBuf, limit: Duration },
    /// Its answer is none that we know.
    #[error("what {} answered is not understood", program.display())]
    Answer { program: PathBuf, source: serde_json::Error },
    /// It read the file, and says what is wrong with it.
    #[error("{message}")]
    Refused { message: String, source: Option<Cause>, hint: Option<String> },
    /// A folder in which no Python file has one.
    #[error("no Python file below {} has an ImageSpec", folder.display())]
    Empty { folder: PathBuf },
    /// What is named is neither a spec nor a Python file.
    #[error("{} is {what}, which has no spec", path.display())]
    NoSpec { path: PathBuf, what: &'static str, hint: String },
    /// A name of something in a file, before any file.
    #[error("`{name}` is no file")]
    NoFile { name: String, hint: String },
}

/// What led to an error; the innermost is last.
#[derive(Debug, Error)]
#[error("{text}")]
pub(crate) struct Cause {
    text: String,
    source: Option<Box<Cause>>,
}

impl Cause {
    pub(super) fn chain(causes: Vec<String>) -> Option<Self> {
        let chained = |source: Option<Self>, text| Some(Self { text, source: source.map(Box::new) });
        causes.into_iter().rev().fold(None, chained)
    }
}

impl DiscoveryError {
    /// What to do about it.
    pub(crate) fn hint(&self) -> Option<String> {
        let other = "or name another Python: `IMAGEWRIGHT_PYTHON_PROGRAM=…/bin/python`";
        match self {
            Self::NoInterpreter { .. } | Self::NotStarted { .. } => {
                Some(format!("activate the project's virtual environment, {other}"))
            }
            Self::NoPackage { program } => {
                Some(format!("`{} -m pip install imagewright`, {other}", program.display()))
            }
            Self::Refused { hint, .. } => hint.clone(),
            Self::NoSpec { hint, .. } | Self::NoFile { hint, .. } => Some(hint.clone()),
            Self::Unread { .. }
            | Self::Ended { .. }
            | Self::TimedOut { .. }
            | Self::Answer { .. }
            | Self::Empty { .. } => None,
        }
    }
}
