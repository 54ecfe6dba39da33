use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// The version of a distribution: parsed, ordered and printed normalised.
///
/// Follows the version specifiers specification (PEP 440), so that `1.0`, `1.0.0` and `v1.0` are equal, and
/// `1.0rc1` comes before them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Version(pep440_rs::Version);

/// A text that is not a version.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("`{text}` is not a version as PEP 440 defines it")]
pub struct VersionError {
    /// What was given.
    pub text: String,
}

impl Version {
    /// Whether this is an alpha, beta, release candidate or development release.
    pub fn is_prerelease(&self) -> bool {
        self.0.any_prerelease()
    }

    /// Whether this has a local part, such as `+cpu` or Debian's `+dfsg1`.
    pub fn is_local(&self) -> bool {
        self.0.is_local()
    }

    /// The numbers of the release part; `[1, 26, 4]` for `1.26.4rc1`.
    pub fn release(&self) -> &[u64] {
        self.0.release()
    }

    pub(crate) fn inner(&self) -> &pep440_rs::Version {
        &self.0
    }
}

impl FromStr for Version {
    type Err = VersionError;

    fn from_str(text: &str) -> Result<Self, VersionError> {
        pep440_rs::Version::from_str(text).map(Self).map_err(|_| VersionError { text: text.to_owned() })
    }
}

impl TryFrom<String> for Version {
    type Error = VersionError;

    fn try_from(text: String) -> Result<Self, VersionError> {
        text.parse()
    }
}

impl From<Version> for String {
    fn from(version: Version) -> Self {
        version.to_string()
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_as_pep_440_does() {
        let ordered = [
            "1.dev0",
            "1.0.dev456",
            "1.0a1",
            "1.0a2.dev456",
            "1.0a12",
            "1.0b1.dev456",
            "1.0b2",
            "1.0b2.post345",
            "1.0rc1",
            "1.0",
            "1.0+abc.5",
            "1.0+5",
            "1.0.post456.dev34",
            "1.0.post456",
            "1.1.dev1",
            "1!0.1",
        ];
        let versions: Vec<Version> = ordered.iter().map(|text| text.parse().unwrap()).collect();
        assert!(versions.is_sorted());
    }

    #[test]
    fn prints_normalised() {
        for (text, normal) in
            [("v1.0-RC.1", "1.0rc1"), ("1.0-1", "1.0.post1"), ("2.0+Deb.12", "2.0+deb.12"), ("0!1", "1")]
        {
            assert_eq!(text.parse::<Version>().unwrap().to_string(), normal);
        }
        for text in ["", "one", "1.0.", "1.0+", "1..2", "1.0 beta x"] {
            assert!(text.parse::<Version>().is_err(), "{text}");
        }
    }

    #[test]
    fn equal_when_only_zeros_differ() {
        assert_eq!("1.0".parse::<Version>(), "1.0.0".parse::<Version>());
    }
}
