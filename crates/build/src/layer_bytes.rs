//! The compressed bytes of a layer: in the store, else fetched into it from a registry that has them.

use std::io::Write as _;

use imagewright_oci::{Descriptor, ImageReference};
use imagewright_store::{BlobReader, BlobStaging, StoreError};

use crate::BuildError;
use crate::blocking::blocking;
use crate::event::Stage;
use crate::image::LAYER_TITLE;
use crate::native::Machine;
use crate::progress::Progress;
use imagewright_lock::lease;

impl Machine {
    /// The bytes of a layer, from the store or the first of `repositories` that has it. Two processes that need the
    /// same share one download.
    pub(crate) async fn layer_bytes(
        &self,
        repositories: &[ImageReference],
        layer: &Descriptor,
    ) -> Result<BlobReader, BuildError> {
        if let Some(blob) = self.store.blob(&layer.digest)? {
            return Ok(blob);
        }
        let _lease = lease(&self.store, layer.digest).await?;
        if let Some(blob) = self.store.blob(&layer.digest)? {
            return Ok(blob);
        }
        self.reporter.started(Stage::Download, layer_title(layer));
        let mut first = None;
        for repository in repositories {
            match self.fetch_layer(repository, layer).await {
                Err(error @ BuildError::Registry(_)) => first = first.or(Some(error)),
                fetched => {
                    fetched?;
                    break;
                }
            }
        }
        match (self.store.blob(&layer.digest)?, first) {
            (Some(blob), _) => Ok(blob),
            (None, Some(error)) => Err(error),
            (None, None) => Err(BuildError::LayerLost { digest: layer.digest }),
        }
    }

    async fn fetch_layer(&self, repository: &ImageReference, layer: &Descriptor) -> Result<(), BuildError> {
        let mut stream = self.client.fetch_blob(repository, layer).await?;
        let mut staging = self.store.begin_blob()?;
        let subject = layer_title(layer);
        let progress = Progress::new(&self.reporter);
        let mut done = 0;
        while let Some(chunk) = stream.chunk().await? {
            write(&mut staging, &chunk, &subject)?;
            done += chunk.len() as u64;
            progress.at(&subject, done, Some(layer.size));
        }
        let digest = layer.digest;
        blocking(move || Ok(staging.commit(Some(digest)).map(drop)?)).await
    }
}

/// What a layer is called: what its maker says is in it, else its digest.
pub(crate) fn layer_title(layer: &Descriptor) -> String {
    match layer.annotations.get(LAYER_TITLE) {
        Some(title) => title.clone(),
        None => format!("layer {:.12}", layer.digest.hex()),
    }
}

fn write(staging: &mut BlobStaging, chunk: &[u8], name: &str) -> Result<(), StoreError> {
    let other = |source| StoreError::Source { name: name.to_owned(), source };
    staging.write_all(chunk).map_err(|error| StoreError::from_write(error, other))
}
