//! Where a base is read from: the store, when it was made here, else the repositories that may have it.

use std::io::Read;

use imagewright_oci::{Descriptor, Digest, ImageReference, Manifest};
use imagewright_registry::{Client, RegistryError};
use imagewright_store::Store;
use tokio::runtime::Handle;

use crate::LockError;

/// The places of one base.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BaseSource<'a> {
    pub(crate) client: &'a Client,
    pub(crate) store: &'a Store,
    /// What it is called.
    pub(crate) reference: &'a ImageReference,
    /// The repositories that may have it, the likeliest first.
    pub(crate) homes: &'a [ImageReference],
}

impl BaseSource<'_> {
    /// The manifest or index with this digest.
    pub(crate) async fn manifest(&self, digest: Digest) -> Result<Manifest, LockError> {
        let unread = |source| LockError::BaseManifest { reference: self.reference.clone(), source };
        if let Some(bytes) = self.stored(&digest)? {
            return Manifest::parse_untyped(&bytes).map_err(unread);
        }
        let pinned = self.reference.with_digest(digest);
        // A base that was never pushed is in no registry, whatever its name.
        if !self.homes.contains(self.reference) {
            return Err(LockError::NoBase { reference: pinned });
        }
        let found =
            self.client.get_manifest(&pinned).await.map_err(|source| LockError::registry(&pinned, source))?;
        let fetched = found.ok_or(LockError::NoBase { reference: pinned })?;
        Manifest::parse(&fetched.descriptor.media_type, &fetched.bytes).map_err(unread)
    }

    /// The bytes of the configuration.
    pub(crate) async fn config(&self, descriptor: &Descriptor) -> Result<Vec<u8>, LockError> {
        if let Some(bytes) = self.stored(&descriptor.digest)? {
            return Ok(bytes);
        }
        let fetched = self.client.fetch_bytes(self.reference, descriptor).await;
        Ok(fetched.map_err(|source| LockError::registry(self.reference, source))?.to_vec())
    }

    /// The compressed bytes of a layer.
    pub(crate) async fn layer(&self, descriptor: &Descriptor) -> Result<Box<dyn Read + Send>, LockError> {
        if let Some(blob) = self.store.blob(&descriptor.digest)? {
            return Ok(Box::new(blob.verified()));
        }
        let mut first: Option<(&ImageReference, RegistryError)> = None;
        for home in self.homes {
            match self.client.fetch_blob(home, descriptor).await {
                Ok(blob) => return Ok(Box::new(blob.into_reader(Handle::current()))),
                Err(error) => first = first.or(Some((home, error))),
            }
        }
        Err(match first {
            Some((home, source)) => LockError::registry(home, source),
            None => LockError::NoBase { reference: self.reference.clone() },
        })
    }

    /// A document of the store; one that is damaged is as good as none.
    fn stored(&self, digest: &Digest) -> Result<Option<Vec<u8>>, LockError> {
        let Some(blob) = self.store.blob(digest)? else { return Ok(None) };
        let mut bytes = Vec::new();
        Ok(blob.verified().read_to_end(&mut bytes).is_ok().then_some(bytes))
    }
}
