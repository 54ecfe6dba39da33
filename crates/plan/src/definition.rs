use std::collections::BTreeMap;

use imagewright_debian::{Architecture, DebianPackage, Suite};
use imagewright_layer::LayerKey;
use imagewright_lock::python::LockedPackage;
use imagewright_lock::{CompilerLock, InterpreterArchive};
use imagewright_oci::{Digest, canonical_json};
use imagewright_pypa::PythonMinor;
use serde::{Deserialize, Serialize};

use crate::execution::Execution;

/// A layer that is to be there, and how it is made when it is not.
#[derive(Clone, Debug)]
pub struct LayerDefinition {
    /// The digest of kind and inputs.
    pub key: LayerKey,
    /// What it is for.
    pub kind: LayerKind,
    /// What it holds, in a few words: `pandas 2.2.3`, `small packages (3 of 16)`.
    pub title: String,
    /// Everything its bytes depend on, in words; what differs here is why a layer is made again.
    pub inputs: BTreeMap<String, String>,
    /// The words of the spec that ask for it.
    pub because: Vec<String>,
    /// Where inputs come from, for those that the user wrote: `packages[1]`, `requirements.txt`.
    pub origins: BTreeMap<String, String>,
    /// How it is made.
    pub content: Content,
}

/// What a layer is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LayerKind {
    /// Debian's userland, in a base that is assembled.
    Userland,
    /// An interpreter that is not the base's.
    Interpreter,
    /// What Debian's package manager knows, in a base that is assembled.
    PackageDatabase,
    /// Hides files of the base that are replaced.
    Removal,
    /// User, home, certificates, environment: the only layer that may depend on the base.
    Skeleton,
    /// One distribution.
    Package,
    /// Several small distributions.
    Packages,
    /// Files of the user's.
    Copy,
    /// What Debian's packages do when they are configured, in a base that is assembled.
    Configuration,
    /// Packages of the system that the base's package manager installs.
    SystemPackages,
    /// What the spec's commands change.
    Commands,
}

impl LayerKind {
    /// The kind as documents write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Userland => "userland",
            Self::Interpreter => "interpreter",
            Self::PackageDatabase => "package_database",
            Self::Removal => "removal",
            Self::Skeleton => "skeleton",
            Self::Package => "package",
            Self::Packages => "packages",
            Self::Copy => "copy",
            Self::Configuration => "configuration",
            Self::SystemPackages => "system_packages",
            Self::Commands => "commands",
        }
    }
}

/// How a layer is made.
#[derive(Clone, Debug)]
pub enum Content {
    /// Files that the plan itself holds or names.
    Tree(Vec<TreeFile>),
    /// Installed wheels.
    Wheels(WheelGroup),
    /// An interpreter, out of an archive.
    Interpreter(InterpreterGroup),
    /// Unpacked Debian packages.
    Debian(DebianGroup),
    /// The package manager's record of them.
    DebianDatabase(Vec<DebianPackage>),
    /// What a command changes that runs in the image as far as it is made.
    Execution(Execution),
}

/// Debian packages that are unpacked into one layer.
#[derive(Clone, Debug)]
pub struct DebianGroup {
    /// Their suite.
    pub suite: Suite,
    /// What they are for.
    pub architecture: Architecture,
    /// By name.
    pub packages: Vec<DebianPackage>,
}

/// An interpreter that becomes one layer.
#[derive(Clone, Debug)]
pub struct InterpreterGroup {
    /// Where its bytes are.
    pub archive: InterpreterArchive,
    /// Where it is in the image, with its leading slash.
    pub prefix: String,
    /// What compiles its library, if anything does.
    pub compiler: Option<CompilerLock>,
}

/// Wheels that are installed into one layer.
#[derive(Clone, Debug)]
pub struct WheelGroup {
    /// The environment, with its leading slash.
    pub prefix: String,
    /// The Python they are installed for.
    pub minor: PythonMinor,
    /// By name; where two own one path, the later wins.
    pub packages: Vec<LockedPackage>,
    /// What compiles modules, if anything does.
    pub compiler: Option<CompilerLock>,
}

