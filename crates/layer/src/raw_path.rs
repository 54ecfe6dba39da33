use std::fmt;

use crate::{LayerError, TreePath};

/// A path inside an image as a file system has it: like a [`TreePath`], but of any bytes except NUL.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RawPath(Vec<u8>);

/// What the entries of a layer may be named by.
pub trait EntryPath: AsRef<[u8]> + Ord + fmt::Display {}

impl EntryPath for TreePath {}
impl EntryPath for RawPath {}

impl RawPath {
    /// Checks `bytes`, which are relative to the image's root.
    pub fn new(bytes: Vec<u8>) -> Result<Self, LayerError> {
        let is_clean = |part: &[u8]| !matches!(part, b"" | b"." | b"..") && !part.contains(&0);
        if bytes.split(|byte| *byte == b'/').all(is_clean) {
            Ok(Self(bytes))
        } else {
            Err(LayerError::Path { path: String::from_utf8_lossy(&bytes).into_owned() })
        }
    }

    /// The path of the entry that hides this path of the layers below, as the OCI image specification has it.
    pub fn whiteout(&self) -> Self {
        let name = self.0.iter().rposition(|byte| *byte == b'/').map_or(0, |slash| slash + 1);
        Self([&self.0[..name], b".wh.", &self.0[name..]].concat())
    }

    /// The path of the entry that hides all that the layers below have in this directory.
    pub fn opaque(&self) -> Self {
        Self([&self.0, &b"/.wh..wh..opq"[..]].concat())
    }
}

impl AsRef<[u8]> for RawPath {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Display for RawPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.0))
    }
}

impl fmt::Debug for RawPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "b\"{}\"", self.0.escape_ascii())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_beside_and_below() {
        let path = |bytes: &[u8]| RawPath::new(bytes.to_vec()).unwrap();
        assert_eq!(path(b"a/\xff").whiteout(), path(b"a/.wh.\xff"));
        assert_eq!(path(b"a").whiteout(), path(b".wh.a"));
        assert_eq!(path(b"a/b").opaque(), path(b"a/b/.wh..wh..opq"));
        for bytes in [&b""[..], b"/a", b"a/", b"a//b", b"a/../b", b".", b"a\0b"] {
            assert!(RawPath::new(bytes.to_vec()).is_err(), "{bytes:?}");
        }
    }
}
