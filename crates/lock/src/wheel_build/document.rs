use std::fmt;
use std::path::PathBuf;

use imagewright_debian::DebianLock;
use imagewright_oci::Digest;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use url::Url;

use crate::python::LockedPackage;

/// All that a wheel was built from, besides the root that it was built in: the base, the interpreter and the packages
/// of the system, which the lock pins anyway.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WheelBuild {
    /// The source.
    pub source: SourcePin,
    /// The folder of the project in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subdirectory: Option<String>,
    /// What the project needs to be built, by name.
    pub requirements: Vec<LockedPackage>,
    /// The C compiler and the headers of Python, where the base is assembled and the source needs them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tools: Option<DebianLock>,
}

/// A source, pinned.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum SourcePin {
    /// A commit of a repository.
    Git {
        /// What git clones, without user and password.
        url: Url,
        /// The branch, tag or commit that was asked for.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        revision: Option<String>,
        /// What that was.
        commit: Commit,
    },
    /// A folder of the machine that made the lock.
    Folder {
        /// Relative to the working directory, when it is below it.
        path: PathBuf,
        /// Of all files but the ignored ones.
        digest: Digest,
    },
    /// An archive of the machine that made the lock.
    File {
        /// Relative to the working directory, when it is below it.
        path: PathBuf,
        /// Of the archive.
        sha256: Digest,
    },
    /// An archive.
    Archive {
        /// Where it is, without user and password.
        url: Url,
        /// Of the archive.
        sha256: Digest,
    },
}

/// The name of a commit: the digits of its hash.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Commit(String);

impl Commit {
    /// Forty or sixty-four hexadecimal digits in lower case.
    pub fn parse(text: &str) -> Option<Self> {
        let is_digit = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
        (matches!(text.len(), 40 | 64) && text.bytes().all(is_digit)).then(|| Self(text.to_owned()))
    }

    /// The digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A lock may come from anywhere, and git takes what begins with a hyphen for an option.
impl<'de> Deserialize<'de> for Commit {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| D::Error::custom(format_args!("`{text}` is no commit of git")))
    }
}

impl SourcePin {
    /// What tells its content apart from that of every other source.
    pub fn identity(&self) -> String {
        match self {
            Self::Git { commit, .. } => format!("commit {}", commit.as_str()),
            Self::Folder { digest, .. } => format!("folder {digest}"),
            Self::File { sha256, .. } | Self::Archive { sha256, .. } => format!("archive {sha256}"),
        }
    }
}

impl fmt::Display for SourcePin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Git { url, commit, .. } => write!(f, "git+{url}@{:.12}", commit.as_str()),
            Self::Folder { path, .. } => write!(f, "the folder `{}`", path.display()),
            Self::File { path, .. } => write!(f, "`{}`", path.display()),
            Self::Archive { url, .. } => f.write_str(url.path().rsplit('/').next().unwrap_or_default()),
        }
    }
}

impl fmt::Display for WheelBuild {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.subdirectory {
            Some(folder) => write!(f, "{} in {}", folder, self.source),
            None => self.source.fmt(f),
        }
    }
}
