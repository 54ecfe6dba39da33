use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use imagewright_oci::Digest;
use thiserror::Error;

/// What can go wrong in the store; after any of them the store is as usable as before.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The file system or the quota has no room left.
    #[error("no space is left to write {}", path.display())]
    Full {
        /// What was being written.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: Cause,
    },
    /// The store is on a read-only file system, or belongs to someone else.
    #[error("the store cannot be written: {}", path.display())]
    ReadOnly {
        /// What was to be written.
        path: PathBuf,
        /// What the system said; absent when the store was known to be read-only.
        #[source]
        source: Option<Cause>,
    },
    /// A file of the store could not be read or written for another reason.
    #[error("could not {doing} {}", path.display())]
    Io {
        /// The verb: `read`, `write`, ...
        doing: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The bytes that were to be stored could not be read from where they come from.
    #[error("could not read the bytes of {name}")]
    Source {
        /// What was to be stored.
        name: String,
        /// What the reader said.
        #[source]
        source: io::Error,
    },
    /// The index did not answer.
    #[error("could not {doing} in the store's index {}", path.display())]
    Index {
        /// What was asked of it.
        doing: &'static str,
        /// The index.
        path: PathBuf,
        /// What SQLite said.
        #[source]
        source: rusqlite::Error,
    },
    /// The index is not a readable database any more.
    #[error("the store's index {} is damaged", path.display())]
    IndexDamaged {
        /// The index.
        path: PathBuf,
        /// What SQLite said.
        #[source]
        source: rusqlite::Error,
    },
    /// The directory holds other things and is no store.
    #[error("{} is a file or another directory, not an imagewright store", path.display())]
    NotAStore {
        /// The directory.
        path: PathBuf,
    },
    /// Another version of imagewright made this store.
    #[error("the store {} has format {found}, this imagewright reads format {supported}", path.display())]
    Version {
        /// The store.
        path: PathBuf,
        /// The format it has.
        found: String,
        /// The format of this program.
        supported: u32,
    },
    /// Bytes do not have the digest they were announced with; nothing was kept.
    #[error("{name} has the digest {actual}, but {expected} was expected")]
    Mismatch {
        /// What the bytes are of: a file name, else the expected digest.
        name: String,
        /// The digest that was announced.
        expected: Digest,
        /// The digest the bytes have.
        actual: Digest,
    },
    /// A layer refers to an artifact, or a range of one, that the store does not hold.
    #[error(
        "layer {blob} needs bytes {offset} to {end} of artifact {artifact}, which the store does not hold"
    )]
    MissingArtifact {
        /// The layer's digest.
        blob: Digest,
        /// The artifact.
        artifact: Digest,
        /// The first byte that is needed.
        offset: u64,
        /// The byte behind the last that is needed.
        end: u64,
    },
    /// The segments of a layer do not describe it.
    #[error("the segments of layer {blob} are wrong: {problem}")]
    Segments {
        /// The layer's digest.
        blob: Digest,
        /// Which rule they break.
        problem: &'static str,
    },
    /// A file of the store is not what it was when it was written, and this process may not remove it.
    #[error("{} is damaged: {problem}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// How it shows.
        problem: &'static str,
    },
    /// A value cannot be kept as JSON, or a kept one cannot be read as what it is asked for.
    #[error("the {kind} of {key} cannot be {doing} as JSON")]
    Document {
        /// What the document is.
        kind: &'static str,
        /// What it is about.
        key: String,
        /// `kept` or `read`.
        doing: &'static str,
        /// What the decoder said.
        #[source]
        source: serde_json::Error,
    },
    /// Another process uses what is needed, for longer than this one may wait.
    #[error("{} is in use by another imagewright since {} s", path.display(), waited.as_secs())]
    Busy {
        /// The lock.
        path: PathBuf,
        /// How long this process waited.
        waited: Duration,
    },
    /// The caller gave up while it waited for another process.
    #[error("gave up waiting for another imagewright at {}", path.display())]
    Cancelled {
        /// The lock.
        path: PathBuf,
    },
}

