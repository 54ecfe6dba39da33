use imagewright_oci::{Descriptor, DiffId, Digest, ImageConfig, ImageReference};

use crate::facts::BaseFacts;

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
}

/// Where a base is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BaseOrigin {
    /// As the spec names it, normalised.
    pub reference: ImageReference,
    /// The manifest of the platform.
    pub digest: Digest,
}

/// A layer of a base.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BaseLayer {
    /// In OCI's media types.
    pub descriptor: Descriptor,
    /// The digest of its tar stream.
    pub diff_id: DiffId,
}

impl BaseImage {
    /// The image's `PATH`; empty when it sets none.
    pub fn path_variable(&self) -> &str {
        self.config.config.env_value("PATH").unwrap_or_default()
    }
}
