use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// The normalised name of a distribution: lower case, with runs of `-`, `_` and `.` written as one dash.
///
/// Follows the name normalisation specification (PEP 503).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PackageName(String);

/// A text that is not the name of a distribution.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("`{text}` is not a package name: letters and digits, joined by `-`, `_` or `.`")]
pub struct PackageNameError {
    /// What was given.
    pub text: String,
}

impl PackageName {
    /// The normalised name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for PackageName {
    type Err = PackageNameError;

    fn from_str(text: &str) -> Result<Self, PackageNameError> {
        let is_edge = |byte: Option<u8>| byte.is_some_and(|b| b.is_ascii_alphanumeric());
        let is_inner = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
        if !is_edge(text.bytes().next()) || !is_edge(text.bytes().last()) || !text.bytes().all(is_inner) {
            return Err(PackageNameError { text: text.to_owned() });
        }
        let words = text.split(['-', '_', '.']).filter(|word| !word.is_empty());
        Ok(Self(words.collect::<Vec<_>>().join("-").to_ascii_lowercase()))
    }
}

impl TryFrom<String> for PackageName {
    type Error = PackageNameError;

    fn try_from(text: String) -> Result<Self, PackageNameError> {
        text.parse()
    }
}

impl From<PackageName> for String {
    fn from(name: PackageName) -> Self {
        name.0
    }
}

impl fmt::Display for PackageName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn normalises_and_refuses() {
        for (text, normal) in
            [("Foo", "foo"), ("a__b.-c", "a-b-c"), ("ruamel.yaml", "ruamel-yaml"), ("x", "x")]
        {
            assert_eq!(text.parse::<PackageName>().unwrap().as_str(), normal);
        }
        for text in ["", "-a", "a-", "a b", "é", "a/b"] {
            assert!(text.parse::<PackageName>().is_err(), "{text}");
        }
    }
}
