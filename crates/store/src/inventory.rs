use std::collections::BTreeSet;
use std::fs::Metadata;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use imagewright_oci::Digest;

use crate::index::with_suffix;
use crate::lock_file::OwnedLock;
use crate::{Store, StoreError};

/// How many things there are and how many bytes they take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// How many.
    pub count: u64,
    /// Bytes.
    pub bytes: u64,
}

/// What takes how much room in a store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Inputs.
    pub artifacts: Tally,
    /// Layers and other blobs; of those that are segments, what they take beside the artifacts.
    pub blobs: Tally,
    /// Unpacked root file systems, in allocated bytes.
    pub roots: Tally,
    /// Programs that imagewright installed for itself, in allocated bytes.
    pub tools: Tally,
    /// What other programs keep for themselves, such as uv's index pages.
    pub caches: Tally,
    /// The index, in bytes.
    pub index: u64,
    /// Files that belong to nothing any more.
    pub garbage: Tally,
}

/// A file or folder in one of the store's folders.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) path: PathBuf,
    pub(crate) name: String,
    pub(crate) bytes: u64,
}

impl Tally {
    /// Counts one more thing of this size.
    pub(crate) fn add(&mut self, bytes: u64) {
        self.count += 1;
        self.bytes += bytes;
    }
}

impl Usage {
    /// Everything together, in bytes.
    pub fn total(&self) -> u64 {
        let tallies = [self.artifacts, self.blobs, self.roots, self.tools, self.caches, self.garbage];
        tallies.iter().map(|tally| tally.bytes).sum::<u64>() + self.index
    }
}

impl Store {
    /// What takes how much room. Walks the unpacked roots, so it may take a while.
    pub fn usage(&self) -> Result<Usage, StoreError> {
        let layout = &self.inner.layout;
        let known = self.inner.index.known()?;
        let mut usage = Usage { index: index_bytes(&layout.index()), ..Usage::default() };
        for (folder, names, tally) in [
            (layout.artifacts(), &known.artifacts, &mut usage.artifacts),
            (layout.blobs(), &known.blobs, &mut usage.blobs),
            (layout.roots(), &known.roots, &mut usage.roots),
        ] {
            for entry in entries(&folder)? {
                if names.contains(&entry.name) {
                    tally.add(entry.bytes);
                } else {
                    usage.garbage.add(entry.bytes);
                }
            }
        }
        entries(&layout.tools())?.iter().for_each(|entry| usage.tools.add(entry.bytes));
        entries(&layout.caches())?.iter().for_each(|entry| usage.caches.add(entry.bytes));
        Ok(usage)
    }

    /// The folder for programs that imagewright installs for itself, such as uv; made by whoever installs one.
    ///
    /// Only the removal of everything removes them.
    pub fn tools(&self) -> PathBuf {
        self.inner.layout.tools()
    }

    /// A folder where another program keeps what would only cost time to get again: uv's index pages, what commands
    /// of a spec download. It is made if it is not there.
    ///
    /// Only the removal of everything removes them.
    pub fn cache(&self, name: &str) -> Result<PathBuf, StoreError> {
        let path = self.inner.layout.caches().join(name);
        fs_err::create_dir_all(&path).map_err(StoreError::writing(&path))?;
        Ok(path)
    }

    /// The keys that somebody has the lease of. The files of dead holders are removed on the way.
    pub(crate) fn leased(&self) -> Result<BTreeSet<Digest>, StoreError> {
        let mut leased = BTreeSet::new();
        for entry in entries(&self.inner.layout.leases())? {
            let held =
                OwnedLock::try_acquire(&entry.path).map_err(StoreError::writing(&entry.path))?.is_none();
            if held && let Ok(key) = Digest::from_hex(&entry.name) {
                leased.insert(key);
            }
        }
        Ok(leased)
    }
}

/// What is in one of the store's folders, by name.
pub(crate) fn entries(folder: &Path) -> Result<Vec<Entry>, StoreError> {
    let found = match fs_err::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        found => found.map_err(StoreError::reading(folder))?,
    };
    let mut entries = Vec::new();
    for entry in found {
        let entry = entry.map_err(StoreError::reading(folder))?;
        let path = entry.path();
        let name = entry.file_name().to_string_lossy().into_owned();
        // Another process may have removed it since.
        let bytes = fs_err::symlink_metadata(&path).map_or(0, |metadata| bytes_of(&path, &metadata));
        entries.push(Entry { path, name, bytes });
    }
    entries.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(entries)
}

/// The length of a file; of a folder, the allocated bytes of what can be seen of it.
fn bytes_of(path: &Path, metadata: &Metadata) -> u64 {
    if !metadata.is_dir() {
        return metadata.len();
    }
    let mut bytes = 0;
    let mut folders = vec![path.to_owned()];
    while let Some(folder) = folders.pop() {
        // Folders of another user's are not looked into; their size is only a number in a report.
        for entry in fs_err::read_dir(folder).into_iter().flatten().flatten() {
            if let Ok(metadata) = fs_err::symlink_metadata(entry.path()) {
                bytes += metadata.blocks() * 512;
                if metadata.is_dir() {
                    folders.push(entry.path());
                }
            }
        }
    }
    bytes
}

fn index_bytes(path: &Path) -> u64 {
    ["", "-wal", "-shm"]
        .iter()
        .filter_map(|suffix| fs_err::metadata(with_suffix(path, suffix)).ok())
        .map(|metadata| metadata.len())
        .sum()
}
