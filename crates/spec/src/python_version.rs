use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// A Python release, or all patch releases of one minor version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PythonVersion {
    /// 3 in every release that can be had.
    pub major: u32,
    /// The minor version.
    pub minor: u32,
    /// The patch release, when one is fixed.
    pub patch: Option<u32>,
}

/// A text that is not a Python version.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("`{text}` is not a Python version of the form 3.12 or 3.12.4")]
pub struct PythonVersionError {
    /// What was given.
    pub text: String,
}

impl FromStr for PythonVersion {
    type Err = PythonVersionError;

    fn from_str(text: &str) -> Result<Self, PythonVersionError> {
        let number = |part: &str| {
            let is_number = !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
            is_number.then(|| part.parse().ok()).flatten()
        };
        let parts: Option<Vec<u32>> = text.split('.').map(number).collect();
        match parts.as_deref() {
            Some([major, minor]) => Ok(Self { major: *major, minor: *minor, patch: None }),
            Some([major, minor, patch]) => Ok(Self { major: *major, minor: *minor, patch: Some(*patch) }),
            _ => Err(PythonVersionError { text: text.to_owned() }),
        }
    }
}

impl fmt::Display for PythonVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)?;
        self.patch.iter().try_for_each(|patch| write!(f, ".{patch}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_and_refuses() {
        for text in ["3.10", "3.12.4"] {
            assert_eq!(text.parse::<PythonVersion>().unwrap().to_string(), text);
        }
        for text in ["", "3", "3.", "3.x", "3.12.4.1", ">=3.9", "+3.1", "3.14.0rc1", "3.99999999999"] {
            assert!(text.parse::<PythonVersion>().is_err(), "{text}");
        }
    }
}
