use std::collections::BTreeMap;
use std::io::{self, Write};

use crate::tar::{END, EntryKind, Header, padding};

/// Writes a plain tar archive of a few large files, as image archives are: root's, readable, all of one time.
///
/// The content of a file is what is written between two calls of [`Self::file`], or one and [`Self::finish`]. It has
/// to have the length that was announced: the next call fails otherwise.
#[derive(Debug)]
pub struct ArchiveWriter<W> {
    out: W,
    mtime: u64,
    /// What is still to come of the current file.
    missing: u64,
    padding: &'static [u8],
}

impl<W: Write> ArchiveWriter<W> {
    /// An archive whose entries are all of `mtime`, in seconds since 1970.
    pub fn new(out: W, mtime: u64) -> Self {
        Self { out, mtime, missing: 0, padding: &[] }
    }

    /// Adds a directory.
    pub fn directory(&mut self, path: &str) -> io::Result<()> {
        self.begin(path, EntryKind::Directory, 0o755)
    }

    /// Begins a file of `size` bytes.
    pub fn file(&mut self, path: &str, size: u64) -> io::Result<()> {
        self.begin(path, EntryKind::File(size), 0o644)?;
        (self.missing, self.padding) = (size, padding(size));
        Ok(())
    }

    /// Ends the archive; what it was written to.
    pub fn finish(mut self) -> io::Result<W> {
        self.end_file()?;
        self.out.write_all(&END)?;
        self.out.flush()?;
        Ok(self.out)
    }

    fn begin(&mut self, path: &str, kind: EntryKind<'_>, mode: u32) -> io::Result<()> {
        self.end_file()?;
        let xattrs = BTreeMap::new();
        let path = path.as_bytes();
        let header = Header { path, kind, mode, uid: 0, gid: 0, mtime: self.mtime, xattrs: &xattrs };
        let mut blocks = Vec::new();
        header.write(&mut blocks);
        self.out.write_all(&blocks)
    }

    fn end_file(&mut self) -> io::Result<()> {
        if self.missing > 0 {
            let message = format!("{} bytes of a file are missing", self.missing);
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, message));
        }
        self.out.write_all(std::mem::take(&mut self.padding))
    }
}

impl<W: Write> Write for ArchiveWriter<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if bytes.len() as u64 > self.missing {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "a file has more bytes than announced"));
        }
        let count = self.out.write(bytes)?;
        self.missing -= count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    #[test]
    fn another_reader_sees_what_was_written() {
        let mut archive = ArchiveWriter::new(Vec::new(), 5);
        archive.directory("blobs").unwrap();
        archive.file("blobs/empty", 0).unwrap();
        archive.file("blobs/some", 3).unwrap();
        archive.write_all(b"abc").unwrap();
        let bytes = archive.finish().unwrap();
        assert_eq!(bytes.len() % 512, 0);
        let mut reader = tar::Archive::new(&*bytes);
        let entries = reader.entries().unwrap().map(|entry| {
            let mut entry = entry.unwrap();
            let mut content = String::new();
            entry.read_to_string(&mut content).unwrap();
            assert_eq!((entry.header().mtime().unwrap(), entry.header().uid().unwrap()), (5, 0));
            (entry.path().unwrap().display().to_string(), content)
        });
        let entries: Vec<(String, String)> = entries.collect();
        let expected = [("blobs/", ""), ("blobs/empty", ""), ("blobs/some", "abc")];
        assert_eq!(entries, expected.map(|(path, content)| (path.to_owned(), content.to_owned())));
    }

    #[test]
    fn a_file_has_the_length_that_was_announced() {
        let mut archive = ArchiveWriter::new(Vec::new(), 0);
        archive.file("a", 2).unwrap();
        assert!(archive.write_all(b"abc").is_err());
        archive.write_all(b"a").unwrap();
        assert!(archive.file("b", 0).is_err());
    }
}
