use std::fmt;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::FileExt;

use fs_err::File;
use imagewright_layer::Segment;
use imagewright_oci::{Digest, Hasher};

use crate::StoreError;

/// How many bytes of a spliced blob are gathered at once.
const BUFFER_LENGTH: usize = 1 << 20;

/// A blob of the store, read from any offset.
///
/// It stays readable as long as it is open, whatever happens to the store.
pub struct BlobReader {
    digest: Digest,
    size: u64,
    position: u64,
    body: Body,
}

#[derive(Debug)]
enum Body {
    Plain(File),
    Spliced(Spliced),
}

/// The pieces of a spliced blob and a window over it.
struct Spliced {
    /// The blob's own file, then the artifacts.
    files: Vec<File>,
    runs: Vec<Run>,
    window: Vec<u8>,
    window_at: u64,
}

/// Consecutive bytes of a spliced blob that are consecutive in a file too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Run {
    /// Where in the blob.
    start: u64,
    /// Which file: 0 is the blob's own, the others are artifacts.
    file: usize,
    /// Where in that file.
    offset: u64,
    length: u64,
}

impl Run {
    /// The runs that segments make, when `artifacts`, sorted, are the files behind the blob's own.
    pub(crate) fn of(segments: &[Segment], artifacts: &[Digest]) -> Vec<Self> {
        let mut runs: Vec<Self> = Vec::with_capacity(segments.len());
        let mut start = 0;
        for segment in segments {
            let (file, offset, length) = match segment {
                Segment::Inline { offset, length } => (0, *offset, *length),
                Segment::Artifact { artifact, offset, length } => {
                    let source =
                        artifacts.binary_search(artifact).expect("every artifact of a segment is listed");
                    (source + 1, *offset, *length)
                }
            };
            match runs.last_mut() {
                Some(last) if last.file == file && last.offset + last.length == offset => {
                    last.length += length;
                }
                _ => runs.push(Self { start, file, offset, length }),
            }
            start += length;
        }
        runs.retain(|run| run.length > 0);
        runs
    }
}

impl BlobReader {
    pub(crate) fn plain(digest: Digest, file: File, size: u64) -> Self {
        Self { digest, size, position: 0, body: Body::Plain(file) }
    }

    pub(crate) fn spliced(digest: Digest, files: Vec<File>, runs: Vec<Run>, size: u64) -> Self {
        let body = Body::Spliced(Spliced { files, runs, window: Vec::new(), window_at: 0 });
        Self { digest, size, position: 0, body }
    }

    /// The blob's digest.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// The blob's length in bytes.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Reads the blob from its beginning and fails at its end, unless the bytes have the blob's digest.
    pub fn verified(mut self) -> VerifiedReader {
        self.position = 0;
        VerifiedReader { inner: self, hasher: Some(Hasher::new()) }
    }

    fn fill(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.size.saturating_sub(self.position)).unwrap_or(usize::MAX);
        let count = buffer.len().min(left);
        let buffer = &mut buffer[..count];
        match &mut self.body {
            Body::Plain(file) => file.file().read_exact_at(buffer, self.position)?,
            Body::Spliced(spliced) => spliced.fill(buffer, self.position, self.size)?,
        }
        self.position += count as u64;
        Ok(count)
    }
}

impl Spliced {
    fn fill(&mut self, buffer: &mut [u8], position: u64, size: u64) -> io::Result<()> {
        if buffer.len() >= BUFFER_LENGTH {
            return self.gather(buffer, position);
        }
        let mut done = 0;
        while done < buffer.len() {
            let at = position + done as u64;
            let window = self.window(at, size)?;
            let count = window.len().min(buffer.len() - done);
            buffer[done..done + count].copy_from_slice(&window[..count]);
            done += count;
        }
        Ok(())
    }

    /// The gathered bytes from `at` on; never empty before the blob's end.
    fn window(&mut self, at: u64, size: u64) -> io::Result<&[u8]> {
        let inside = at.checked_sub(self.window_at).and_then(|skip| usize::try_from(skip).ok());
        if let Some(skip) = inside.filter(|skip| *skip < self.window.len()) {
            return Ok(&self.window[skip..]);
        }
        let length = usize::try_from(size - at).unwrap_or(usize::MAX).min(BUFFER_LENGTH);
        let mut window = std::mem::take(&mut self.window);
        window.resize(length, 0);
        self.gather(&mut window, at)?;
        (self.window, self.window_at) = (window, at);
        Ok(&self.window)
    }

    /// Reads the bytes at `position` from the files they are in.
    fn gather(&self, mut buffer: &mut [u8], position: u64) -> io::Result<()> {
        let first = self.runs.partition_point(|run| run.start + run.length <= position);
        let mut position = position;
        for run in &self.runs[first..] {
            if buffer.is_empty() {
                break;
            }
            let skip = position - run.start;
            let count = usize::try_from(run.length - skip).unwrap_or(usize::MAX).min(buffer.len());
            let (head, rest) = buffer.split_at_mut(count);
            self.files[run.file].file().read_exact_at(head, run.offset + skip)?;
            position += count as u64;
            buffer = rest;
        }
        Ok(())
    }
}

impl Read for BlobReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.fill(buffer)
    }
}

impl Seek for BlobReader {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let target = match to {
            SeekFrom::Start(offset) => Some(offset),
            SeekFrom::End(offset) => self.size.checked_add_signed(offset),
            SeekFrom::Current(offset) => self.position.checked_add_signed(offset),
        };
        self.position = target.ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
        Ok(self.position)
    }
}

impl fmt::Debug for BlobReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BlobReader")
            .field("digest", &self.digest)
            .field("size", &self.size)
            .field("position", &self.position)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Spliced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Spliced").field("runs", &self.runs.len()).finish_non_exhaustive()
    }
}

/// A blob that is read once, from beginning to end, and whose digest is checked on the way.
#[derive(Debug)]
pub struct VerifiedReader {
    inner: BlobReader,
    /// Absent after the end.
    hasher: Option<Hasher>,
}

impl Read for VerifiedReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        if let Some(hasher) = &mut self.hasher {
            hasher.update(&buffer[..count]);
        }
        if self.inner.position == self.inner.size
            && let Some(hasher) = self.hasher.take()
        {
            let (expected, actual) = (self.inner.digest, hasher.finish());
            if expected != actual {
                let name = format!("blob {}", expected.hex());
                return Err(StoreError::Mismatch { name, expected, actual }.into_io());
            }
        }
        Ok(count)
    }
}
