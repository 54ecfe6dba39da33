use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// A minor release of Python 3, such as 3.11: what a virtual environment and compiled modules depend on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PythonMinor(pub u32);

/// Where the patch release of a Python is not known, it is taken for a newer one than any minor release will have: a base
/// that is in use has what the last ones brought, rather than what the first one lacked.
pub(crate) const UNKNOWN_PATCH: u32 = 99;

/// The Python that a spec asks for: a minor release, or one patch release of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PythonVersion {
    /// The minor release.
    pub minor: PythonMinor,
    /// The patch release, when one was asked for.
    pub patch: Option<u32>,
}

/// A text that is not a Python version.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("`{text}` is not a Python version of the form 3.11 or 3.11.4")]
pub struct PythonVersionError {
    /// What was given.
    pub text: String,
}

impl PythonVersion {
    /// Whether an interpreter of version `other` is what was asked for; without a patch release, any is.
    pub fn accepts(&self, other: &Self) -> bool {
        self.minor == other.minor && (self.patch.is_none() || self.patch == other.patch)
    }
}

impl FromStr for PythonMinor {
    type Err = PythonVersionError;

    fn from_str(text: &str) -> Result<Self, PythonVersionError> {
        let version: PythonVersion = text.parse()?;
        match version.patch {
            None => Ok(version.minor),
            Some(_) => Err(PythonVersionError { text: text.to_owned() }),
        }
    }
}

impl FromStr for PythonVersion {
    type Err = PythonVersionError;

    fn from_str(text: &str) -> Result<Self, PythonVersionError> {
        let fail = || PythonVersionError { text: text.to_owned() };
        let number =
            |part: &str| part.bytes().all(|b| b.is_ascii_digit()).then(|| part.parse().ok()).flatten();
        let mut parts = text.split('.');
        let (Some("3"), Some(minor)) = (parts.next(), parts.next()) else { return Err(fail()) };
        let minor = PythonMinor(number(minor).ok_or_else(fail)?);
        let patch = match parts.next() {
            None => None,
            Some(patch) => Some(number(patch).ok_or_else(fail)?),
        };
        if parts.next().is_some() { Err(fail()) } else { Ok(Self { minor, patch }) }
    }
}

impl fmt::Display for PythonMinor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "3.{}", self.0)
    }
}

impl fmt::Display for PythonVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.minor)?;
        self.patch.iter().try_for_each(|patch| write!(f, ".{patch}"))
    }
}

impl From<PythonMinor> for PythonVersion {
    fn from(minor: PythonMinor) -> Self {
        Self { minor, patch: None }
    }
}

impl TryFrom<String> for PythonMinor {
    type Error = PythonVersionError;

    fn try_from(text: String) -> Result<Self, PythonVersionError> {
        text.parse()
    }
}

impl From<PythonMinor> for String {
    fn from(minor: PythonMinor) -> Self {
        minor.to_string()
    }
}

impl TryFrom<String> for PythonVersion {
    type Error = PythonVersionError;

    fn try_from(text: String) -> Result<Self, PythonVersionError> {
        text.parse()
    }
}

impl From<PythonVersion> for String {
    fn from(version: PythonVersion) -> Self {
        version.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_and_accepts() {
        let version = |text: &str| text.parse::<PythonVersion>();
        assert_eq!(version("3.11").unwrap().to_string(), "3.11");
        assert_eq!(version("3.11.4").unwrap().to_string(), "3.11.4");
        for text in ["", "3", "2.7", "3.x", "3.11.4.1", ">=3.9", "3.11.", "4.0", "+3.1", "3.+1", "3.14.0rc1"]
        {
            assert!(version(text).is_err(), "{text}");
        }
        assert!(version("3.11").unwrap().accepts(&version("3.11.2").unwrap()));
        assert!(!version("3.11.4").unwrap().accepts(&version("3.11.2").unwrap()));
    }
}
