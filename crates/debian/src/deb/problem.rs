use std::io;

use thiserror::Error;

/// Which rule of its format a package file breaks.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum DebProblem {
    /// It is damaged, cut off, or not compressed as its names say.
    #[error("it cannot be read")]
    Read(#[from] io::Error),
    /// What is in it cannot be put aside until its layer is made.
    #[error("its content cannot be written")]
    Spool {
        /// Why.
        source: io::Error,
    },
    /// It does not begin as an `ar` archive, or a member's header is wrong.
    #[error("it is not an archive of the `ar` format")]
    Archive,
    /// The members are others, or in another order, than the format asks for.
    #[error("its member `{found}` is where `{expected}` should be")]
    Member {
        /// What the format asks for.
        expected: &'static str,
        /// What is there.
        found: String,
    },
    /// Its format is of another version.
    #[error("its format version is {version:?}, not 2")]
    Version {
        /// What it says.
        version: String,
    },
    /// A member is compressed in a way that is not known.
    #[error("its member `{member}` is compressed in an unknown way")]
    Compression {
        /// The member's name.
        member: String,
    },
    /// A path leaves the root, or is not UTF-8.
    #[error("it has the unsafe path `{path}`")]
    Path {
        /// The path, with unreadable bytes replaced.
        path: String,
    },
    /// An entry is neither a file, a directory nor a link.
    #[error("its entry `{path}` is of a kind that packages do not have")]
    Kind {
        /// The path.
        path: String,
    },
    /// An owner's number is too large.
    #[error("its entry `{path}` has an impossible owner")]
    Owner {
        /// The path.
        path: String,
    },
}
