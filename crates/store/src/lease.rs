use std::io;
use std::ops::ControlFlow;
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
