use std::io;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use imagewright_oci::Digest;

use crate::lock_file::{OwnedLock, poll};
use crate::{Store, StoreError};

/// The right to make what a key gives, exclusive among all threads and processes that use the store.
///
/// It ends when it is dropped, or with its process. Whoever gets it looks again whether the thing is there now:
/// the one before may have made it.
#[derive(Debug)]
pub struct Lease {
    waited: Duration,
    _lock: OwnedLock,
}

/// Says to a blocking thread that the future which waits for it is gone: it is dropped with that future.
#[derive(Debug, Default)]
pub struct Abandoned(Arc<AtomicBool>);

/// What a blocking thread sees of an [`Abandoned`].
#[derive(Clone, Debug)]
pub struct Flag(Arc<AtomicBool>);

impl Abandoned {
    /// The thread's side.
    pub fn flag(&self) -> Flag {
        Flag(Arc::clone(&self.0))
    }
}

impl Drop for Abandoned {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Flag {
    /// Whether nobody waits any more.
    pub fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// For [`Store::lease`]: the wait goes on as long as somebody waits for it.
    pub fn patience(&self) -> ControlFlow<()> {
        if self.is_set() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
}

impl Store {
    /// Waits until nobody else has the lease of `key`, then takes it.
    ///
    /// `key` is any digest: a layer's key, an artifact's digest, a root's id. `waiting` is called every few
    /// milliseconds with the time waited so far; when it breaks, the wait ends with [`StoreError::Cancelled`].
    /// This is where a limit, a message to the user and Ctrl-C come in.
    pub fn lease(
        &self,
        key: &Digest,
        waiting: &mut dyn FnMut(Duration) -> ControlFlow<()>,
    ) -> Result<Lease, StoreError> {
        self.inner.writable()?;
        let path = self.inner.layout.lease(key);
        let (lock, waited) = poll(&path, waiting, || self.try_lock(key))?;
        Ok(Lease { waited, _lock: lock })
    }

    /// Takes the lease of `key` if nobody else has it.
    pub fn try_lease(&self, key: &Digest) -> Result<Option<Lease>, StoreError> {
        self.inner.writable()?;
        Ok(self.try_lock(key)?.map(|lock| Lease { waited: Duration::ZERO, _lock: lock }))
    }

    fn try_lock(&self, key: &Digest) -> Result<Option<OwnedLock>, StoreError> {
        let path = self.inner.layout.lease(key);
        match OwnedLock::try_acquire(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let folder = self.inner.layout.leases();
                fs_err::create_dir_all(&folder).map_err(StoreError::writing(&folder))?;
                OwnedLock::try_acquire(&path).map_err(StoreError::writing(&path))
            }
            result => result.map_err(StoreError::writing(&path)),
        }
    }
}

impl Lease {
    /// How long someone else had it; zero when nobody did.
    pub fn waited(&self) -> Duration {
        self.waited
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_ends_with_the_one_who_waits() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("store"), 1).unwrap();
        let key = Digest::of(b"key");
        let _held = store.try_lease(&key).unwrap().unwrap();
        let abandoned = Abandoned::default();
        let flag = abandoned.flag();
        let waiting = std::thread::spawn({
            let store = store.clone();
            move || store.lease(&key, &mut |_| flag.patience())
        });
        std::thread::sleep(Duration::from_millis(50));
        assert!(!waiting.is_finished());
        drop(abandoned);
        assert!(matches!(waiting.join().unwrap(), Err(StoreError::Cancelled { .. })));
    }
}
