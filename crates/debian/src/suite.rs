use std::fmt;
use std::str::FromStr;

use imagewright_oci::Platform;
use imagewright_pypa::PythonMinor;
use serde::{Deserialize, Serialize};

use crate::DebianError;

/// A release of Debian that a base can be assembled from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Suite {
    /// Debian 11, whose Python is 3.9; it no longer gets updates.
    Bullseye,
    /// Debian 12, whose Python is 3.11.
    Bookworm,
    /// Debian 13, whose Python is 3.13.
    Trixie,
}

/// A processor that a base can be assembled for, in Debian's names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Architecture {
    /// 64-bit x86.
    Amd64,
    /// 64-bit ARM.
    Arm64,
}

/// Where in Debian's archive a package lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Pocket {
    /// The release itself, with its point releases.
    Main,
    /// What cannot wait for the next point release: `bookworm-updates`.
    Updates,
    /// Security updates, which have an archive of their own.
    Security,
}

impl Suite {
    /// All suites, oldest first.
    pub const ALL: [Self; 3] = [Self::Bullseye, Self::Bookworm, Self::Trixie];

    /// The suite whose own Python is 3.`minor`, else the newest.
    pub fn for_python(minor: PythonMinor) -> Self {
        Self::ALL.into_iter().find(|suite| suite.python() == minor).unwrap_or(Self::Trixie)
    }

    /// The Python that the suite has packages of.
    pub const fn python(self) -> PythonMinor {
        match self {
            Self::Bullseye => PythonMinor(9),
            Self::Bookworm => PythonMinor(11),
            Self::Trixie => PythonMinor(13),
        }
    }

    /// `bookworm`.
    pub const fn codename(self) -> &'static str {
        match self {
            Self::Bullseye => "bullseye",
            Self::Bookworm => "bookworm",
            Self::Trixie => "trixie",
        }
    }

    /// Why a user should not begin with this suite, if there is a reason.
    pub const fn warning(self) -> Option<&'static str> {
        match self {
            Self::Bullseye => {
                Some("Debian 11 (bullseye), the base for Python 3.9, no longer gets security updates")
            }
            Self::Bookworm | Self::Trixie => None,
        }
    }
}

impl Architecture {
    /// All architectures.
    pub const ALL: [Self; 2] = [Self::Amd64, Self::Arm64];

    /// `amd64`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Amd64 => "amd64",
            Self::Arm64 => "arm64",
        }
    }

    /// The name of the folder below `usr/lib` that holds its libraries.
    pub const fn multiarch(self) -> &'static str {
        match self {
            Self::Amd64 => "x86_64-linux-gnu",
            Self::Arm64 => "aarch64-linux-gnu",
        }
    }

    /// The dynamic loader, relative to the root: the file itself, not the link to it that programs name.
    pub const fn loader(self) -> &'static str {
        match self {
            Self::Amd64 => "usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2",
            Self::Arm64 => "usr/lib/aarch64-linux-gnu/ld-linux-aarch64.so.1",
        }
    }
}

impl TryFrom<&Platform> for Architecture {
    type Error = DebianError;

    fn try_from(platform: &Platform) -> Result<Self, DebianError> {
        Self::ALL
            .into_iter()
            .find(|architecture| Platform::new("linux", architecture.as_str()).accepts(platform))
            .ok_or_else(|| DebianError::Platform { platform: platform.clone() })
    }
}

impl Pocket {
    /// All pockets, in the order in which they are searched.
    pub const ALL: [Self; 3] = [Self::Main, Self::Updates, Self::Security];

    /// The name of the pocket of `suite` below `dists/`, which is also the code name that its index states.
    pub fn codename(self, suite: Suite) -> String {
        match self {
            Self::Main => suite.codename().to_owned(),
            Self::Updates => format!("{suite}-updates"),
            Self::Security => format!("{suite}-security"),
        }
    }
}

impl FromStr for Suite {
    type Err = DebianError;

    fn from_str(text: &str) -> Result<Self, DebianError> {
        Self::ALL
            .into_iter()
            .find(|suite| suite.codename() == text)
            .ok_or_else(|| DebianError::UnknownSuite { name: text.to_owned() })
    }
}

impl fmt::Display for Suite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.codename())
    }
}

impl fmt::Display for Architecture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_suite_follows_the_python_version() {
        let suites = [
            (8, "trixie"),
            (9, "bullseye"),
            (10, "trixie"),
            (11, "bookworm"),
            (13, "trixie"),
            (14, "trixie"),
        ];
        for (minor, suite) in suites {
            assert_eq!(Suite::for_python(PythonMinor(minor)).codename(), suite, "3.{minor}");
        }
    }

    #[test]
    fn platforms_without_a_base_are_refused() {
        let architecture = |text: &str| Architecture::try_from(&text.parse::<Platform>().unwrap()).ok();
        assert_eq!(architecture("linux/amd64"), Some(Architecture::Amd64));
        assert_eq!(architecture("linux/arm64/v8"), Some(Architecture::Arm64));
        for text in ["linux/arm/v7", "linux/386", "windows/amd64", "linux/s390x"] {
            assert_eq!(architecture(text), None, "{text}");
        }
    }
}
