use std::collections::BTreeMap;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use crate::tar::TarReader;
use crate::{LayerEntryKind, LayerError};

/// Where the content of a file is in an archive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ArchivedFile {
    /// Of its first byte.
    pub offset: u64,
    /// In bytes.
    pub size: u64,
}

/// The files of a plain tar archive, by their paths; links to files are among them. Reads all of the archive, so that
/// one that was cut is refused.
pub fn archive_files(archive: impl Read) -> Result<BTreeMap<PathBuf, ArchivedFile>, LayerError> {
    let unreadable = |source| LayerError::ImageArchive { source };
    let mut archive = TarReader::new(Counted { input: archive, position: 0 });
    let (mut files, mut links) = (BTreeMap::new(), Vec::new());
    while let Some(raw) = archive.next().map_err(unreadable)? {
        let entry = crate::read_layer::describe(raw)?;
        match entry.kind {
            LayerEntryKind::File { size } => {
                files.insert(entry.path, ArchivedFile { offset: archive.input().position, size });
            }
            LayerEntryKind::Hardlink { target } => links.push((entry.path, target)),
            // `docker save` writes a layer once, and links to it from the other images.
            LayerEntryKind::Symlink { target } => {
                let target = beside(&entry.path, &target);
                links.push((entry.path, target));
            }
            _ => {}
        }
    }
    for (path, target) in links {
        if let Some(file) = files.get(&target).copied() {
            files.insert(path, file);
        }
    }
    Ok(files)
}

/// What a symbolic link at `path` leads to.
fn beside(path: &Path, target: &Path) -> PathBuf {
    let mut found = path.parent().unwrap_or(Path::new("")).to_owned();
    for part in target.components() {
        match part {
            std::path::Component::ParentDir => {
                found.pop();
            }
            std::path::Component::Normal(name) => found.push(name),
            _ => {}
        }
    }
    found
}

struct Counted<R> {
    input: R,
    position: u64,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.input.read(buffer)?;
        self.position += count as u64;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;
    use crate::ArchiveWriter;

    #[test]
    fn files_are_where_they_are_and_links_lead_to_them() {
        let mut archive = ArchiveWriter::new(Vec::new(), 0);
        archive.directory("one").unwrap();
        for (path, content) in [("one/layer.tar", &b"first"[..]), ("two.json", b"second")] {
            archive.file(path, content.len() as u64).unwrap();
            archive.write_all(content).unwrap();
        }
        let mut builder = tar::Builder::new(archive.finish().unwrap());
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(tar::EntryType::Symlink);
        header.set_size(0);
        // Behind the end of the first archive: a new one, which begins with the link.
        builder.append_link(&mut header, "three/layer.tar", "../one/layer.tar").unwrap();
        let both = builder.into_inner().unwrap();
        let first = both.len() - 1536;
        let plain = [&both[..first - 1024], &both[first..]].concat();
        let files = archive_files(&*plain).unwrap();
        let content = |path: &str| {
            let ArchivedFile { offset, size } = files[Path::new(path)];
            &plain[usize::try_from(offset).unwrap()..][..usize::try_from(size).unwrap()]
        };
        assert_eq!(content("one/layer.tar"), b"first");
        assert_eq!(content("three/layer.tar"), b"first");
        assert_eq!(content("two.json"), b"second");
        assert_eq!(files.len(), 3);
        for cut in [700, 1100, 1540] {
            assert!(archive_files(&plain[..cut]).is_err(), "{cut}");
        }
    }
}
