//! Work that blocks, on threads of its own.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use imagewright_oci::Digest;
use imagewright_store::{Lease, Store};

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
    let waiting = move || {
        let lease = store.lease(&key, &mut |_| {
            if flag.is_set() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        Ok(lease?)
    };
    blocking(waiting).await
}

/// Says to a blocking thread that the future which waits for it is gone.
#[derive(Debug, Default)]
pub(crate) struct Abandoned(Arc<AtomicBool>);

impl Abandoned {
    pub(crate) fn flag(&self) -> Flag {
        Flag(self.0.clone())
    }
}

impl Drop for Abandoned {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// What a blocking thread sees of an [`Abandoned`].
#[derive(Debug)]
pub(crate) struct Flag(Arc<AtomicBool>);

impl Flag {
    pub(crate) fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}
