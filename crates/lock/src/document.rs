use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use imagewright_debian::{Compiler, DebianLock};
use imagewright_oci::{Digest, ImageReference, Platform, canonical_json};
use imagewright_pypa::PythonMinor;
use serde::{Deserialize, Serialize};

use crate::archive::{InterpreterArchive, Triple};
use crate::python::LockedPackage;
use crate::{EnvironmentLock, LockError};

/// The recipe with every input pinned by digest.
///
/// One canonical document: the same inputs give the same bytes on every machine, so the digest of these bytes
/// names the lock. It holds no host name of a mirror, no path of a tool and no time but `epoch`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lock {
    /// The version of this document's shape.
    pub version: u32,
    /// The time of every file, in seconds since 1970.
    pub epoch: u64,
    /// What was locked; see [`locked_inputs`](crate::locked_inputs).
    pub inputs: BTreeMap<String, Digest>,
    /// What is pinned, by platform.
    pub platforms: BTreeMap<String, PlatformLock>,
}

/// What is pinned for one platform.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlatformLock {
    /// What the image starts from.
    pub base: BaseLock,
    /// The interpreter.
    pub interpreter: InterpreterLock,
    /// What compiles modules; absent when none are compiled.
    pub compiler: Option<CompilerLock>,
    /// Where packages go.
    pub environment: EnvironmentLock,
    /// Distributions that are installed, by name.
    pub packages: Vec<LockedPackage>,
    /// Distributions of the base that serve, and are not installed again.
    pub kept: Vec<Distribution>,
    /// Distributions of the base's environment that others replace.
    pub replaced: Vec<Distribution>,
    /// Least size in bytes of a wheel that has a layer of its own.
    pub threshold: u64,
}

/// What an image starts from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum BaseLock {
    /// An image in a registry.
    Image {
        /// As the spec names it, normalised.
        reference: ImageReference,
        /// The manifest of the platform.
        digest: Digest,
    },
    /// Debian's packages.
    Debian {
        /// Which.
        packages: DebianLock,
    },
}

/// What compiles modules to bytecode. What it makes depends on the identity alone, and not on the processor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CompilerLock {
    /// `Debian python3.11-minimal 3.11.2-6+deb12u6`, `python-build-standalone 3.12.4 20240726`.
    pub identity: String,
    /// The release that it compiles for.
    pub minor: PythonMinor,
    /// What it is unpacked from.
    pub source: CompilerSource,
}

/// What a compiler is unpacked from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum CompilerSource {
    /// Debian's packages, for the processor of the machine that made the lock.
    Debian {
        /// Which.
        packages: DebianLock,
    },
    /// An archive of python-build-standalone, where Debian does not have the minor release.
    Archives {
        /// By the machines that it runs on.
        archives: BTreeMap<Triple, InterpreterArchive>,
    },
}

/// The interpreter of an image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InterpreterLock {
    /// With its leading slash.
    pub path: String,
    /// `3.11`.
    pub minor: PythonMinor,
    /// `3.11.2`, when it is known.
    pub full: Option<String>,
    /// Where it comes from.
    pub source: InterpreterSource,
}

/// Where an interpreter comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum InterpreterSource {
    /// It is in the base.
    Base,
    /// It is the suite's own, in a base that is assembled.
    Debian,
    /// It is added, because the base has none that fits.
    Archive {
        /// Which.
        archive: InterpreterArchive,
    },
}

/// A distribution that is in the base.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Distribution {
    /// Its normalised name.
    pub name: imagewright_pypa::PackageName,
    /// As its metadata writes it.
    pub version: String,
}

/// The time of files when nothing else was said: 1980-01-01, the first that zip can write.
pub const DEFAULT_EPOCH: u64 = 315_532_800;

impl CompilerLock {
    /// The name of the store's root that the compiler is unpacked to on this machine.
    pub fn root_id(&self) -> Digest {
        match &self.source {
            CompilerSource::Debian { packages } => Digest::of(&canonical_json(&("compiler", packages))),
            CompilerSource::Archives { archives } => {
                let own = archives.get(&Triple::of_this_machine());
                Digest::of(&canonical_json(&("compiler", own)))
            }
        }
    }

    /// A file that starts the compiler which was unpacked to `root`, for programs that want the path of a Python.
    pub fn program(&self, root: &Path) -> PathBuf {
        match &self.source {
            CompilerSource::Debian { packages } => debian_compiler(packages, root).script(),
            CompilerSource::Archives { .. } => root.join("python/bin/python3"),
        }
    }

    /// The program and the first arguments that start the compiler which was unpacked to `root`.
    pub fn command(&self, root: &Path) -> Vec<PathBuf> {
        match &self.source {
            CompilerSource::Debian { packages } => debian_compiler(packages, root).command(),
            CompilerSource::Archives { .. } => vec![self.program(root)],
        }
    }
}

/// The compiler of Debian's packages, as it is or will be unpacked to `root`.
pub fn debian_compiler(packages: &DebianLock, root: &Path) -> Compiler {
    Compiler::new(root, packages.architecture, packages.suite.python())
}

impl Lock {
    /// The current version of the document.
    pub const VERSION: u32 = 1;

    /// Reads a lock; `place` is named in errors.
    pub fn parse(text: &str, place: &str) -> Result<Self, LockError> {
        let lock: Self = serde_json::from_str(text)
            .map_err(|source| LockError::Malformed { place: place.to_owned(), source })?;
        if lock.version == Self::VERSION {
            Ok(lock)
        } else {
            Err(LockError::OtherVersion { place: place.to_owned(), version: lock.version })
        }
    }

    /// The text that is written to `image.lock`: sorted keys, two spaces of indentation, a final newline.
    pub fn to_text(&self) -> String {
        let sorted = serde_json::to_value(self).expect("a lock has string keys only");
        serde_json::to_string_pretty(&sorted).expect("a JSON value serialises") + "\n"
    }

    /// The digest of the canonical form.
    pub fn digest(&self) -> Digest {
        Digest::of(&canonical_json(self))
    }

    /// What is pinned for `platform`.
    pub fn platform(&self, platform: &Platform) -> Option<&PlatformLock> {
        self.platforms.get(&platform.to_string())
    }
}
