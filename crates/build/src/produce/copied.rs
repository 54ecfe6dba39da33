//! The user's files, read once more for the layer that they are copied into.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::path::PathBuf;
use std::sync::Arc;

use imagewright_layer::{Content, LayerError, TreeKind};
use imagewright_oci::{Digest, Hasher};
use imagewright_spec::{Sources, below, entry_name};
use thiserror::Error;

use crate::BuildError;

/// Why a file of the user's could not be copied as the lock pins it.
#[derive(Debug, Error)]
pub enum CopyError {
    /// It is not what it was a moment ago.
    #[error("`{path}` changed while it was copied")]
    Changed {
        /// As the user knows it.
        path: String,
    },
    /// It could be read a moment ago.
    #[error("cannot read `{path}`")]
    Unreadable {
        /// As the user knows it.
        path: String,
        /// Why not.
        #[source]
        source: io::Error,
    },
}

impl CopyError {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Changed { .. } => Some("run the command again when nothing writes to it".to_owned()),
            Self::Unreadable { .. } => None,
        }
    }

    /// The error of a layer as that of the file that it is about, when it is about one.
    pub(super) fn of(error: LayerError) -> BuildError {
        match error {
            LayerError::Content { path, source } => match source.downcast() {
                Ok(error) => BuildError::Copy(error),
                Err(source) => LayerError::Content { path, source }.into(),
            },
            other => other.into(),
        }
    }
}

/// Where the user's files are, by the name of the input that they are.
#[derive(Clone, Debug, Default)]
pub(crate) struct Places(Arc<BTreeMap<String, PathBuf>>);

impl Places {
    pub(crate) fn of(sources: &Sources) -> Self {
        let places = sources.iter().map(|(name, source)| (name.clone(), source.place.clone()));
        Self(Arc::new(places.collect()))
    }

    /// The file at `path` of a source, which has to have `size` bytes of this digest. It is opened when it is its turn.
    pub(super) fn file(&self, source: &str, path: &str, size: u64, digest: Digest) -> TreeKind {
        let name = entry_name(source, path);
        let place = self.0.get(source).map(|top| below(top, path));
        let open = move || -> io::Result<Box<dyn Read>> {
            let opened = match place {
                Some(place) => fs_err::File::open(place),
                None => Err(io::ErrorKind::NotFound.into()),
            };
            match opened {
                Ok(file) => Ok(Box::new(Pinned { file, name, hasher: Hasher::new(), left: size, digest })),
                Err(source) => Err(io::Error::other(CopyError::Unreadable { path: name, source })),
            }
        };
        TreeKind::File { size, content: Content::Open(Box::new(open)) }
    }
}

/// Reads a file, and fails at its end unless it is what it has to be.
struct Pinned {
    file: fs_err::File,
    name: String,
    hasher: Hasher,
    left: u64,
    digest: Digest,
}

impl Read for Pinned {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let path = || self.name.clone();
        let count = match self.file.read(buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Err(error),
            Err(source) => return Err(io::Error::other(CopyError::Unreadable { path: path(), source })),
            Ok(count) => count,
        };
        self.hasher.update(&buffer[..count]);
        let left = self.left.checked_sub(count as u64);
        let is_as_pinned = match left {
            Some(left) if count > 0 || buffer.is_empty() => {
                self.left = left;
                true
            }
            Some(0) => std::mem::replace(&mut self.hasher, Hasher::new()).finish() == self.digest,
            _ => false,
        };
        if is_as_pinned { Ok(count) } else { Err(io::Error::other(CopyError::Changed { path: path() })) }
    }
}

#[cfg(test)]
mod tests {
    use imagewright_spec::{Source, SourceTree};

    use super::*;

    fn read(pinned: &[u8], is: &[u8]) -> Result<Vec<u8>, String> {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("a.csv");
        fs_err::write(&place, is).unwrap();
        let tree = SourceTree { entries: BTreeMap::new() };
        let source = Source { place, tree, warnings: Vec::new() };
        let places = Places::of(&Sources::from([("copy: data/a.csv".to_owned(), source)]));
        let digest = Digest::of(pinned);
        let TreeKind::File { content, .. } =
            places.file("copy: data/a.csv", ".", pinned.len() as u64, digest)
        else {
            unreachable!("it is made a file");
        };
        let mut bytes = Vec::new();
        let read = content.into_reader().and_then(|mut reader| reader.read_to_end(&mut bytes));
        read.map(|_| bytes).map_err(|error| error.to_string())
    }

    #[test]
    fn what_is_not_as_pinned_is_no_content() {
        assert_eq!(read(b"1,2", b"1,2"), Ok(b"1,2".to_vec()));
        assert_eq!(read(b"", b""), Ok(Vec::new()));
        let changed = Err("`data/a.csv` changed while it was copied".to_owned());
        for (pinned, is) in [("1,2", "1,3"), ("1,2", "1,"), ("1,2", "1,2,3"), ("", "1"), ("1", "")] {
            assert_eq!(read(pinned.as_bytes(), is.as_bytes()), changed, "{pinned} {is}");
        }
    }
}
