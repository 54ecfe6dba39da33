use std::fmt;

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
    /// The base has a distribution with a version that is none, so that it cannot count as installed.
    OddVersion {
        /// Which one.
        name: PackageName,
        /// As its metadata writes it.
        version: String,
    },
    /// uv said so, of a yanked release for one.
    Resolver {
        /// In its words.
        text: String,
    },
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
            Self::OddVersion { name, version } => {
                write!(
                    f,
                    "the base has {name} in the version `{version}`, which is none: it is not counted as installed"
                )
            }
            Self::Resolver { text } => f.write_str(text),
        }
    }
}
