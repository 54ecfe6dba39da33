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

use imagewright_oci::{Digest, Platform};
use imagewright_pypa::{Libc, PythonVersion};
use serde::{Deserialize, Serialize};

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
    /// Below a mirror: `20240726/cpython-3.12.4+20240726-x86_64-unknown-linux-gnu-install_only_stripped.tar.gz`.
    pub path: String,
    /// Its sha256.
    pub sha256: Digest,
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

    /// Its name, without the release's.
    pub fn file_name(&self) -> &str {
        self.path.rsplit_once('/').map_or(self.path.as_str(), |(_, name)| name)
    }

    /// The release, which is a date: `20240726`.
    pub fn release(&self) -> &str {
        self.path.split_once('/').map_or("", |(release, _)| release)
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
        let (processor, loader) = if cfg!(target_arch = "aarch64") {
            ("aarch64", "/lib/ld-linux-aarch64.so.1")
        } else {
            ("x86_64", "/lib64/ld-linux-x86-64.so.2")
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
