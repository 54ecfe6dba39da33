use std::fmt;
use std::str::FromStr;

use thiserror::Error;

use crate::Version;

/// Versions that are allowed, such as `>=3.9,<4`: what a version has to satisfy, each of it.
///
/// Follows the version specifiers specification (PEP 440). Pre-releases are versions like any other here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Specifiers(pep440_rs::VersionSpecifiers);

/// A text that is no list of specifiers.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("`{text}` does not say which versions are allowed, as PEP 440 defines it")]
pub struct SpecifiersError {
    /// What was given.
    pub text: String,
}

impl Specifiers {
    /// Whether a version satisfies all of them.
    pub fn contains(&self, version: &Version) -> bool {
        self.0.contains(version.inner())
    }
}

impl FromStr for Specifiers {
    type Err = SpecifiersError;

    fn from_str(text: &str) -> Result<Self, SpecifiersError> {
        let text = text.trim();
        pep440_rs::VersionSpecifiers::from_str(text)
            .map(Self)
            .map_err(|_| SpecifiersError { text: text.to_owned() })
    }
}

impl fmt::Display for Specifiers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}
