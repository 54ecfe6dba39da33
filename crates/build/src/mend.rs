//! What is damaged in the store goes as soon as it is found, so that it is made or fetched again.

use std::path::PathBuf;

use imagewright_oci::Digest;
use imagewright_sandbox::Sandbox;
use imagewright_store::{Condition, Store};

use crate::BuildError;
use crate::blocking::blocking;
use crate::event::Reporter;
use crate::found::FoundImage;
use crate::layer_bytes::layer_title;
use crate::native::Machine;

/// Tells of a damaged thing; `remedy` is what happens to it now.
pub(crate) fn warn_of_damage(reporter: &Reporter, subject: &str, remedy: &str) {
    let hint = "if this comes back, look at the disk; `imagewright cache check --deep` reads the whole store";
    reporter.warn(format!("{subject} is damaged in the store, and is {remedy}"), Some(hint.to_owned()));
}

/// Looks at a blob that could not be used; whether it is gone now, so that it is worth to try again.
pub(crate) async fn discard_damaged(
    store: &Store,
    reporter: &Reporter,
    digest: Digest,
    title: &str,
) -> Result<bool, BuildError> {
    let store = store.clone();
    match blocking(move || Ok(store.discard_damaged_blob(&digest)?)).await? {
        Condition::Sound => Ok(false),
        // Somebody else has met the same damage.
        Condition::Absent => Ok(true),
        Condition::Discarded { artifacts } => {
            for file_name in &artifacts {
                warn_of_damage(reporter, file_name, "fetched again");
            }
            warn_of_damage(reporter, title, "made or fetched again");
            Ok(true)
        }
    }
}

impl Machine {
    /// An image with its layers unpacked, lowest first.
    ///
    /// Where layers turn out to be damaged in the store, they go, and `find` is asked once more for the image: it
    /// builds what is not there now, and the layers that others have made are fetched again.
    pub async fn unpacked<E: From<BuildError>>(
        &self,
        sandbox: &Sandbox,
        find: impl AsyncFn() -> Result<FoundImage, E>,
    ) -> Result<(FoundImage, Vec<PathBuf>), E> {
        let image = find().await?;
        let error = match self.unpack(sandbox, &image).await {
            Ok(roots) => return Ok((image, roots)),
            Err(error) => error,
        };
        let damaged = match &error {
            BuildError::Sandbox(_) | BuildError::Layer(_) => self.discard_damaged_layers(&image).await?,
            _ => Vec::new(),
        };
        if damaged.is_empty() {
            return Err(error.into());
        }
        let image = find().await?;
        let roots = self.unpack(sandbox, &image).await;
        let lost = |source| BuildError::NotMended { layers: damaged, source: Box::new(source) };
        Ok((image, roots.map_err(lost)?))
    }

    /// Looks at all layers of an image, because damage seldom comes alone; the titles of those that were damaged.
    async fn discard_damaged_layers(&self, image: &FoundImage) -> Result<Vec<String>, BuildError> {
        let mut damaged = Vec::new();
        for (layer, _) in image.layers() {
            // One that is not here was unpacked before, or is fetched anyway.
            let is_here = self.store.blob(&layer.digest)?.is_some();
            let title = layer_title(layer);
            if is_here && discard_damaged(&self.store, &self.reporter, layer.digest, &title).await? {
                damaged.push(title);
            }
        }
        Ok(damaged)
    }
}
