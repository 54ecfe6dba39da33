use std::io;
use std::path::PathBuf;

use imagewright_layer::LayerError;
use imagewright_oci::Digest;
use imagewright_pypa::PackageName;
use imagewright_spec::SpecError;
use thiserror::Error;

/// Why a project could not be built, or not even be had.
#[derive(Debug, Error)]
pub enum SourceError {
    /// There is no git here.
    #[error("{source_name} needs git, which cannot be started here")]
    NoGit {
        /// The source.
        source_name: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// git failed.
    #[error("git cannot fetch {source_name}: {said}")]
    Git {
        /// The source.
        source_name: String,
        /// What it wrote.
        said: String,
    },
    /// git takes too long.
    #[error("git did not end within {minutes} minutes while it fetched {source_name}")]
    GitTime {
        /// The source.
        source_name: String,
        /// The limit.
        minutes: u64,
    },
    /// No network may be used.
    #[error("`{revision}` of {url} was not fetched before, and the network may not be used")]
    Offline {
        /// The repository.
        url: String,
        /// What was asked for.
        revision: String,
    },
    /// The repository does not have what was asked for.
    #[error("{url} has no branch, tag or commit `{revision}`")]
    NoRevision {
        /// The repository.
        url: String,
        /// What was asked for.
        revision: String,
    },
    /// The folder cannot be read.
    #[error(transparent)]
    Folder(#[from] SpecError),
    /// The folder is not what it was when it was locked.
    #[error("{source_name} is not what it was when it was locked")]
    Changed {
        /// The source.
        source_name: String,
    },
    /// A file of the folder is written to while it is read.
    #[error("`{path}` in {source_name} changed while it was copied")]
    Unsteady {
        /// The source.
        source_name: String,
        /// The file in it.
        path: String,
    },
    /// The archive is another one than was asked for.
    #[error("{source_name} has the digest {found}, not {}", allowed.iter().map(Digest::to_string).collect::<Vec<_>>().join(" or "))]
    HashMismatch {
        /// The source.
        source_name: String,
        /// What the user allows.
        allowed: Vec<Digest>,
        /// What it has.
        found: Digest,
    },
    /// The archive cannot be unpacked.
    #[error("{source_name} cannot be unpacked")]
    Archive {
        /// The source.
        source_name: String,
        /// Why.
        #[source]
        source: ArchiveProblem,
    },
    /// A file of the source cannot be read, or not be written where it is built.
    #[error("the files of {source_name} cannot be laid out")]
    Files {
        /// The source.
        source_name: String,
        /// Which, and why.
        #[source]
        source: io::Error,
    },
    /// There is nothing to build.
    #[error("{source_name} has no Python project: neither `pyproject.toml` nor `setup.py` is in {}", folder.display())]
    NoProject {
        /// The source.
        source_name: String,
        /// The folder in it.
        folder: PathBuf,
    },
    /// The folder in it that was named is not there.
    #[error("{source_name} has no folder `{subdirectory}`")]
    NoSubdirectory {
        /// The source.
        source_name: String,
        /// What was named.
        subdirectory: String,
    },
    /// The description of the project cannot be read.
    #[error("the `pyproject.toml` of {source_name} cannot be read")]
    Project {
        /// The source.
        source_name: String,
        /// Where and why.
        #[source]
        source: Box<toml::de::Error>,
    },
    /// What was built is something else than was asked for.
    #[error("{source_name} is {found}, and {wanted} was asked for")]
    OtherName {
        /// The source.
        source_name: String,
        /// What it is.
        found: PackageName,
        /// What was asked for.
        wanted: PackageName,
    },
    /// Building it needs that it is built.
    #[error("{source_name} needs itself to be built")]
    Circle {
        /// The source.
        source_name: String,
    },
}

/// What is wrong with an archive of source.
#[derive(Debug, Error)]
pub enum ArchiveProblem {
    /// It is neither a tar archive with a known compression nor a zip archive.
    #[error("it is neither `.tar.gz`, `.tar.bz2`, `.tar.xz` nor `.zip`")]
    Kind,
    /// It is no such archive, or not all of one.
    #[error("it is no whole archive of the kind that its name says")]
    Damaged {
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A tar archive that breaks its format.
    #[error(transparent)]
    Tar(LayerError),
    /// A zip archive that breaks its format.
    #[error(transparent)]
    Zip(#[from] zip::result::ZipError),
    /// A link that leads out of it, or a kind of file that has no place in a source.
    #[error("{} is no file of a source", path.display())]
    Entry {
        /// The file.
        path: PathBuf,
    },
    /// A file of it cannot be written.
    #[error("{} cannot be written", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

impl From<LayerError> for ArchiveProblem {
    fn from(error: LayerError) -> Self {
        match error {
            LayerError::Archive { source, .. } => Self::Damaged { source },
            other => Self::Tar(other),
        }
    }
}

impl SourceError {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::NoGit { .. } => Some("install git, or name an archive of the source".to_owned()),
            Self::Git { .. } => Some(
                "check the address and your access to it: `git ls-remote` with it has to work without a question"
                    .to_owned(),
            ),
            Self::NoRevision { .. } => {
                Some("what is behind the `@` has to be a branch, a tag or a commit of the repository".to_owned())
            }
            Self::Folder(source) => source.hint(),
            Self::Offline { .. } => Some("leave out `--offline`".to_owned()),
            Self::Changed { .. } => {
                Some("build again; a lock in a file is made anew with `imagewright lock`".to_owned())
            }
            Self::Unsteady { .. } => {
                Some("build again when nothing writes there, or name what writes in `.gitignore`".to_owned())
            }
            Self::HashMismatch { .. } => {
                Some("check the hash that is written, and where the archive comes from".to_owned())
            }
            Self::NoProject { .. } => {
                Some("a project in a folder of the source is named with `#subdirectory=FOLDER` behind it".to_owned())
            }
            Self::OtherName { found, .. } => Some(format!("write `{found} @` in front of it")),
            Self::GitTime { .. } => Some(
                "try again when the line is better, or name an archive of the source, which has no history".to_owned(),
            ),
            Self::Archive { source: ArchiveProblem::Kind, .. } => {
                Some("name the source as one of these, or the folder that is in the archive".to_owned())
            }
            Self::Archive { source: ArchiveProblem::Entry { .. }, .. } => Some(
                "an archive with links that lead out of it, or devices, is not unpacked: look at who made it"
                    .to_owned(),
            ),
            Self::Archive { .. } => {
                Some("check that the whole file came, and that its name says what it is".to_owned())
            }
            Self::NoSubdirectory { .. } => {
                Some("what is behind `#subdirectory=` is a folder, seen from the top of the source".to_owned())
            }
            Self::Project { .. } => {
                Some("`[build-system]` in it has `requires`, a list, and `build-backend`, a text (PEP 518)".to_owned())
            }
            Self::Circle { .. } => Some(
                "one of the packages that its build needs is to be had as a wheel: name a version that has one in \
                 `requires`"
                    .to_owned(),
            ),
            Self::Files { .. } => None,
        }
    }
}
