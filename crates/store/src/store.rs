use std::collections::BTreeSet;
use std::fs::TryLockError;
use std::io;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use fs_err::File;
use imagewright_oci::Digest;

use crate::StoreError;
use crate::index::{Access, Index, UsedTable};
use crate::layout::{Layout, read_only};
use crate::lock_file::poll;
use crate::repair::{IndexRebuilt, open_or_rebuild};
use crate::stage::{Observer, Stage};
use crate::staging::{StagedDirectory, StagingArea};

/// A row is stamped as used again when its stamp is this old, in seconds: look-ups must not write.
const USE_GRANULARITY: u64 = 24 * 60 * 60;

/// A directory for files that nothing needs later.
#[derive(Debug)]
pub struct ScratchDirectory(StagedDirectory);

impl ScratchDirectory {
    /// Where it is.
    pub fn path(&self) -> &Path {
        self.0.path()
    }
}

/// An open store; clones share everything, and any thread may use them.
///
/// While one exists, no other process prunes or repairs the store.
#[derive(Clone, Debug)]
pub struct Store {
    pub(crate) inner: Arc<Inner>,
}

/// How a store is opened.
#[derive(Clone, Debug)]
pub struct Options {
    /// The time, in seconds since 1970, that everything used and made through this store is stamped with.
    pub now: u64,
    /// How long to wait for a process that prunes the store.
    pub wait: Duration,
    /// Is told of every step of every write; see [`Stage`].
    pub observer: Observer,
}

#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) layout: Layout,
    pub(crate) index: Index,
    /// Whether the index that was there had to be replaced.
    pub(crate) index_rebuilt: Option<IndexRebuilt>,
    pub(crate) staging: StagingArea,
    pub(crate) access: Access,
    pub(crate) options: Options,
    pub(crate) lock: File,
    /// Held by the one thread that prunes or checks.
    pub(crate) maintenance: Mutex<()>,
    uses: Mutex<BTreeSet<(UsedTable, Digest)>>,
}

impl Options {
    /// Waits for at most two minutes, and tells nobody.
    pub fn new(now: u64) -> Self {
        Self { now, wait: Duration::from_mins(2), observer: Observer::default() }
    }
}

impl Store {
    /// Opens the store at `root`, and makes it if there is nothing; `now` is in seconds since 1970.
    pub fn open(root: &Path, now: u64) -> Result<Self, StoreError> {
        Self::open_with(root, Options::new(now))
    }

    /// Removes what killed processes staged in the store at `root`, as opening it does: for helpers that outlive them.
    pub fn sweep(root: &Path) -> Result<(), StoreError> {
        let staging = StagingArea::new(Layout::open(root)?.staging(), Observer::default());
        staging.sweep().map(drop)
    }

    /// How many there are of this store, this one and all its clones: work that was dropped may still have some.
    pub fn clones(&self) -> usize {
        Arc::strong_count(&self.inner)
    }

    /// Opens the store at `root` with `options`.
    ///
    /// A store that may not be written can be opened; everything that would change it is
    /// [`StoreError::ReadOnly`]. An index that is no database any more is replaced; see [`Self::index_rebuilt`].
    pub fn open_with(root: &Path, options: Options) -> Result<Self, StoreError> {
        let layout = Layout::open(root)?;
        let (lock, access) = open_lock(&layout.lock())?;
        lock_shared(&lock, options.wait)?;
        let (index, index_rebuilt) = open_index(&layout, access, &lock, &options)?;
        let staging = StagingArea::new(layout.staging(), options.observer.clone());
        if access == Access::ReadWrite {
            // What cannot be removed now (files of another user) is in nobody's way; `prune` reports it.
            drop(staging.sweep()?);
        }
        let uses = Mutex::new(BTreeSet::new());
        let maintenance = Mutex::new(());
        Ok(Self {
            inner: Arc::new(Inner {
                layout,
                index,
                index_rebuilt,
                staging,
                access,
                options,
                lock,
                maintenance,
                uses,
            }),
        })
    }

    /// The store's directory.
    pub fn directory(&self) -> &Path {
        self.inner.layout.root()
    }

    /// An empty file without a name on the store's file system, for what would take too much memory. It is gone
    /// when it is closed.
    pub fn scratch_file(&self) -> Result<fs_err::File, StoreError> {
        self.inner.writable()?;
        self.inner.staging.unnamed()
    }

    /// An empty directory in the store that goes with the returned value, or with the next start after a crash.
    pub fn scratch_directory(&self) -> Result<ScratchDirectory, StoreError> {
        self.inner.writable()?;
        self.inner.staging.scratch().map(ScratchDirectory)
    }

