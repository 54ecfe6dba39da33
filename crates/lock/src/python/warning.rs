use std::fmt;

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
    /// pip's configuration names a folder of wheels that is not there.
    NoSuchFolder {
        /// Which one.
        folder: String,
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
            Self::NoSuchFolder { folder } => {
                write!(f, "pip's `find-links` names {folder}, which is no folder")
            }
            Self::Resolver { text } => f.write_str(text),
        }
    }
}
