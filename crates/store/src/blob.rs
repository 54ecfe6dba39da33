use std::io::{self, Read, Write};

use fs_err::File;
use imagewright_oci::{Digest, HashingWriter};

use crate::artifact::{check_digest, open_of_length};
use crate::blob_reader::{BlobReader, Run};
use crate::index::{BlobForm, BlobRow, UsedTable};
use crate::segment_table::{FOOTER_LENGTH, Footer, artifact_ranges};
use crate::stage::{Kind, Stage};
use crate::staging::StagedFile;
use crate::{Store, StoreError};

/// A blob that is being written; it goes away unless it is committed.
#[derive(Debug)]
pub struct BlobStaging {
    store: Store,
    writer: HashingWriter<StagedFile>,
}

/// Why a blob that the index knows cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// Its file is not there, or has another length.
    File,
    /// Its segment table is not what was written, or the disk does not give it back.
    Segments,
    /// An artifact that it has segments of is not there, or has another length.
    Artifact {
        /// The artifact.
        digest: Digest,
    },
}

impl Store {
    /// Keeps a small blob, such as a manifest.
    pub fn put_blob(&self, bytes: &[u8]) -> Result<Digest, StoreError> {
        let digest = Digest::of(bytes);
        if !self.has_bytes(&digest, bytes)? {
            let mut staging = self.begin_blob()?;
            let path = self.inner.layout.plain_blob(&digest);
            staging
                .write_all(bytes)
                .map_err(|error| StoreError::from_write(error, StoreError::writing(&path)))?;
            staging.commit(Some(digest))?;
        }
        Ok(digest)
    }

    /// Begins a blob that is written piece by piece.
    pub fn begin_blob(&self) -> Result<BlobStaging, StoreError> {
        self.inner.writable()?;
        let writer = HashingWriter::new(self.inner.staging.file(Kind::Blob)?);
        Ok(BlobStaging { store: self.clone(), writer })
    }

    /// The blob with this digest, opened at its beginning, when all of it is there.
    ///
    /// That its bytes are what they were is not checked here; see [`BlobReader::verified`].
    pub fn blob(&self, digest: &Digest) -> Result<Option<BlobReader>, StoreError> {
        let Some(row) = self.inner.index.blob(digest)? else { return Ok(None) };
        self.inner.note_use(UsedTable::Blobs, digest, row.used);
        Ok(self.open_blob(&row)?.ok())
    }

    /// What is missing of a blob, found without opening anything; nothing when it is all there.
    pub(crate) fn loss(&self, row: &BlobRow) -> Result<Option<Loss>, StoreError> {
        if !has_length(&self.blob_path(row), row.stored)? {
            return Ok(Some(Loss::File));
        }
        if row.form == BlobForm::Spliced {
            for digest in self.inner.index.artifacts_of(&row.digest)? {
                let known = self.inner.index.artifact(&digest)?;
                let path = self.inner.layout.artifact(&digest);
                let is_there = known.map_or(Ok(false), |known| has_length(&path, known.size))?;
                if !is_there {
                    return Ok(Some(Loss::Artifact { digest }));
                }
            }
        }
        Ok(None)
    }

    pub(crate) fn open_blob(&self, row: &BlobRow) -> Result<Result<BlobReader, Loss>, StoreError> {
        let Some(file) = open_of_length(&self.blob_path(row), row.stored)? else {
            return Ok(Err(Loss::File));
        };
        match row.form {
            BlobForm::Plain => Ok(Ok(BlobReader::plain(row.digest, file, row.size))),
            BlobForm::Spliced => self.open_spliced(row, file),
        }
    }

    fn open_spliced(&self, row: &BlobRow, file: File) -> Result<Result<BlobReader, Loss>, StoreError> {
        let Ok(Ok(segments)) = read_segments(&file, row) else { return Ok(Err(Loss::Segments)) };
        let mut files = vec![file];
        let mut sources = Vec::new();
        for (digest, (_, end)) in artifact_ranges(&segments) {
            match self.artifact(&digest)? {
                Some(artifact) if end <= artifact.size => {
                    files.push(artifact.file);
                    sources.push(digest);
                }
                _ => return Ok(Err(Loss::Artifact { digest })),
            }
        }
        Ok(Ok(BlobReader::spliced(row.digest, files, Run::of(&segments, &sources), row.size)))
    }

    pub(crate) fn blob_path(&self, row: &BlobRow) -> std::path::PathBuf {
        match row.form {
            BlobForm::Plain => self.inner.layout.plain_blob(&row.digest),
            BlobForm::Spliced => self.inner.layout.spliced_blob(&row.digest),
        }
    }

    /// Whether the store has exactly these bytes already; this also heals a damaged small blob.
    fn has_bytes(&self, digest: &Digest, bytes: &[u8]) -> Result<bool, StoreError> {
        let Some(mut reader) = self.blob(digest)? else { return Ok(false) };
        let mut kept = Vec::with_capacity(bytes.len());
        Ok(reader.size() == bytes.len() as u64 && reader.read_to_end(&mut kept).is_ok() && kept == bytes)
    }
}

impl BlobStaging {
    /// Keeps what was written; when it does not have the `expected` digest, nothing is kept.
    pub fn commit(self, expected: Option<Digest>) -> Result<Digest, StoreError> {
        let Self { store, writer } = self;
        let (staged, digest, size) = writer.finish();
        let name = expected.map_or_else(String::new, |expected| expected.to_string());
        check_digest(&name, expected, digest)?;
        staged.publish(&store.inner.layout.plain_blob(&digest))?;
        let used = store.inner.options.now;
        let row = BlobRow { digest, form: BlobForm::Plain, size, stored: size, used };
        store.inner.index.put_blob(&row, &[])?;
        store.inner.see(Stage::Recorded(Kind::Blob));
        Ok(digest)
    }
}

impl Write for BlobStaging {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.writer.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }
}

/// Reads the segments of a spliced blob, or says why they cannot be those that were written.
pub(crate) fn read_segments(
    file: &File,
    row: &BlobRow,
) -> io::Result<Result<Vec<imagewright_layer::Segment>, &'static str>> {
    use std::os::unix::fs::FileExt;

    let Some(footer_at) = row.stored.checked_sub(FOOTER_LENGTH as u64) else {
        return Ok(Err("it is shorter than a footer"));
    };
    let mut footer = [0; FOOTER_LENGTH];
    file.file().read_exact_at(&mut footer, footer_at)?;
    let footer = match Footer::from_bytes(&footer, row.stored) {
        Ok(footer) if footer.size == row.size => footer,
        Ok(_) => return Ok(Err("it is of a blob of another length")),
        Err(problem) => return Ok(Err(problem)),
    };
    let length = usize::try_from(footer.table_length).map_err(io::Error::other)?;
    let mut table = vec![0; length];
    file.file().read_exact_at(&mut table, footer.inline_length)?;
    Ok(footer.decode(&table))
}

pub(crate) fn has_length(path: &std::path::Path, length: u64) -> Result<bool, StoreError> {
    match fs_err::symlink_metadata(path) {
        Ok(metadata) => Ok(metadata.is_file() && metadata.len() == length),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(StoreError::reading(path)(error)),
    }
}
