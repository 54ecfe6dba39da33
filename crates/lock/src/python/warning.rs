use std::fmt;
use std::path::PathBuf;

use imagewright_pypa::PackageName;

use super::Origin;

/// Something the user should know that does not stop the resolution.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PythonWarning {
    /// An install option that does nothing here.
    WithoutEffect {
        /// As it was written.
        option: String,
        /// Why.
        because: &'static str,
        /// Where it was written.
        origin: Origin,
    },
    /// An item of `packages` that asks for nothing: it is empty, or a comment.
    NothingAsked {
        /// Which one.
        origin: Origin,
    },
    /// pip's configuration names a folder of wheels that is not there.
    NoSuchFolder {
        /// Which one.
        folder: String,
    },
    /// The file of users and passwords cannot be used.
    Netrc {
        /// Why.
        problem: NetrcProblem,
    },
    /// The base has a distribution with a version that is none, so that it cannot count as installed.
    OddVersion {
        /// Which one.
        name: PackageName,
        /// As its metadata writes it.
        version: String,
    },
    /// Whether the lock of a project fits the project could not be found out; it was taken as it is.
    Unchecked {
        /// Which lock.
        path: PathBuf,
        /// Why not.
        because: String,
    },
    /// uv said so, of a yanked release for one.
    Resolver {
        /// In its words.
        text: String,
    },
}

/// Why a `.netrc` cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NetrcProblem {
    /// It cannot be read.
    Unreadable {
        /// Which one, and why.
        because: String,
    },
    /// It has a word where none of this kind belongs.
    Malformed {
        /// Which one.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
    },
}

impl fmt::Display for NetrcProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable { because } => f.write_str(because),
            Self::Malformed { path, line } => {
                write!(f, "{}, line {line}, is not in the format of netrc", path.display())
            }
        }
    }
}

impl fmt::Display for PythonWarning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::WithoutEffect { option, because, origin } => {
                write!(f, "`{option}` in {origin} has no effect: {because}")
            }
            Self::NothingAsked { origin } => {
                write!(f, "{origin} asks for no package: it is empty or a comment")
            }
            Self::NoSuchFolder { folder } => {
                write!(f, "pip's `find-links` names {folder}, which is no folder")
            }
            Self::Netrc { problem } => write!(f, "no credentials of netrc are used: {problem}"),
            Self::OddVersion { name, version } => {
                write!(
                    f,
                    "the base has {name} in the version `{version}`, which is none: it is not counted as installed"
                )
            }
            Self::Unchecked { path, because } => {
                write!(
                    f,
                    "{} is taken as it is; whether it fits its project is not known: {because}",
                    path.display()
                )
            }
            Self::Resolver { text } => f.write_str(text),
        }
    }
}
