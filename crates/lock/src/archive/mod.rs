//! Interpreter archives: relocatable builds of CPython by python-build-standalone, for images whose base has no
//! fitting Python, and as compilers of bytecode where Debian has none (design D5, D7).
//!
//! Which archives there are, uv says, without asking anybody: it carries the list that it installs from itself.
//! What their bytes are, the release's `SHA256SUMS` says, which is fetched from the mirror once and kept. The lock
//! has path and digest and no host, so that any mirror serves.

mod checksums;
mod listing;
mod mirror;
mod resolver;

use std::str::FromStr;

use imagewright_oci::{Digest, Platform};
use imagewright_pypa::{Libc, PythonVersion};
use serde::{Deserialize, Serialize};
use thiserror::Error;

pub use mirror::{MirrorError, PythonMirror};
pub(crate) use resolver::ArchiveResolver;
pub use resolver::interpreter_artifact;

/// Where interpreters of archives are in an image, each in a folder named by its version, so that an image can
/// be the base of another with another Python.
pub const INTERPRETERS: &str = "/opt/python";

/// An archive that is pinned.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InterpreterArchive {
    /// `3.12.4`.
    pub version: PythonVersion,
    /// Below a mirror.
    pub path: ArchivePath,
    /// Its sha256.
    pub sha256: Digest,
}

/// A release and a file of it: `20240726/cpython-3.12.4+20240726-x86_64-unknown-linux-gnu-install_only.tar.gz`.
///
/// A lock may come with a project from anywhere, and its compiler is started: so this cannot lead out of a mirror.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ArchivePath(String);

/// A text that names no archive of python-build-standalone.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("`{text}` is no archive of python-build-standalone")]
pub struct ArchivePathError {
    /// What was given.
    pub text: String,
}

/// What programs an archive has: `x86_64-unknown-linux-gnu`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Triple(String);

impl InterpreterArchive {
    /// The folder of this version in an image, with its leading slash.
    pub fn prefix(&self) -> String {
        format!("{INTERPRETERS}/{}", self.version)
    }
}

impl ArchivePath {
    /// The release, which is a date: `20240726`.
    pub fn release(&self) -> &str {
        self.parts().0
    }

    /// The file's name, without the release's.
    pub fn file_name(&self) -> &str {
        self.parts().1
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn parts(&self) -> (&str, &str) {
        self.0.split_once('/').expect("a path has two components")
    }
}

impl FromStr for ArchivePath {
    type Err = ArchivePathError;

    fn from_str(text: &str) -> Result<Self, ArchivePathError> {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '+' | '-');
        match text.split_once('/') {
            Some((release, file))
                if release.len() == 8
                    && release.bytes().all(|byte| byte.is_ascii_digit())
                    && file.starts_with("cpython-")
                    && file.ends_with(".tar.gz")
                    && file.chars().all(is_plain) =>
            {
                Ok(Self(text.to_owned()))
            }
            _ => Err(ArchivePathError { text: text.to_owned() }),
        }
    }
}

impl TryFrom<String> for ArchivePath {
    type Error = ArchivePathError;

    fn try_from(text: String) -> Result<Self, ArchivePathError> {
        text.parse()
    }
}

impl From<ArchivePath> for String {
    fn from(path: ArchivePath) -> Self {
        path.0
    }
}

impl Triple {
    /// Of a base; none for a processor that there are no archives for.
    pub fn of(platform: &Platform, libc: Libc) -> Option<Self> {
        let processor = [("amd64", "x86_64"), ("arm64", "aarch64")]
            .into_iter()
            .find(|(name, _)| Platform::new("linux", name).accepts(platform))?;
        let libc = match libc {
            Libc::Glibc(..) => "gnu",
            Libc::Musl(..) => "musl",
        };
        Some(Self(format!("{}-unknown-linux-{libc}", processor.1)))
    }

    /// Of programs that this machine runs.
    pub fn of_this_machine() -> Self {
        let architecture = Platform::of_this_machine().architecture;
        let (processor, loader) = match architecture.as_str() {
            "amd64" => ("x86_64", "/lib64/ld-linux-x86-64.so.2"),
            "arm64" => ("aarch64", "/lib/ld-linux-aarch64.so.1"),
            // There are no archives for it, which is said by its name.
            other => (other, "/"),
        };
        let libc = if std::path::Path::new(loader).exists() { "gnu" } else { "musl" };
        Self(format!("{processor}-unknown-linux-{libc}"))
    }

    /// Those of all machines that images are built on.
    fn of_all_machines() -> impl Iterator<Item = Self> {
        ["x86_64", "aarch64"].into_iter().flat_map(|processor| {
            ["gnu", "musl"].map(|libc| Self(format!("{processor}-unknown-linux-{libc}")))
        })
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_stay_in_a_mirror() {
        let path: ArchivePath =
            "20240726/cpython-3.12.4+20240726-x86_64-unknown-linux-gnu-install_only.tar.gz".parse().unwrap();
        assert_eq!(path.release(), "20240726");
        assert!(path.file_name().starts_with("cpython-3.12.4+"));
        for text in [
            "",
            "cpython-3.12.4.tar.gz",
            "20240726/../../../other/cpython-3.12.4.tar.gz",
            "../20240726/cpython-3.12.4.tar.gz",
            "20240726/cpython-3.12.4.tar.gz?x=.tar.gz",
            "20240726/cpython-%2e%2e.tar.gz",
            "20240726/pypy-3.10.tar.gz",
            "latestab/cpython-3.12.4.tar.gz",
        ] {
            assert!(text.parse::<ArchivePath>().is_err(), "{text}");
            let json =
                format!("{{\"version\":\"3.12.4\",\"path\":\"{text}\",\"sha256\":\"{}\"}}", Digest::of(b""));
            assert!(serde_json::from_str::<InterpreterArchive>(&json).is_err(), "{text}");
        }
    }
}
