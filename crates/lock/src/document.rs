use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use imagewright_debian::{Compiler, DebianLock};
use imagewright_oci::{Digest, ImageReference, Platform, canonical_json};
use imagewright_pypa::{PythonMinor, StatedVersion};
use imagewright_spec::{LocalImage, SourceTree};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};

use crate::archive::{InterpreterArchive, Triple};
use crate::assembled::{ACCOUNTS_PACKAGE, accounts_package};
use crate::python::{LockedPackage, WheelSource};
use crate::results::Results;
use crate::wheel_build::SourcePin;
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
    /// The user's files that are copied into the image, by the name of the input that they are.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub sources: BTreeMap<String, SourceTree>,
    /// What is pinned, by platform.
    pub platforms: BTreeMap<String, PlatformLock>,
}

/// What every version of the document has.
#[derive(Deserialize)]
struct Versioned {
    version: u32,
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
    /// What steps came to that executed; nothing before they have.
    #[serde(default, skip_serializing_if = "Results::is_default")]
    pub results: Results,
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
    /// An image in a folder or archive of the machine that made the lock.
    Local {
        /// As the spec names it.
        image: LocalImage,
        /// The manifest of the platform; of an archive without one, that of its translation.
        digest: Digest,
    },
    /// Debian's packages.
    Debian {
        /// Which; the one with the accounts of a base is always among them.
        #[serde(deserialize_with = "with_accounts")]
        packages: DebianLock,
    },
}

impl BaseLock {
    /// Whether both are of one name, at whatever digest.
    pub(crate) fn is_of_same_name(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Image { reference, .. }, Self::Image { reference: other, .. }) => reference == other,
            (Self::Local { image, .. }, Self::Local { image: other, .. }) => image == other,
            (Self::Debian { .. }, Self::Debian { .. }) => true,
            _ => false,
        }
    }
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
    pub full: Option<StatedVersion>,
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

fn with_accounts<'de, D: Deserializer<'de>>(deserializer: D) -> Result<DebianLock, D::Error> {
    let packages = DebianLock::deserialize(deserializer)?;
    match accounts_package(&packages) {
        Some(_) => Ok(packages),
        None => Err(D::Error::custom(format_args!("the Debian base lacks {ACCOUNTS_PACKAGE}"))),
    }
}

impl CompilerSource {
    /// What tells compilers of a minor release apart; none when this has none of that release.
    pub(crate) fn identity(&self, minor: PythonMinor) -> Option<String> {
        match self {
            Self::Debian { packages } => {
                let name = format!("python{minor}-minimal");
                let program = packages.packages.iter().find(|package| package.name.as_str() == name)?;
                Some(format!("Debian {name} {}", program.version))
            }
            Self::Archives { archives } => {
                let any = archives.values().next().filter(|any| any.version.minor == minor)?;
                Some(format!("python-build-standalone {} {}", any.version, any.path.release()))
            }
        }
    }
}

