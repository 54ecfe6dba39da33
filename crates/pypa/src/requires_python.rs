use std::str::FromStr;

use thiserror::Error;

use crate::python_version::UNKNOWN_PATCH;
use crate::{PythonMinor, PythonVersion, Specifiers, Version};

/// The Pythons that a project or a script is for: `>=3.11`, `>=3.9,<3.13`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequiresPython(Specifiers);

/// A text that is no list of version specifiers.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("`{text}` does not say which Pythons, as `>=3.11` does")]
pub struct RequiresPythonError {
    /// What was given.
    pub text: String,
}

impl RequiresPython {
    /// What of a minor release it is for: the newest release, whichever that is, else the newest one that is meant.
    pub fn version(&self, minor: PythonMinor) -> Option<PythonVersion> {
        if self.has(minor, UNKNOWN_PATCH) {
            return Some(minor.into());
        }
        let patch = (0..UNKNOWN_PATCH).rev().find(|patch| self.has(minor, *patch))?;
        Some(PythonVersion { minor, patch: Some(patch) })
    }

    /// Whether it is for a version; of a minor release, whether it is for one of its releases.
    pub fn accepts(&self, version: &PythonVersion) -> bool {
        match version.patch {
            None => self.version(version.minor).is_some(),
            Some(patch) => self.has(version.minor, patch),
        }
    }

    fn has(&self, minor: PythonMinor, patch: u32) -> bool {
        let release: Version = format!("{minor}.{patch}").parse().expect("three numbers are a version");
        self.0.contains(&release)
    }
}

impl FromStr for RequiresPython {
    type Err = RequiresPythonError;

    fn from_str(text: &str) -> Result<Self, RequiresPythonError> {
        text.parse().map(Self).map_err(|_| RequiresPythonError { text: text.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_which_release_of_a_minor_is_meant() {
        for (text, minor, expected) in [
            (">=3.11", 11, Some("3.11")),
            (">=3.11", 10, None),
            (">=3.11.4", 11, Some("3.11")),
            ("<3.12", 11, Some("3.11")),
            ("<3.12", 12, None),
            ("==3.11.*", 11, Some("3.11")),
            ("~=3.11", 13, Some("3.13")),
            ("==3.11.4", 11, Some("3.11.4")),
            (">=3.11,<3.11.5", 11, Some("3.11.4")),
            ("", 8, Some("3.8")),
        ] {
            let required: RequiresPython = text.parse().unwrap();
            let found = required.version(PythonMinor(minor)).map(|version| version.to_string());
            assert_eq!(found.as_deref(), expected, "{text} {minor}");
        }
        assert!("3.11".parse::<RequiresPython>().is_err());
        let required: RequiresPython = "<3.11.5".parse().unwrap();
        assert!(required.accepts(&"3.11.4".parse().unwrap()));
        assert!(!required.accepts(&"3.11.5".parse().unwrap()));
    }
}
