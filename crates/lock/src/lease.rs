use imagewright_oci::Digest;
use imagewright_store::{Abandoned, Lease, Store, StoreError};

/// Waits until nobody else has the lease of `key`. The wait ends with the future.
pub async fn lease(store: &Store, key: Digest) -> Result<Lease, StoreError> {
    let (store, abandoned) = (store.clone(), Abandoned::default());
    let flag = abandoned.flag();
    let leasing = tokio::task::spawn_blocking(move || store.lease(&key, &mut |_| flag.patience()));
    leasing.await.expect("waiting for a lease does not panic")
}
