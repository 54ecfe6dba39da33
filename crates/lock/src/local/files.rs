use std::collections::BTreeMap;
use std::io::{self, Read};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use fs_err::File;
use imagewright_layer::{ArchivedFile, archive_files};
use imagewright_oci::{Digest, Hasher};

use super::error::LocalImageError;

/// The largest document that is read, in bytes.
const DOCUMENT: u64 = 64 << 20;

/// The files of a folder, or of an archive that is not unpacked.
#[derive(Clone, Debug)]
pub(super) enum Files {
    Folder(PathBuf),
    Archive { file: Arc<File>, files: BTreeMap<PathBuf, ArchivedFile> },
}

impl Files {
    pub(super) fn archive(path: &Path) -> Result<Self, LocalImageError> {
        let unreadable = |source| LocalImageError::Read { name: path.display().to_string(), source };
        let file = File::open(path).map_err(unreadable)?;
        let mut start = [0; 2];
        let length = file.file().read_at(&mut start, 0).map_err(unreadable)?;
        if length == 2 && start == [0x1f, 0x8b] {
            return Err(LocalImageError::Compressed);
        }
        let files = archive_files(io::BufReader::with_capacity(1 << 18, &file));
        let files = files.map_err(|source| LocalImageError::Archive { source })?;
        Ok(Self::Archive { file: Arc::new(file), files })
    }

    /// A file from its beginning, and its size.
    pub(super) fn open(&self, name: &str) -> Result<(Box<dyn Read + Send>, u64), LocalImageError> {
        let unreadable = |source: io::Error| match source.kind() {
            io::ErrorKind::NotFound => LocalImageError::Missing { name: name.to_owned() },
            _ => LocalImageError::Read { name: name.to_owned(), source },
        };
        match self {
            Self::Folder(folder) => {
                let file = File::open(folder.join(name)).map_err(unreadable)?;
                let size = file.metadata().map_err(unreadable)?.len();
                Ok((Box::new(file), size))
            }
            Self::Archive { file, files } => {
                let ArchivedFile { offset, size } = *files
                    .get(&Path::new(name).components().collect::<PathBuf>())
                    .ok_or_else(|| unreadable(io::ErrorKind::NotFound.into()))?;
                Ok((Box::new(Part { file: Arc::clone(file), at: offset, end: offset + size }), size))
            }
        }
    }

    /// A whole document.
    pub(super) fn document(&self, name: &str) -> Result<Vec<u8>, LocalImageError> {
        let (reader, _) = self.open(name)?;
        let mut bytes = Vec::new();
        reader
            .take(DOCUMENT)
            .read_to_end(&mut bytes)
            .map_err(|source| LocalImageError::Read { name: name.to_owned(), source })?;
        Ok(bytes)
    }
}

/// A range of a file.
#[derive(Debug)]
struct Part {
    file: Arc<File>,
    at: u64,
    end: u64,
}

impl Read for Part {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.end - self.at).unwrap_or(usize::MAX).min(buffer.len());
        let count = self.file.file().read_at(&mut buffer[..left], self.at)?;
        self.at += count as u64;
        Ok(count)
    }
}

/// A reader whose end is an error unless the bytes were the right ones.
pub(super) struct Verified<R> {
    pub(super) reader: R,
    pub(super) name: String,
    pub(super) expected: Digest,
    pub(super) expected_size: u64,
    hasher: Option<Hasher>,
    size: u64,
}

impl<R: Read> Verified<R> {
    pub(super) fn new(reader: R, name: String, expected: Digest, expected_size: u64) -> Self {
        Self { reader, name, expected, expected_size, hasher: Some(Hasher::new()), size: 0 }
    }
}

impl<R: Read> Read for Verified<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.reader.read(buffer)?;
        let Some(hasher) = &mut self.hasher else { return Ok(count) };
        hasher.update(&buffer[..count]);
        self.size += count as u64;
        // The last bytes are given only when all are right.
        let is_end = count == 0 && !buffer.is_empty() || self.size >= self.expected_size;
        if is_end && let Some(hasher) = self.hasher.take() {
            let (actual, size) = (hasher.finish(), self.size);
            if (actual, size) != (self.expected, self.expected_size) {
                let (expected, expected_size) = (self.expected, self.expected_size);
                let name = self.name.clone();
                let damage = LocalImageError::Damaged { name, expected, expected_size, actual, size };
                return Err(io::Error::new(io::ErrorKind::InvalidData, damage));
            }
        }
        Ok(count)
    }
}