impl CompilerLock {
    /// The name of the store's root that the compiler is unpacked to on this machine.
    pub fn root_id(&self) -> Digest {
        match &self.source {
            CompilerSource::Debian { packages } => Digest::of(&canonical_json(&("compiler", packages))),
            CompilerSource::Archives { archives } => {
                match archives.get(&Triple::of_this_machine()) {
                    Some(own) => Digest::of(&canonical_json(&("compiler", own))),
                    // None can be unpacked here, and none may be taken for that of another lock.
                    None => Digest::of(&canonical_json(&("compiler", archives))),
                }
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

impl PlatformLock {
    /// The same without what repositories are pinned at: who may push an image does not choose what of a repository is
    /// built.
    #[must_use]
    pub fn without_commits(&self) -> Self {
        let is_pinned = |package: &LockedPackage| match &package.source {
            WheelSource::Built(build) => matches!(build.source, SourcePin::Git { .. }),
            WheelSource::Url(_) | WheelSource::Path(_) => false,
        };
        let mut lock = self.clone();
        lock.packages.retain(|package| !is_pinned(package));
        lock
    }
}

impl Lock {
    /// The current version of the document.
    pub const VERSION: u32 = 1;

    /// Reads a lock; `place` is named in errors.
    pub fn parse(text: &str, place: &str) -> Result<Self, LockError> {
        let place = || place.to_owned();
        // The version comes first: in another version the rest may have another shape.
        let Versioned { version } =
            serde_json::from_str(text).map_err(|source| LockError::Malformed { place: place(), source })?;
        if version != Self::VERSION {
            return Err(LockError::OtherVersion { place: place(), version });
        }
        serde_json::from_str(text).map_err(|source| LockError::Malformed { place: place(), source })
    }

    /// The canonical form, which is what its digest covers.
    pub fn to_bytes(&self) -> Vec<u8> {
        canonical_json(self)
    }

    /// The text that is written to `image.lock`: sorted keys, two spaces of indentation, a final newline.
    pub fn to_text(&self) -> String {
        let sorted = serde_json::to_value(self).expect("a lock has string keys only");
        serde_json::to_string_pretty(&sorted).expect("a JSON value serialises") + "\n"
    }

    /// The digest of the canonical form.
    pub fn digest(&self) -> Digest {
        Digest::of(&self.to_bytes())
    }

    /// What is pinned for `platform`.
    pub fn platform(&self, platform: &Platform) -> Option<&PlatformLock> {
        self.platforms.get(&platform.to_string())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn lock() -> Value {
        let accounts = json!({
            "name": "base-passwd", "version": "3.6.1", "architecture": "amd64", "filename": "pool/p.deb",
            "size": 1, "sha256": Digest::of(b""), "pocket": "main", "group": "userland",
        });
        let package = json!({
            "name": "six", "version": "1.16.0", "filename": "six-1.16.0-py3-none-any.whl",
            "path": "/wheels/six-1.16.0-py3-none-any.whl", "sha256": Digest::of(b"six"), "size": 7,
        });
        let packages = json!({ "suite": "bookworm", "architecture": "amd64", "packages": [accounts] });
        let platform = json!({
            "base": { "kind": "debian", "packages": packages },
            "interpreter": {
                "path": "/usr/bin/python3.11", "minor": "3.11", "full": null, "source": { "kind": "debian" },
            },
            "compiler": null,
            "environment": { "prefix": "/opt/venv", "continues": false },
            "packages": [package], "kept": [], "replaced": [], "threshold": 1,
        });
        json!({ "version": 1, "epoch": 1, "inputs": {}, "platforms": { "linux/amd64": platform } })
    }

    /// What is said of a lock in which `value` is at `place`; with none, the place is taken out.
    fn said_of(place: &str, value: Option<Value>) -> String {
        let mut lock = lock();
        let (parent, key) = place.rsplit_once('/').unwrap();
        let parent = lock.pointer_mut(&format!("/platforms/linux~1amd64{parent}")).unwrap();
        let parent = parent.as_object_mut().unwrap();
        assert!(parent.contains_key(key));
        match value {
            Some(value) => parent.insert(key.to_owned(), value),
            None => parent.remove(key),
        };
        let text = serde_json::to_string_pretty(&lock).unwrap();
        match Lock::parse(&text, "image.lock").unwrap_err() {
            LockError::Malformed { place, source } => format!("{place}: {source}"),
            other => panic!("{other}"),
        }
    }

    #[test]
    fn what_others_rely_on_is_looked_for_when_a_lock_is_read() {
        Lock::parse(&lock().to_string(), "image.lock").unwrap();
        for (place, value, said) in [
            ("/packages/0/sha256", None, "missing field `sha256` at line"),
            ("/packages/0/size", None, "missing field `size` at line"),
            (
                "/packages/0/path",
                Some(json!("six.whl")),
                "the path `six.whl` of a wheel is not absolute at line",
            ),
            ("/base/packages/packages", Some(json!([])), "the Debian base lacks base-passwd at line"),
        ] {
            let found = said_of(place, value);
            assert!(found.starts_with(&format!("image.lock: {said}")), "{found}");
        }
    }

    #[test]
    fn a_lock_of_another_version_is_said_to_be_one_whatever_it_looks_like() {
        let error = Lock::parse(r#"{ "version": 7, "everything": "else" }"#, "image.lock").unwrap_err();
        assert!(matches!(error, LockError::OtherVersion { version: 7, .. }), "{error}");
        let error = Lock::parse("{}", "image.lock").unwrap_err();
        assert!(matches!(error, LockError::Malformed { .. }), "{error}");
    }

    #[test]
    fn compilers_of_other_machines_are_not_taken_for_each_other() {
        let compiler = |digest: Digest| {
            let path = "20240726/cpython-3.12.4.tar.gz";
            let archive = json!({ "version": "3.12.4", "path": path, "sha256": digest });
            let source = json!({ "kind": "archives", "archives": { "sparc-unknown-linux-gnu": archive } });
            let lock = json!({ "identity": "python-build-standalone", "minor": "3.12", "source": source });
            serde_json::from_value::<CompilerLock>(lock).unwrap()
        };
        let (one, other) = (compiler(Digest::of(b"one")), compiler(Digest::of(b"other")));
        assert_ne!(one.root_id(), other.root_id());
    }
}