/// What the system said about a failed write.
#[derive(Debug, Error)]
pub enum Cause {
    /// A file operation.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// A change of the index.
    #[error(transparent)]
    Index(#[from] rusqlite::Error),
}

impl StoreError {
    /// What the user can do about it.
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Full { .. } => {
                "free some space, run `imagewright cache prune`, or set IMAGEWRIGHT_STORE to a directory on a larger disk"
            }
            Self::ReadOnly { .. } => {
                "set IMAGEWRIGHT_STORE to a directory that you may write, or give this one to your user"
            }
            Self::IndexDamaged { .. } => {
                "run the same command again: the index is made anew then, and downloads are kept"
            }
            Self::Damaged { .. } => {
                "run `imagewright cache check --deep --repair` as a user who may write the store; what is dropped will be made or fetched again"
            }
            Self::NotAStore { .. } => {
                "set IMAGEWRIGHT_STORE to an empty or new directory; its content is managed and pruned"
            }
            Self::Version { .. } => {
                "use the imagewright that made it, or set IMAGEWRIGHT_STORE to another directory; a store can be deleted at any time"
            }
            Self::Mismatch { .. } => {
                "nothing was kept; the file changed where it comes from, or was altered on the way"
            }
            Self::Io { source, .. } if source.kind() == io::ErrorKind::NotADirectory => {
                "a part of this path is a file: set IMAGEWRIGHT_STORE to a directory, or to one that can be made"
            }
            Self::Busy { .. } => "wait until the other build is done, or end it",
            _ => return None,
        };
        Some(hint.to_owned())
    }

    /// The store's own error, when that is why writing to a staged file failed; else what `other` makes of it.
    ///
    /// Staged files are plain [`io::Write`]rs; this finds what they meant in the error that comes back.
    pub fn from_write(error: io::Error, other: impl FnOnce(io::Error) -> Self) -> Self {
        error.downcast().unwrap_or_else(other)
    }

    /// Classifies a failure to change the file or directory at `path`.
    pub(crate) fn writing(path: &Path) -> impl FnOnce(io::Error) -> Self {
        |source| {
            let path = path.to_owned();
            match source.kind() {
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                    Self::Full { path, source: source.into() }
                }
                io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied => {
                    Self::ReadOnly { path, source: Some(source.into()) }
                }
                _ => Self::Io { doing: "write", path, source },
            }
        }
    }

    /// A failure to read the file or directory at `path`.
    pub(crate) fn reading(path: &Path) -> impl FnOnce(io::Error) -> Self {
        |source| Self::Io { doing: "read", path: path.to_owned(), source }
    }

    /// Classifies a failure of the index at `path`.
    pub(crate) fn indexing(doing: &'static str, path: &Path) -> impl FnOnce(rusqlite::Error) -> Self {
        move |source| {
            let path = path.to_owned();
            if is_other_schema(&source) {
                return Self::IndexDamaged { path, source };
            }
            match source.sqlite_error().map(|error| (error.code, error.extended_code)) {
                Some((rusqlite::ErrorCode::DiskFull, _) | (_, rusqlite::ffi::SQLITE_IOERR_SHMSIZE)) => {
                    Self::Full { path, source: source.into() }
                }
                Some((rusqlite::ErrorCode::ReadOnly, _)) => {
                    Self::ReadOnly { path, source: Some(source.into()) }
                }
                Some((rusqlite::ErrorCode::DatabaseCorrupt | rusqlite::ErrorCode::NotADatabase, _)) => {
                    Self::IndexDamaged { path, source }
                }
                _ => Self::Index { doing, path, source },
            }
        }
    }

    /// The same error for a caller that only knows [`io::Error`].
    pub(crate) fn into_io(self) -> io::Error {
        let kind = match &self {
            Self::Full { .. } => io::ErrorKind::StorageFull,
            Self::ReadOnly { .. } => io::ErrorKind::ReadOnlyFilesystem,
            Self::Io { source, .. } => source.kind(),
            _ => io::ErrorKind::Other,
        };
        io::Error::new(kind, self)
    }
}

/// Whether the tables are not those that the (constant) statements are for.
fn is_other_schema(error: &rusqlite::Error) -> bool {
    use rusqlite::Error::{
        FromSqlConversionFailure, InvalidColumnName, InvalidColumnType, SqlInputError, Utf8Error,
    };
    matches!(
        error,
        SqlInputError { .. }
            | FromSqlConversionFailure(..)
            | Utf8Error(..)
            | InvalidColumnType(..)
            | InvalidColumnName(..)
    )
}