    /// Whether everything that would change the store is refused.
    pub fn is_read_only(&self) -> bool {
        self.inner.access == Access::ReadOnly
    }

    /// The time the store was opened with, in seconds since 1970.
    pub fn now(&self) -> u64 {
        self.inner.options.now
    }
}

impl Inner {
    /// Refuses early what would need to write into a store that cannot be written.
    pub(crate) fn writable(&self) -> Result<(), StoreError> {
        match self.access {
            Access::ReadWrite => Ok(()),
            Access::ReadOnly => Err(read_only(self.layout.root(), None)),
        }
    }

    pub(crate) fn see(&self, stage: Stage) {
        self.options.observer.see(stage);
    }

    /// Remembers that a row, last stamped at `used`, was used.
    pub(crate) fn note_use(&self, table: UsedTable, key: &Digest, used: u64) {
        if used.saturating_add(USE_GRANULARITY) <= self.options.now {
            self.uses.lock().unwrap_or_else(PoisonError::into_inner).insert((table, *key));
        }
    }

    /// Writes down what was looked up through this store since it was opened.
    ///
    /// Happens by itself when the last clone goes away. Until then look-ups do not write, and a row that was
    /// stamped within the last day is not stamped again.
    pub(crate) fn record_uses(&self) -> Result<(), StoreError> {
        let uses = std::mem::take(&mut *self.uses.lock().unwrap_or_else(PoisonError::into_inner));
        if uses.is_empty() || self.access == Access::ReadOnly {
            return Ok(());
        }
        self.index.stamp(&uses, self.options.now)
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        // A use that is not written down makes pruning a little less exact, and nothing else.
        drop(self.record_uses());
    }
}

/// Opens the lock file for writing, or else for reading, which tells whether the store can be written.
fn open_lock(path: &Path) -> Result<(File, Access), StoreError> {
    let for_writing = File::options().read(true).write(true).create(true).truncate(false).open(path);
    match for_writing {
        Ok(file) => Ok((file, Access::ReadWrite)),
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied
            ) =>
        {
            let file = File::open(path).map_err(|_| StoreError::writing(path)(error))?;
            Ok((file, Access::ReadOnly))
        }
        Err(error) => Err(StoreError::writing(path)(error)),
    }
}

fn open_index(
    layout: &Layout,
    access: Access,
    lock: &File,
    options: &Options,
) -> Result<(Index, Option<IndexRebuilt>), StoreError> {
    let is_new = !fs_err::metadata(layout.index()).is_ok_and(|metadata| metadata.len() > 0);
    // SQLite does not wait for another process that sets the journal mode of a new database.
    let alone = if is_new && access == Access::ReadWrite { Some(layout.making()?) } else { None };
    let result = Index::open(&layout.index(), access);
    drop(alone);
    match result {
        Err(StoreError::IndexDamaged { .. }) => rebuild(layout, access, lock, options),
        result => Ok((result?, None)),
    }
}

/// Replaces a damaged index while nobody else uses the store.
fn rebuild(
    layout: &Layout,
    access: Access,
    lock: &File,
    options: &Options,
) -> Result<(Index, Option<IndexRebuilt>), StoreError> {
    lock.unlock().map_err(StoreError::reading(lock.path()))?;
    lock_exclusive(lock, options.wait)?;
    let rebuilt = open_or_rebuild(layout, access, options.now)?;
    lock_shared(lock, options.wait)?;
    Ok(rebuilt)
}

/// Takes the lock that every user of the store shares and that pruning excludes.
pub(crate) fn lock_shared(lock: &File, wait: Duration) -> Result<(), StoreError> {
    wait_for(lock, wait, File::try_lock_shared)
}

/// Takes the lock that excludes every other user of the store.
pub(crate) fn lock_exclusive(lock: &File, wait: Duration) -> Result<(), StoreError> {
    wait_for(lock, wait, File::try_lock)
}

fn wait_for(
    lock: &File,
    wait: Duration,
    attempt: impl Fn(&File) -> Result<(), TryLockError>,
) -> Result<(), StoreError> {
    let mut limit = |waited: Duration| {
        if waited < wait { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    };
    let attempt = || match attempt(lock) {
        Ok(()) => Ok(Some(())),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(StoreError::reading(lock.path())(error)),
    };
    match poll(lock.path(), &mut limit, attempt) {
        Err(StoreError::Cancelled { path }) => Err(StoreError::Busy { path, waited: wait }),
        result => result.map(drop),
    }
}
