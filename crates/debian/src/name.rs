use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::DebianError;

/// The name of a Debian package (policy 5.6.1): lower case letters, digits, `+`, `-` and `.`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct DebianName(String);

impl DebianName {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for DebianName {
    type Err = DebianError;

    fn from_str(text: &str) -> Result<Self, DebianError> {
        let is_inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"+-.".contains(&b);
        let begins_well = text.bytes().next().is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
        if begins_well && text.bytes().all(is_inner) {
            Ok(Self(text.to_owned()))
        } else {
            Err(DebianError::PackageName { name: text.to_owned() })
        }
    }
}

impl TryFrom<String> for DebianName {
    type Error = DebianError;

    fn try_from(text: String) -> Result<Self, DebianError> {
        text.parse()
    }
}

impl From<DebianName> for String {
    fn from(name: DebianName) -> Self {
        name.0
    }
}

impl Borrow<str> for DebianName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for DebianName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
