use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::{PythonMinor, PythonVersion, PythonVersionError};

/// The version that an interpreter or an environment states of itself, as it is written: `3.11.2`, `3.14.0rc1`, or
/// `3.11.2.final.0` in an environment that virtualenv made.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct StatedVersion {
    text: String,
    release: PythonVersion,
}

impl StatedVersion {
    /// The release; without its patch release where that is not out yet, or is not stated.
    pub fn release(&self) -> PythonVersion {
        self.release
    }
}

impl FromStr for StatedVersion {
    type Err = PythonVersionError;

    fn from_str(text: &str) -> Result<Self, PythonVersionError> {
        let fail = || PythonVersionError { text: text.to_owned() };
        let (minor, patch) = match text.match_indices('.').nth(1) {
            Some((at, _)) => (&text[..at], Some(&text[at + 1..])),
            None => (text, None),
        };
        let minor: PythonMinor = minor.parse()?;
        let Some(patch) = patch else { return Ok(Self { text: text.to_owned(), release: minor.into() }) };
        let digits = patch.bytes().take_while(u8::is_ascii_digit).count();
        let (number, level) = patch.split_at(digits);
        let number: u32 = number.parse().map_err(|_| fail())?;
        if !level.bytes().all(|b| b.is_ascii_alphanumeric() || b".+".contains(&b)) {
            return Err(fail());
        }
        let is_out = level.is_empty() || level.starts_with(".final.");
        let release = PythonVersion { minor, patch: is_out.then_some(number) };
        Ok(Self { text: text.to_owned(), release })
    }
}

impl fmt::Display for StatedVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl TryFrom<String> for StatedVersion {
    type Error = PythonVersionError;

    fn try_from(text: String) -> Result<Self, PythonVersionError> {
        text.parse()
    }
}

impl From<StatedVersion> for String {
    fn from(version: StatedVersion) -> Self {
        version.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_the_text_and_knows_the_release() {
        for (text, release) in [
            ("3.11.2", "3.11.2"),
            ("3.11.2.final.0", "3.11.2"),
            ("3.11", "3.11"),
            ("3.14.0rc1", "3.14"),
            ("3.14.0.candidate.1", "3.14"),
            ("3.13.0+", "3.13"),
        ] {
            let stated: StatedVersion = text.parse().unwrap();
            assert_eq!((stated.to_string().as_str(), stated.release().to_string().as_str()), (text, release));
        }
        for text in ["", "3", "2.7.1", "3.11.", "3.11.x", "3.x.1", "3.11.2 (main)"] {
            assert!(text.parse::<StatedVersion>().is_err(), "{text}");
        }
    }
}
