use std::path::PathBuf;

use thiserror::Error;

/// Why a setting cannot be used.
#[derive(Debug, Error)]
pub(crate) enum ConfigurationError {
    /// The file is no TOML, or a value has the wrong type.
    #[error("{} cannot be read", path.display())]
    Syntax {
        path: PathBuf,
        #[source]
        source: Box<toml::de::Error>,
    },
    /// A key that means nothing.
    #[error("{} sets `{key}`, which is no setting", path.display())]
    UnknownKey { path: PathBuf, key: String, nearest: Option<&'static str> },
    /// A key that only the user's file may have.
    #[error("{} sets `{key}`, which a project may not choose", path.display())]
    NotInProject { path: PathBuf, key: &'static str, user_file: Option<PathBuf> },
    /// A value that is not of the kind that is asked for.
    #[error("{place} is `{value}`: {because}")]
    Value { place: String, value: String, because: String },
}

impl ConfigurationError {
    /// What to do about it.
    pub(crate) fn hint(&self) -> Option<String> {
        match self {
            Self::UnknownKey { nearest: Some(nearest), .. } => Some(format!("did you mean `{nearest}`?")),
            Self::UnknownKey { nearest: None, .. } => {
                Some("docs/configuration.md has all settings".to_owned())
            }
            Self::NotInProject { user_file: Some(file), .. } => {
                Some(format!("set it in {}, or by its variable", file.display()))
            }
            Self::NotInProject { user_file: None, .. } => Some("set it by its variable".to_owned()),
            Self::Syntax { .. } | Self::Value { .. } => None,
        }
    }
}
