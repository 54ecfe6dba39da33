use imagewright_oci::{DiffId, Digest, Platform};
use imagewright_plan::LayerKind;
use serde::Serialize;

use crate::event::LayerSource;
use crate::image::Image;

/// What a build did: the object that `build --json` prints.
#[derive(Clone, Debug, Serialize)]
pub struct BuildReport {
    /// The image's name.
    pub image: String,
    /// The names that it has besides.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub further_tags: Vec<String>,
    /// The digest of its manifest, or of its index; of an image that is in Docker alone, that of its configuration. The
    /// noop builder does not look for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
    /// Whether something was built.
    pub status: BuildStatus,
    /// For a stale image: the inputs that changed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub changed: Vec<String>,
    /// What the image is for.
    pub platforms: Vec<Platform>,
    /// Its layers, lowest first; empty when nothing was built here, and when there are several platforms.
    pub layers: Vec<LayerReport>,
    /// The image of each platform, when several were built: what its index lists.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<PartReport>,
    /// Where it went besides its registry.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub outputs: Vec<OutputReport>,
    /// Bytes of blobs sent to the registry.
    pub bytes_uploaded: u64,
    /// Bytes of blobs and artifacts received.
    pub bytes_downloaded: u64,
    /// Requests to registries.
    pub requests: u64,
    /// Wall time.
    pub seconds: f64,
}

impl BuildReport {
    /// The same for who asked for it again: what it took is told once.
    pub(crate) fn at_no_cost(&self) -> Self {
        Self { bytes_uploaded: 0, bytes_downloaded: 0, requests: 0, ..self.clone() }
    }
}

/// Whether something was built.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum BuildStatus {
    /// The image was not there.
    Built,
    /// It was there, from the same inputs.
    Exists,
    /// Its tag was there, from other inputs.
    StaleRebuilt,
    /// It is the base, by its name.
    Named,
}

/// The image of one platform.
#[derive(Clone, Debug, Serialize)]
pub struct PartReport {
    /// What it is for.
    pub platform: Platform,
    /// The digest of its manifest.
    pub digest: Digest,
    /// Its layers, lowest first.
    pub layers: Vec<LayerReport>,
}

impl PartReport {
    pub(crate) fn new(image: &Image, layers: Vec<LayerReport>) -> Self {
        let platform = image.descriptor.platform.clone().expect("an image is for a platform");
        Self { platform, digest: image.descriptor.digest, layers }
    }
}

/// A layer of an image that was built.
#[derive(Clone, Debug, Serialize)]
pub struct LayerReport {
    /// Its digest.
    pub digest: Digest,
    /// The digest of its tar stream.
    pub diff_id: DiffId,
    /// Compressed bytes.
    pub size: u64,
    /// What it is for; absent for the base's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<LayerKind>,
    /// The packages in it, as `name version`: distributions, or those of the system.
    pub packages: Vec<String>,
    /// Where it came from.
    pub source: LayerSource,
}

/// An image at a sink.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct OutputReport {
    /// The sink, as the command line writes it: `oci:DIR`, `docker-archive:FILE`, `docker`.
    pub output: String,
    /// The names that the image has there.
    pub names: Vec<String>,
    /// Bytes written: of an archive all, of a layout those that it did not have.
    pub bytes: u64,
}
