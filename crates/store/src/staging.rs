use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use fs_err::File;

use crate::StoreError;
use crate::lock_file::OwnedLock;
use crate::remove::remove_tree;
use crate::stage::{Kind, Observer, Stage};

/// The folder in which one open store writes what has no final name yet.
///
/// `staging/<n>/` belongs to whoever holds `staging/<n>.lock`. The lock is there before the folder and goes after
/// it, so a folder without a held lock belongs to a dead process.
#[derive(Debug)]
pub(crate) struct StagingArea {
    parent: PathBuf,
    observer: Observer,
    own: Mutex<Option<OwnFolder>>,
    counter: AtomicU64,
}

#[derive(Debug)]
struct OwnFolder {
    path: PathBuf,
    _lock: OwnedLock,
}

impl StagingArea {
    /// An area below `parent` that makes nothing until it is used.
    pub(crate) fn new(parent: PathBuf, observer: Observer) -> Self {
        Self { parent, observer, own: Mutex::new(None), counter: AtomicU64::new(0) }
    }

    /// A new empty file.
    pub(crate) fn file(&self, kind: Kind) -> Result<StagedFile, StoreError> {
        let path = self.next_path()?;
        let file = File::create_new(&path).map_err(StoreError::writing(&path))?;
        Ok(StagedFile { kind, file, path, length: 0, observer: self.observer.clone() })
    }

    /// A new empty file without a name, to be read and written; it is gone when it is closed.
    pub(crate) fn unnamed(&self) -> Result<File, StoreError> {
        let path = self.next_path()?;
        let mut options = fs_err::OpenOptions::new();
        let file = options.read(true).write(true).create_new(true).open(&path);
        let file = file.map_err(StoreError::writing(&path))?;
        fs_err::remove_file(&path).map_err(StoreError::writing(&path))?;
        Ok(file)
    }

    /// A new empty directory.
    pub(crate) fn directory(&self) -> Result<StagedDirectory, StoreError> {
        let directory = self.scratch()?;
        self.observer.see(Stage::Writing(Kind::Root));
        Ok(directory)
    }

    /// A new empty directory that will never have a final name.
    pub(crate) fn scratch(&self) -> Result<StagedDirectory, StoreError> {
        let path = self.next_path()?;
        fs_err::create_dir(&path).map_err(StoreError::writing(&path))?;
        Ok(StagedDirectory { path, observer: self.observer.clone() })
    }

    /// Removes what dead processes left behind; gives back the folders that could not be removed whole.
    pub(crate) fn sweep(&self) -> Result<Vec<PathBuf>, StoreError> {
        let mut left = Vec::new();
        let entries = match fs_err::read_dir(&self.parent) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(left),
            entries => entries.map_err(StoreError::reading(&self.parent))?,
        };
        for entry in entries {
            let path = entry.map_err(StoreError::reading(&self.parent))?.path();
            let folder = path.with_extension("");
            let lock = lock_of(&folder);
            let taken = OwnedLock::try_acquire(&lock).map_err(StoreError::writing(&lock))?;
            let is_gone = || remove_tree(&folder).is_ok_and(|left| left.is_empty());
            if taken.is_some() && !is_gone() {
                left.push(folder);
            }
        }
        Ok(left)
    }

    fn next_path(&self) -> Result<PathBuf, StoreError> {
        let mut own = self.own.lock().unwrap_or_else(PoisonError::into_inner);
        let folder = match own.take() {
            Some(folder) => own.insert(folder),
            None => own.insert(OwnFolder::make(&self.parent)?),
        };
        Ok(folder.path.join(self.counter.fetch_add(1, Ordering::Relaxed).to_string()))
    }
}

impl OwnFolder {
    fn make(parent: &Path) -> Result<Self, StoreError> {
        fs_err::create_dir_all(parent).map_err(StoreError::writing(parent))?;
        let mut number = u64::from(std::process::id()) << 16;
        loop {
            let path = parent.join(number.to_string());
            let lock = lock_of(&path);
            if let Some(lock) = OwnedLock::try_acquire(&lock).map_err(StoreError::writing(&lock))? {
                match fs_err::create_dir(&path) {
                    Ok(()) => return Ok(Self { path, _lock: lock }),
                    Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                    Err(error) => return Err(StoreError::writing(&path)(error)),
                }
            }
            number += 1;
        }
    }
}

