use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use fs_err::File;
use fs_err::os::unix::fs::FileExt as _;
use imagewright_layer::Content;

use crate::DebProblem;

/// Contents shorter than this stay in memory.
const SHORT: u64 = 32 << 10;
const BUFFER: u64 = 64 << 10;

/// A file that holds the contents of packages between their unpacking and the layer that is made of them, so that
/// memory does not: a base has some 200 MB.
///
/// Threads share it: each content has a range of its own.
#[derive(Debug)]
pub struct Spool {
    file: Arc<File>,
    end: AtomicU64,
}

impl Spool {
    /// A spool in an empty file that can be read and written.
    pub fn new(file: File) -> Self {
        Self { file: Arc::new(file), end: AtomicU64::new(0) }
    }

    /// Takes `size` bytes from `reader`.
    ///
    /// What is short stays in memory, and so do configuration files, whose hashes dpkg's database has.
    pub(crate) fn take(&self, path: &str, size: u64, reader: &mut dyn Read) -> Result<Content, DebProblem> {
        if size < SHORT || path.starts_with("etc/") {
            return Ok(in_memory(reader)?);
        }
        let start = self.end.fetch_add(size, Ordering::Relaxed);
        let mut buffer = vec![0; usize::try_from(size.min(BUFFER)).unwrap_or(usize::MAX)];
        let mut taken = 0;
        while taken < size {
            let length = usize::try_from(size - taken).unwrap_or(usize::MAX).min(buffer.len());
            reader.read_exact(&mut buffer[..length])?;
            let written = self.file.write_all_at(&buffer[..length], start + taken);
            written.map_err(|source| DebProblem::Spool { source })?;
            taken += length as u64;
        }
        let range = Range { file: Arc::clone(&self.file), position: start, end: start + size };
        Ok(Content::Open(Box::new(|| Ok(Box::new(range)))))
    }
}

/// All that `reader` has.
pub(crate) fn in_memory(reader: &mut dyn Read) -> io::Result<Content> {
    let mut bytes = Vec::new();
    reader.read_to_end(&mut bytes)?;
    Ok(Content::Bytes(bytes))
}

struct Range {
    file: Arc<File>,
    position: u64,
    end: u64,
}

impl Read for Range {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.end - self.position).unwrap_or(usize::MAX);
        let length = buffer.len().min(left);
        let count = self.file.read_at(&mut buffer[..length], self.position)?;
        self.position += count as u64;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contents_come_back_whole() {
        let spool = Spool::new(File::from_parts(tempfile::tempfile().unwrap(), "spool"));
        let contents: Vec<Vec<u8>> =
            [0_u8, 1, 2].iter().map(|byte| vec![*byte; 40_000 * (usize::from(*byte) + 1)]).collect();
        let taken: Vec<Content> = contents
            .iter()
            .map(|bytes| spool.take("usr/lib/x", bytes.len() as u64, &mut bytes.as_slice()).unwrap())
            .collect();
        for (taken, expected) in taken.into_iter().zip(&contents) {
            assert!(matches!(taken, Content::Open(_)));
            let mut read = Vec::new();
            taken.into_reader().unwrap().read_to_end(&mut read).unwrap();
            assert_eq!(&read, expected);
        }
        let long = vec![0; 40_000];
        assert!(spool.take("usr/lib/x", 40_000, &mut &long[1..]).is_err());
        assert!(matches!(spool.take("etc/x", 40_000, &mut &long[..]).unwrap(), Content::Bytes(_)));
    }

    #[test]
    fn a_full_disk_is_no_fault_of_the_package() {
        let file = File::options().read(true).write(true).open("/dev/full").unwrap();
        let error = Spool::new(file).take("usr/lib/x", 40_000, &mut &vec![0; 40_000][..]).unwrap_err();
        let DebProblem::Spool { source } = &error else { panic!("{error:?}") };
        assert_eq!(source.kind(), io::ErrorKind::StorageFull);
    }
}
