//! Work that blocks, on threads of its own.

use imagewright_oci::Digest;
use imagewright_store::{Abandoned, Lease, Store};

use crate::BuildError;

/// Runs `work`, which reads, inflates and hashes, on a thread of its own.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, BuildError> + Send + 'static,
) -> Result<T, BuildError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(panic) => std::panic::resume_unwind(panic.into_panic()),
    }
}

/// Waits until nobody else makes what `key` gives. The wait ends with the future.
pub(crate) async fn lease(store: &Store, key: Digest) -> Result<Lease, BuildError> {
    let (store, abandoned) = (store.clone(), Abandoned::default());
    let flag = abandoned.flag();
    blocking(move || Ok(store.lease(&key, &mut |_| flag.patience())?)).await
}