impl Drop for OwnFolder {
    fn drop(&mut self) {
        // Whatever stays is swept when a store is opened next.
        drop(remove_tree(&self.path));
    }
}

/// A file that has no final name yet and goes away unless it gets one.
#[derive(Debug)]
pub(crate) struct StagedFile {
    kind: Kind,
    file: File,
    path: PathBuf,
    length: u64,
    observer: Observer,
}

impl StagedFile {
    /// Bytes written so far.
    pub(crate) fn length(&self) -> u64 {
        self.length
    }

    /// Another handle on the file, to read what was written so far.
    pub(crate) fn reader(&self) -> Result<File, StoreError> {
        File::open(&self.path).map_err(StoreError::reading(&self.path))
    }

    /// Gives the file its final name, replacing what has it.
    pub(crate) fn publish(self, target: &Path) -> Result<(), StoreError> {
        self.observer.see(Stage::Written(self.kind));
        self.file.sync_data().map_err(StoreError::writing(&self.path))?;
        self.observer.see(Stage::Synced(self.kind));
        rename(&self.path, target)?;
        self.observer.see(Stage::Renamed(self.kind));
        Ok(())
    }
}

impl Write for StagedFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count =
            self.file.write(bytes).map_err(|error| StoreError::writing(&self.path)(error).into_io())?;
        if self.length == 0 {
            self.observer.see(Stage::Writing(self.kind));
        }
        self.length += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Drop for StagedFile {
    fn drop(&mut self) {
        // After `publish` there is nothing at this path any more; names are never used twice.
        drop(fs_err::remove_file(&self.path));
    }
}

/// A directory that has no final name yet and goes away unless it gets one.
#[derive(Debug)]
pub(crate) struct StagedDirectory {
    path: PathBuf,
    observer: Observer,
}

impl StagedDirectory {
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Gives the directory its final name, unless that is taken by a directory that `is_whole`.
    ///
    /// What is there may be in use, and is the same by its id; so the second gives way.
    pub(crate) fn publish(self, target: &Path, is_whole: impl Fn(&Path) -> bool) -> Result<(), StoreError> {
        self.observer.see(Stage::Written(Kind::Root));
        if is_whole(target) {
            return Ok(());
        }
        // One call for the whole tree: a call for each file costs milliseconds each.
        let folder = File::open(&self.path).map_err(StoreError::reading(&self.path))?;
        rustix::fs::syncfs(folder.file()).map_err(|error| StoreError::writing(&self.path)(error.into()))?;
        self.observer.see(Stage::Synced(Kind::Root));
        if exists(target) && !is_whole(target) {
            rename(target, &self.path.with_extension("old"))?;
        }
        match rename(&self.path, target) {
            // Another process was faster.
            Err(_) if is_whole(target) => {}
            result => result?,
        }
        self.observer.see(Stage::Renamed(Kind::Root));
        Ok(())
    }
}

impl Drop for StagedDirectory {
    fn drop(&mut self) {
        drop(remove_tree(&self.path));
        drop(remove_tree(&self.path.with_extension("old")));
    }
}

fn lock_of(folder: &Path) -> PathBuf {
    folder.with_extension("lock")
}

fn exists(path: &Path) -> bool {
    fs_err::symlink_metadata(path).is_ok()
}

fn rename(from: &Path, to: &Path) -> Result<(), StoreError> {
    match fs_err::rename(from, to) {
        // The folders are made with the store, but a store may come out of an archive that drops empty ones.
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            if let Some(parent) = to.parent() {
                fs_err::create_dir_all(parent).map_err(StoreError::writing(parent))?;
            }
            fs_err::rename(from, to).map_err(StoreError::writing(to))
        }
        result => result.map_err(StoreError::writing(to)),
    }
}