/// A file of a layer that the plan holds or names itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TreeFile {
    /// Without a leading slash.
    pub path: String,
    /// What it is.
    pub kind: TreeKind,
    /// Permission bits.
    pub mode: u32,
    /// Numeric owner.
    pub uid: u64,
    /// Numeric group.
    pub gid: u64,
}

/// What a file of a layer is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TreeKind {
    /// A directory.
    Directory,
    /// A file with this content.
    File(Vec<u8>),
    /// A file of the user's, which has to have this content still when the layer is made.
    Copied {
        /// The name of the input that it is a part of.
        source: String,
        /// Its path there.
        below: String,
        /// In bytes.
        size: u64,
        /// Of its content.
        digest: Digest,
    },
    /// A symbolic link to this.
    Symlink(String),
    /// Nothing: what lower layers have at this path is hidden.
    Whiteout,
}

impl LayerDefinition {
    /// A definition, with the key that its inputs give.
    pub(crate) fn new(
        kind: LayerKind,
        title: String,
        inputs: BTreeMap<String, String>,
        because: Vec<String>,
        content: Content,
    ) -> Self {
        let key = LayerKey(Digest::of(&canonical_json(&(kind, &inputs))));
        Self { key, kind, title, inputs, because, origins: BTreeMap::new(), content }
    }

    /// The command that makes the layer, if one does.
    pub fn execution(&self) -> Option<&Execution> {
        match &self.content {
            Content::Execution(execution) => Some(execution),
            _ => None,
        }
    }

    /// The same, with the places in the spec that its inputs come from.
    pub(crate) fn with_origins(self, origins: BTreeMap<String, String>) -> Self {
        Self { origins, ..self }
    }
}

impl TreeFile {
    pub(crate) fn directory(path: &str, mode: u32, uid: u64, gid: u64) -> Self {
        Self { path: path.to_owned(), kind: TreeKind::Directory, mode, uid, gid }
    }

    pub(crate) fn file(path: &str, content: impl Into<Vec<u8>>) -> Self {
        Self { path: path.to_owned(), kind: TreeKind::File(content.into()), mode: 0o644, uid: 0, gid: 0 }
    }

    pub(crate) fn symlink(path: &str, target: &str) -> Self {
        Self {
            path: path.to_owned(),
            kind: TreeKind::Symlink(target.to_owned()),
            mode: 0o777,
            uid: 0,
            gid: 0,
        }
    }

    pub(crate) fn whiteout(path: &str) -> Self {
        Self { path: path.to_owned(), kind: TreeKind::Whiteout, mode: 0, uid: 0, gid: 0 }
    }

    pub(crate) fn owned_by(self, uid: u64, gid: u64) -> Self {
        Self { uid, gid, ..self }
    }

    /// What the layer's key covers of it.
    pub(crate) fn summary(&self) -> String {
        let Self { mode, uid, gid, .. } = self;
        match &self.kind {
            TreeKind::Directory => format!("directory {mode:o} {uid}:{gid}"),
            TreeKind::File(content) => format!("file {mode:o} {uid}:{gid} {}", Digest::of(content)),
            TreeKind::Copied { digest, .. } => format!("file {mode:o} {uid}:{gid} {digest}"),
            TreeKind::Symlink(target) => format!("link to {target} {uid}:{gid}"),
            TreeKind::Whiteout => "removed".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_has_one_name() {
        for kind in [
            LayerKind::Userland,
            LayerKind::Interpreter,
            LayerKind::PackageDatabase,
            LayerKind::Removal,
            LayerKind::Skeleton,
            LayerKind::Package,
            LayerKind::Packages,
            LayerKind::Copy,
            LayerKind::Configuration,
            LayerKind::SystemPackages,
            LayerKind::Commands,
        ] {
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.name());
        }
    }
}
