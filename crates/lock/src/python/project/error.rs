use std::path::PathBuf;

use imagewright_pypa::{PackageName, TargetPython};
use imagewright_spec::ProjectLock;
use thiserror::Error;

use crate::python::PythonErrorKind;

/// Why the lock of a project cannot be installed.
#[derive(Debug, Error)]
pub enum ProjectError {
    /// The project has changed since it was locked.
    #[error("{} does not fit its project any more{}", path.display(), behind(explanation))]
    Stale {
        /// Whose lock it is.
        lock: ProjectLock,
        /// Which lock.
        path: PathBuf,
        /// What the tool says, where it says anything.
        explanation: String,
    },
    /// A lock that the tool it is of does not take.
    #[error("{} cannot be installed{}", path.display(), behind(explanation))]
    Refused {
        /// Which lock.
        path: PathBuf,
        /// What the tool says.
        explanation: String,
    },
    /// A lock that says what no lock may say.
    #[error("{} is no lock of a project", path.display())]
    Malformed {
        /// Which lock.
        path: PathBuf,
        /// What is wrong.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The project is not for the Python of the image.
    #[error("{} is for Python {wanted}, and the image has {target}", path.display())]
    Python {
        /// Which lock.
        path: PathBuf,
        /// The versions that it is for.
        wanted: String,
        /// What the image has.
        target: Box<TargetPython>,
    },
    /// The project has no group or extra of a name.
    #[error("{} has no {kind} `{name}`", path.display())]
    Unknown {
        /// Which lock.
        path: PathBuf,
        /// `group` or `extra`.
        kind: &'static str,
        /// What was asked for.
        name: String,
        /// What there is.
        known: Vec<String>,
    },
    /// A package is locked in a way that is not known.
    #[error("{} has {name} {}", path.display(), problem.said())]
    Package {
        /// Which lock.
        path: PathBuf,
        /// The package.
        name: PackageName,
        /// What is wrong with it.
        problem: PackageProblem,
    },
}

/// What is wrong with a package of a lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PackageProblem {
    /// It is there more than once for one environment.
    Twice,
    /// It is in a repository of something else than git.
    Repository,
    /// Nothing says where it is.
    Nowhere,
    /// None of several is what something else needs of it.
    Unfit,
}

impl PackageProblem {
    fn said(self) -> &'static str {
        match self {
            Self::Twice => "more than once for this environment",
            Self::Repository => "from a repository that git does not read",
            Self::Nowhere => "without a file or a source",
            Self::Unfit => "more than once, and never as what needs it asks for",
        }
    }
}

impl ProjectError {
    pub(in crate::python) fn kind(&self) -> PythonErrorKind {
        match self {
            Self::Python { .. } => PythonErrorKind::Unresolvable,
            _ => PythonErrorKind::Input,
        }
    }

    /// What the user can do about it.
    pub(in crate::python) fn hint(&self) -> Option<String> {
        match self {
            Self::Stale { lock: lock @ ProjectLock::Poetry, .. } => Some(format!(
                "run `{}` in the folder of the project; with `--frozen` in `pip_extra_args` the lock is taken as it is",
                lock.command()
            )),
            Self::Stale { lock, .. } => Some(format!("run `{}` in the folder of the project", lock.command())),
            Self::Python { .. } => Some(
                "set `python_version` to one that the project allows, or allow this one in `requires-python` and lock \
                 it again"
                    .to_owned(),
            ),
            Self::Unknown { known, .. } if known.is_empty() => Some("it has none at all".to_owned()),
            Self::Unknown { known, .. } => Some(format!("there are: {}", known.join(", "))),
            Self::Package { problem: PackageProblem::Twice, .. } => {
                Some("choose one of the extras or groups that exclude each other".to_owned())
            }
            Self::Package { problem: PackageProblem::Unfit, .. } => {
                Some("lock the project again, with a Poetry that says what each package is for (2.0 or newer)".to_owned())
            }
            _ => None,
        }
    }
}

/// An explanation on lines of its own.
fn behind(explanation: &str) -> String {
    if explanation.is_empty() { String::new() } else { format!("\n{explanation}") }
}
