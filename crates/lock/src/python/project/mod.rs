//! Locks of projects: what is installed as somebody else's lock has it, without another resolution.
//!
//! A lock is read as the packages of a `pylock.toml` ([`pylock`](super::pylock)), whoever wrote it: uv says its own so,
//! ([`export`]). Of these, the ones for the target are pinned at the files that the lock names, each with the hash that
//! it states ([`pins`]). What a lock has no wheel of, and what is in a repository or a folder, becomes a requirement on
//! a source, and is built as any other.

mod choice;
mod environment;
mod error;
mod export;
mod local;
mod pins;
mod poetry;
mod repository;

use std::path::{Path, PathBuf};

use imagewright_pypa::PackageName;
use imagewright_spec::ProjectLock;

use self::error::PackageProblem;
use super::{IndexSettings, Origin, PythonError, uv_config};
use crate::uv::Host;

pub use choice::ProjectChoice;
pub use error::ProjectError;
pub use pins::{ProjectPin, ProjectPins, pins};

/// The lock of a project, and what of it is installed.
#[derive(Clone, Debug)]
pub struct LockedProject {
    /// Whose lock it is.
    pub lock: ProjectLock,
    /// The lock, as the user wrote it.
    pub path: PathBuf,
    /// What of it is installed.
    pub choice: ProjectChoice,
}

impl LockedProject {
    /// The folder of the project.
    fn folder(&self, host: &Host) -> PathBuf {
        let lock = host.absolute(&self.path);
        lock.parent().unwrap_or(Path::new("/")).to_owned()
    }

    /// Who asks for what it has.
    fn origin(&self) -> Origin {
        Origin::Field { name: self.path.display().to_string() }
    }

    fn malformed(&self, source: impl std::error::Error + Send + Sync + 'static) -> PythonError {
        ProjectError::Malformed { path: self.path.clone(), source: Box::new(source) }.into()
    }

    fn wrong(&self, name: PackageName, problem: PackageProblem) -> PythonError {
        ProjectError::Package { path: self.path.clone(), name, problem }.into()
    }

    /// The indexes that the project's own description names.
    pub(super) fn indexes(&self, host: &Host) -> Result<IndexSettings, PythonError> {
        let pyproject = self.lock.pyproject(&self.path).map(|path| host.absolute(path));
        match pyproject.filter(|path| path.is_file()) {
            Some(path) if self.lock == ProjectLock::Poetry => {
                // They are only asked for what the lock has from them.
                Ok(IndexSettings { wheels: poetry::sources(&path, host)?, ..IndexSettings::default() })
            }
            Some(path) => uv_config::of_file(&path),
            None => Ok(IndexSettings::default()),
        }
    }
}
