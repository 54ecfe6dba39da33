//! The layers of a base that is on this machine, and so in no registry: sent from where they are, or kept in the store.

use std::io::{self, Read};
use std::sync::Arc;

use imagewright_lock::{BaseImage, BaseOrigin, LocalImageError, LockError, OpenedImage};
use imagewright_oci::{Descriptor, Digest};
use imagewright_registry::BlobSource;
use imagewright_store::{Store, StoreError};

use crate::BuildError;
use crate::blocking::blocking;
use crate::native::Machine;
use crate::progress::Progress;

/// A layer of an image on this machine.
pub(crate) struct LocalLayer<'a> {
    pub(crate) image: Arc<OpenedImage>,
    pub(crate) layer: &'a Descriptor,
    pub(crate) progress: Progress,
}

impl BlobSource for LocalLayer<'_> {
    fn digest(&self) -> Digest {
        self.layer.digest
    }

    fn size(&self) -> u64 {
        self.layer.size
    }

    fn open(&self) -> io::Result<Box<dyn Read + Send>> {
        let reader = self.image.layer(self.layer.digest).map_err(io::Error::other)?;
        let subject = format!("layer of {} to the registry", self.image.image);
        Ok(Box::new(self.progress.counted(reader, subject, self.layer.size)))
    }
}

impl Machine {
    /// Keeps the layers of a base that is on this machine: an image that is not pushed has them nowhere else.
    pub(crate) async fn keep_local_base(&self, base: &BaseImage) -> Result<(), BuildError> {
        let Some(BaseOrigin::Local(image)) = &base.origin else { return Ok(()) };
        for layer in &base.layers {
            let (store, image, digest) = (self.store.clone(), Arc::clone(image), layer.descriptor.digest);
            blocking(move || keep(&store, &image, digest)).await?;
        }
        Ok(())
    }
}

fn keep(store: &Store, image: &OpenedImage, digest: Digest) -> Result<(), BuildError> {
    if store.blob(&digest)?.is_some() {
        return Ok(());
    }
    let mut reader = image.layer(digest).map_err(|source| unusable(image, source))?;
    let mut staging = store.begin_blob()?;
    io::copy(&mut reader, &mut staging).map_err(|error| {
        let other = |source| StoreError::Source { name: image.image.to_string(), source };
        unread(image, error).unwrap_or_else(|error| StoreError::from_write(error, other).into())
    })?;
    staging.commit(Some(digest))?;
    Ok(())
}

/// What an error means that came up from an image on this machine; another one is given back.
pub(crate) fn unread(image: &OpenedImage, error: io::Error) -> Result<BuildError, io::Error> {
    error.downcast::<LocalImageError>().map(|source| unusable(image, source))
}

fn unusable(image: &OpenedImage, source: LocalImageError) -> BuildError {
    LockError::LocalBase { image: image.image.clone(), source }.into()
}
