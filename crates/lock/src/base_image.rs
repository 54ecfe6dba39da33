use std::fmt;
use std::sync::Arc;

use imagewright_oci::{Descriptor, DiffId, Digest, ImageConfig, ImageManifest, ImageReference};

use crate::facts::BaseFacts;
use crate::local::OpenedImage;

/// What of a base the plan depends on; all of it follows from the digest in the lock.
#[derive(Clone, Debug)]
pub struct BaseImage {
    /// Where it is; absent for a base that is assembled.
    pub origin: Option<BaseOrigin>,
    /// Its configuration.
    pub config: ImageConfig,
    /// Its layers, lowest first.
    pub layers: Vec<BaseLayer>,
    /// What was read off its layers.
    pub facts: BaseFacts,
    /// The repositories that may have a layer of it that the store does not have, the likeliest first.
    pub homes: Vec<ImageReference>,
}

/// The image of another spec, as it was built to be a base.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuiltBase {
    /// Its name.
    pub reference: ImageReference,
    /// Its manifest or index, in the store or at `reference`.
    pub digest: Digest,
}

/// Where a base is.
#[derive(Clone, Debug)]
pub enum BaseOrigin {
    /// In a registry.
    Registry {
        /// As the spec names it, normalised.
        reference: ImageReference,
        /// The manifest of the platform.
        digest: Digest,
    },
    /// On this machine.
    Local(Arc<OpenedImage>),
}

/// A layer of a base.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BaseLayer {
    /// In OCI's media types.
    pub descriptor: Descriptor,
    /// The digest of its tar stream.
    pub diff_id: DiffId,
}

impl BaseOrigin {
    /// The manifest of the platform.
    pub fn digest(&self) -> Digest {
        match self {
            Self::Registry { digest, .. } => *digest,
            Self::Local(image) => image.digest,
        }
    }
}

impl fmt::Display for BaseOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Registry { reference, .. } => reference.fmt(f),
            Self::Local(image) => image.image.fmt(f),
        }
    }
}

impl BaseImage {
    /// The base that these documents describe.
    pub(crate) fn new(
        origin: BaseOrigin,
        manifest: ImageManifest,
        config: ImageConfig,
        facts: BaseFacts,
    ) -> Self {
        let layers = manifest.layers.into_iter().zip(&config.rootfs.diff_ids);
        let layers = layers.map(|(mut descriptor, diff_id)| {
            descriptor.media_type = descriptor.media_type.to_oci();
            BaseLayer { descriptor, diff_id: *diff_id }
        });
        Self { origin: Some(origin), layers: layers.collect(), config, facts, homes: Vec::new() }
    }

    /// The image's `PATH`; empty when it sets none.
    pub fn path_variable(&self) -> &str {
        self.config.config.env_value("PATH").unwrap_or_default()
    }
}
