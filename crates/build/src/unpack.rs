//! Layers as directories: each unpacked into the store once, and shared by all images that have it.

use std::io::{self, Read};
use std::path::PathBuf;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use imagewright_layer::tar_stream;
use imagewright_oci::{Descriptor, DiffId, Digest, ImageReference, MediaType};
use imagewright_sandbox::{Layer, Sandbox};
use imagewright_store::{Abandoned, BlobReader, Flag, Store};

use crate::BuildError;
use crate::blocking::blocking;
use crate::event::Stage;
use crate::found::FoundImage;
use crate::layer_bytes::layer_title;
use crate::native::Machine;
use crate::progress::{Counted, Progress};
use imagewright_lock::lease;

/// How many layers are unpacked at once: each has a process that writes and a thread that inflates.
const AT_ONCE: usize = 3;

impl Machine {
    /// Unpacks the layers of an image, as far as they are not yet, and gives back where they are, lowest first.
    ///
    /// No other process removes them as long as the store is open.
    pub(crate) async fn unpack(
        &self,
        sandbox: &Sandbox,
        image: &FoundImage,
    ) -> Result<Vec<PathBuf>, BuildError> {
        let layers = image.layers().map(|(layer, diff_id)| (layer.clone(), diff_id)).collect();
        self.unpack_layers(sandbox, layers, |layer| image.repositories_with(layer)).await
    }

    /// The same for layers that are no image yet; `repositories` says where one may be that the store does not have.
    pub(crate) async fn unpack_layers(
        &self,
        sandbox: &Sandbox,
        layers: Vec<(Descriptor, DiffId)>,
        repositories: impl Fn(&Descriptor) -> Vec<ImageReference>,
    ) -> Result<Vec<PathBuf>, BuildError> {
        stream::iter(layers)
            .map(|(layer, diff_id)| {
                let repositories = repositories(&layer);
                async move { self.root(sandbox, &repositories, &layer, diff_id).await }
            })
            .buffered(AT_ONCE)
            .try_collect()
            .await
    }

    async fn root(
        &self,
        sandbox: &Sandbox,
        repositories: &[ImageReference],
        layer: &Descriptor,
        diff_id: DiffId,
    ) -> Result<PathBuf, BuildError> {
        let id = sandbox.root_id(diff_id);
        if let Some(root) = self.store.root(&id)? {
            return Ok(root);
        }
        let _lease = lease(&self.store, id).await?;
        if let Some(root) = self.store.root(&id)? {
            return Ok(root);
        }
        let blob = self.layer_bytes(repositories, layer).await?;
        let subject = layer_title(layer);
        self.reporter.started(Stage::Unpack, &subject);
        let abandoned = Abandoned::default();
        let total = blob.size();
        let bytes = Progress::new(&self.reporter).counted(blob, subject, total);
        let bytes = Watched { bytes, abandoned: abandoned.flag() };
        let unpacking = Unpacking {
            store: self.store.clone(),
            sandbox: sandbox.clone(),
            id,
            diff_id,
            media_type: layer.media_type.clone(),
        };
        blocking(move || unpacking.unpack(bytes)).await
    }
}

/// One layer that becomes a directory.
struct Unpacking {
    store: Store,
    sandbox: Sandbox,
    id: Digest,
    diff_id: DiffId,
    media_type: MediaType,
}

impl Unpacking {
    fn unpack(self, bytes: Watched) -> Result<PathBuf, BuildError> {
        let staging = self.store.begin_root(&self.id)?;
        let mut tar = tar_stream(bytes, &self.media_type)?;
        let layer = Layer { diff_id: self.diff_id, tar: &mut tar };
        if let Err(error) = self.sandbox.unpack(layer, staging.path()) {
            // Part of it may belong to subordinate ids, which only the sandbox may remove. The first error counts.
            drop(self.sandbox.remove(staging.path()));
            return Err(error.into());
        }
        Ok(staging.commit()?)
    }
}

/// A blob that tells how far it was read, and ends when nobody waits for it any more.
struct Watched {
    bytes: Counted<BlobReader>,
    abandoned: Flag,
}

impl Read for Watched {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.abandoned.is_set() {
            return Err(io::Error::other("the work was given up"));
        }
        self.bytes.read(buffer)
    }
}
