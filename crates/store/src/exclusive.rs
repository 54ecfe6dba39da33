use std::sync::PoisonError;

use crate::store::{Inner, lock_exclusive, lock_shared};
use crate::{Store, StoreError};

impl Store {
    /// Runs `work` while no other process uses the store.
    ///
    /// The shared lock is given up first: two processes that both hold it would wait for each other for ever.
    pub(crate) fn exclusively<T>(
        &self,
        work: impl FnOnce() -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let Inner { lock, options, maintenance, .. } = &*self.inner;
        self.inner.writable()?;
        let _one_thread = maintenance.lock().unwrap_or_else(PoisonError::into_inner);
        lock.unlock().map_err(StoreError::reading(lock.path()))?;
        let result = lock_exclusive(lock, options.wait).and_then(|()| work());
        let shared = lock_shared(lock, options.wait);
        result.and_then(|value| shared.map(|()| value))
    }
}
