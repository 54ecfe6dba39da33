use std::collections::BTreeMap;

use imagewright_layer::{Content, RawPath, TreeEntry, TreeKind};
use serde::{Deserialize, Serialize};

use crate::SandboxError;

/// One path that a step has changed, as the helper tells it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Change {
    pub(crate) path: Name,
    pub(crate) kind: ChangeKind,
    pub(crate) mode: u32,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    pub(crate) xattrs: BTreeMap<String, Vec<u8>>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum ChangeKind {
    /// What the layers below have at the path is hidden.
    Removed,
    Directory {
        /// Whether what the layers below have in it is hidden.
        opaque: bool,
    },
    File {
        size: u64,
    },
    Symlink {
        target: Name,
    },
    Hardlink {
        target: Name,
    },
    Fifo,
    CharacterDevice {
        major: u32,
        minor: u32,
    },
    BlockDevice {
        major: u32,
        minor: u32,
    },
}

/// A path of any bytes; nearly all are text, which is shorter in a message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum Name {
    Text(String),
    Bytes(Vec<u8>),
}

impl From<Vec<u8>> for Name {
    fn from(bytes: Vec<u8>) -> Self {
        String::from_utf8(bytes).map_or_else(|error| Self::Bytes(error.into_bytes()), Self::Text)
    }
}

impl Name {
    pub(crate) fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Text(text) => text.as_bytes(),
            Self::Bytes(bytes) => bytes,
        }
    }

    fn to_path(&self) -> Result<RawPath, SandboxError> {
        RawPath::new(self.as_bytes().to_owned()).map_err(|source| SandboxError::UnreadableChange { source })
    }
}

impl Change {
    /// The entries of a layer that stand for this; `content` is what a file has.
    pub(crate) fn into_entries(self, content: Content) -> Result<Vec<TreeEntry<RawPath>>, SandboxError> {
        use std::os::unix::ffi::OsStringExt as _;

        let path = self.path.to_path()?;
        let kind = match self.kind {
            ChangeKind::Removed => return Ok(vec![TreeEntry::file(path.whiteout(), 0o644, Vec::new())]),
            ChangeKind::Directory { .. } => TreeKind::Directory,
            ChangeKind::File { size } => TreeKind::File { size, content },
            ChangeKind::Symlink { ref target } => TreeKind::Symlink {
                target: std::ffi::OsString::from_vec(target.as_bytes().to_owned()).into(),
            },
            ChangeKind::Hardlink { ref target } => TreeKind::Hardlink { target: target.to_path()? },
            ChangeKind::Fifo => TreeKind::Fifo,
            ChangeKind::CharacterDevice { major, minor } => TreeKind::CharacterDevice { major, minor },
            ChangeKind::BlockDevice { major, minor } => TreeKind::BlockDevice { major, minor },
        };
        let mark = (self.kind == ChangeKind::Directory { opaque: true })
            .then(|| TreeEntry::file(path.opaque(), 0o644, Vec::new()));
        let entry = TreeEntry { xattrs: self.xattrs, ..TreeEntry::new(path, kind, self.mode) }
            .owned_by(self.uid, self.gid);
        Ok(std::iter::once(entry).chain(mark).collect())
    }
}
