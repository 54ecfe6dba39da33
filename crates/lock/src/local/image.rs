use std::collections::BTreeMap;
use std::fmt;
use std::io::Read;
use std::path::Path;

use imagewright_oci::{Digest, ImageConfig, ImageManifest, Platform};
use imagewright_spec::{LocalFormat, LocalImage};
use serde::de::DeserializeOwned;

use super::error::LocalImageError;
use super::files::{Files, Verified};
use super::{docker, layout};

/// An image of one platform in a folder or archive. Cheap to clone but for its documents.
#[derive(Clone)]
pub struct OpenedImage {
    /// What it was opened by.
    pub image: LocalImage,
    /// The digest of its manifest; where it has none, of what it is translated to.
    pub digest: Digest,
    /// That manifest.
    pub manifest: ImageManifest,
    /// Its configuration.
    pub config: ImageConfig,
    files: Files,
    /// Where the layers are.
    names: BTreeMap<Digest, String>,
}

/// An image that may be meant.
pub(super) struct Candidate {
    /// What it is called, for people.
    pub(super) name: String,
    pub(super) digest: Digest,
    pub(super) manifest: ImageManifest,
    pub(super) config: ImageConfig,
    /// Where the layers are.
    pub(super) names: BTreeMap<Digest, String>,
}

impl OpenedImage {
    /// Finds the image for a platform, and reads its documents. It blocks.
    ///
    /// Its path is relative to `directory`. `pinned` is the digest that it must have; without one it must be the only one that may be meant.
    pub fn open(
        image: &LocalImage,
        directory: &Path,
        platform: &Platform,
        pinned: Option<Digest>,
    ) -> Result<Self, LocalImageError> {
        let path = directory.join(&image.path);
        let files = match image.format {
            LocalFormat::OciLayout => Files::Folder(path),
            LocalFormat::OciArchive | LocalFormat::DockerArchive => Files::archive(&path)?,
        };
        let candidates = match image.format {
            LocalFormat::DockerArchive => docker::candidates(&files, image)?,
            LocalFormat::OciLayout | LocalFormat::OciArchive => layout::candidates(&files, image)?,
        };
        let found: Vec<Platform> = candidates.iter().map(|it| it.config.platform.clone()).collect();
        let mut fitting: Vec<Candidate> =
            candidates.into_iter().filter(|it| platform.accepts(&it.config.platform)).collect();
        if let Some(digest) = pinned {
            fitting.retain(|it| it.digest == digest);
            if fitting.is_empty() {
                return Err(LocalImageError::Changed { digest });
            }
        }
        // One image may have several names.
        fitting.sort_by_key(|it| it.digest);
        fitting.dedup_by_key(|it| it.digest);
        if fitting.len() > 1 {
            return Err(LocalImageError::Several { found: fitting.into_iter().map(|it| it.name).collect() });
        }
        let platform = platform.clone();
        let chosen = fitting.pop().ok_or(LocalImageError::NoPlatform { platform, found })?;
        let Candidate { digest, manifest, config, names, .. } = chosen;
        let (layers, diff_ids) = (manifest.layers.len(), config.rootfs.diff_ids.len());
        if layers != diff_ids {
            return Err(LocalImageError::Layers { layers, diff_ids });
        }
        Ok(Self { image: image.clone(), digest, manifest, config, files, names })
    }

    /// The bytes of a layer. A reader that ends without an error gave the right ones; its errors are of this crate.
    pub fn layer(&self, digest: Digest) -> Result<Box<dyn Read + Send>, LocalImageError> {
        let name = self.names.get(&digest).expect("only layers of the image are asked for");
        let size = self.manifest.layers.iter().find(|it| it.digest == digest).map_or(0, |it| it.size);
        let (reader, _) = self.files.open(name)?;
        Ok(Box::new(Verified::new(reader, name.clone(), digest, size)))
    }
}

impl fmt::Debug for OpenedImage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenedImage")
            .field("image", &self.image)
            .field("digest", &self.digest)
            .finish_non_exhaustive()
    }
}

/// Reads a document.
pub(super) fn parse<T: DeserializeOwned>(name: &str, bytes: &[u8]) -> Result<T, LocalImageError> {
    serde_json::from_slice(bytes)
        .map_err(|source| LocalImageError::Document { name: name.to_owned(), source })
}
