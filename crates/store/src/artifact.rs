use std::io::{self, Read, Write};
use std::path::PathBuf;

use fs_err::File;
use imagewright_oci::{Digest, HashingWriter};

use crate::index::{ArtifactRow, UsedTable};
use crate::stage::{Kind, Stage};
use crate::staging::StagedFile;
use crate::{Store, StoreError};

/// An input in the store, opened for reading.
#[derive(Debug)]
pub struct ArtifactFile {
    /// Its sha256.
    pub digest: Digest,
    /// Where it is; the name is the digest's and has no extension.
    pub path: PathBuf,
    /// Its length in bytes.
    pub size: u64,
    /// The file name it was fetched under, such as that of a wheel.
    pub file_name: String,
    /// The open file, at its beginning.
    pub file: File,
}

/// An artifact that is being written; it goes away unless it is committed.
#[derive(Debug)]
pub struct ArtifactStaging {
    store: Store,
    file_name: String,
    writer: HashingWriter<StagedFile>,
}

impl Store {
    /// The artifact with this digest, when the store holds it in full length.
    pub fn artifact(&self, digest: &Digest) -> Result<Option<ArtifactFile>, StoreError> {
        let Some(row) = self.inner.index.artifact(digest)? else { return Ok(None) };
        let path = self.inner.layout.artifact(digest);
        let Some(file) = open_of_length(&path, row.size)? else { return Ok(None) };
        self.inner.note_use(UsedTable::Artifacts, digest, row.used);
        Ok(Some(ArtifactFile { digest: *digest, path, size: row.size, file_name: row.file_name, file }))
    }

    /// Copies `reader` into the store; when it does not have the `expected` digest, nothing is kept.
    pub fn insert_artifact(
        &self,
        expected: Option<Digest>,
        file_name: &str,
        reader: impl Read,
    ) -> Result<ArtifactFile, StoreError> {
        let mut staging = self.begin_artifact(file_name)?;
        copy(reader, &mut staging, file_name)?;
        staging.commit(expected)
    }

    /// Begins an artifact that is written piece by piece, as by an asynchronous download.
    pub fn begin_artifact(&self, file_name: &str) -> Result<ArtifactStaging, StoreError> {
        self.inner.writable()?;
        let writer = HashingWriter::new(self.inner.staging.file(Kind::Artifact)?);
        Ok(ArtifactStaging { store: self.clone(), file_name: file_name.to_owned(), writer })
    }
}

impl ArtifactStaging {
    /// Keeps what was written; when it does not have the `expected` digest, nothing is kept.
    pub fn commit(self, expected: Option<Digest>) -> Result<ArtifactFile, StoreError> {
        let Self { store, file_name, writer } = self;
        let (staged, digest, size) = writer.finish();
        check_digest(&file_name, expected, digest)?;
        let path = store.inner.layout.artifact(&digest);
        staged.publish(&path)?;
        let used = store.inner.options.now;
        store.inner.index.put_artifact(&ArtifactRow { digest, size, file_name: file_name.clone(), used })?;
        store.inner.see(Stage::Recorded(Kind::Artifact));
        let file = File::open(&path).map_err(StoreError::reading(&path))?;
        Ok(ArtifactFile { digest, path, size, file_name, file })
    }
}

impl Write for ArtifactStaging {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.writer.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }
}

/// Copies `reader` to `writer` and tells apart whose fault a failure is.
pub(crate) fn copy(mut reader: impl Read, writer: &mut impl Write, name: &str) -> Result<(), StoreError> {
    let mut buffer = vec![0; 1 << 18];
    loop {
        let source = |source| StoreError::Source { name: name.to_owned(), source };
        match reader.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(count) => {
                writer.write_all(&buffer[..count]).map_err(|error| StoreError::from_write(error, source))?;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(source(error)),
        }
    }
}

pub(crate) fn check_digest(name: &str, expected: Option<Digest>, actual: Digest) -> Result<(), StoreError> {
    match expected {
        Some(expected) if expected != actual => {
            Err(StoreError::Mismatch { name: name.to_owned(), expected, actual })
        }
        _ => Ok(()),
    }
}

/// Opens a file of the store, unless it is not there or has another length than was recorded.
pub(crate) fn open_of_length(path: &std::path::Path, length: u64) -> Result<Option<File>, StoreError> {
    let file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        result => result.map_err(StoreError::reading(path))?,
    };
    let actual = file.metadata().map_err(StoreError::reading(path))?.len();
    Ok((actual == length).then_some(file))
}
