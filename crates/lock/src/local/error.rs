use std::io;

use imagewright_layer::LayerError;
use imagewright_oci::{Digest, ManifestError, Platform};
use thiserror::Error;

/// What is wrong with an image in a folder or archive.
#[derive(Debug, Error)]
pub enum LocalImageError {
    /// It, or a file of it, cannot be read.
    #[error("{name} cannot be read")]
    Read {
        /// The archive, or a file in it.
        name: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It is no archive.
    #[error("it is no archive that can be read")]
    Archive {
        /// Where and why.
        #[source]
        source: LayerError,
    },
    /// It is a compressed archive.
    #[error("it is compressed as a whole")]
    Compressed,
    /// A file that it should have.
    #[error("it has no {name}")]
    Missing {
        /// The file.
        name: String,
    },
    /// A document that has another form.
    #[error("its {name} is not what it should be")]
    Document {
        /// The document.
        name: String,
        /// Where and why.
        #[source]
        source: serde_json::Error,
    },
    /// A manifest that has another form.
    #[error("its manifest {digest} is not what it should be")]
    Manifest {
        /// Which.
        digest: Digest,
        /// Where and why.
        #[source]
        source: ManifestError,
    },
    /// A blob with other bytes.
    #[error("its {name} is damaged: {size} bytes of {actual}, not {expected_size} of {expected}")]
    Damaged {
        /// The file.
        name: String,
        /// As described.
        expected: Digest,
        /// As described.
        expected_size: u64,
        /// As it is.
        actual: Digest,
        /// As it is.
        size: u64,
    },
    /// Layers and diff ids that do not go together.
    #[error("it has {layers} layers, and its configuration speaks of {diff_ids}")]
    Layers {
        /// How many layers there are.
        layers: usize,
        /// How many the configuration has.
        diff_ids: usize,
    },
    /// No image has the name.
    #[error("it has no image of that name")]
    NoSuchImage {
        /// The names there are.
        found: Vec<String>,
    },
    /// None is for the platform.
    #[error("it has no image for {platform}")]
    NoPlatform {
        /// What was asked for.
        platform: Platform,
        /// What there is.
        found: Vec<Platform>,
    },
    /// More than one may be meant.
    #[error("it has several images")]
    Several {
        /// Their names.
        found: Vec<String>,
    },
    /// It is not the image that the lock pins.
    #[error("it has another image than {digest}, which the lock pins")]
    Changed {
        /// What is pinned.
        digest: Digest,
    },
    /// A layer whose entries cannot be read.
    #[error("its layer {digest} cannot be read")]
    Layer {
        /// Which.
        digest: Digest,
        /// Where and why.
        #[source]
        source: LayerError,
    },
}

impl LocalImageError {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Compressed => "unpack it first, as with `gunzip`".to_owned(),
            Self::NoSuchImage { found } | Self::Several { found } if found.is_empty() => return None,
            Self::NoSuchImage { found } => format!("there is {}", found.join(", ")),
            Self::Several { found } => {
                format!("write one of their names behind a colon: {}", found.join(", "))
            }
            Self::NoPlatform { found, .. } => {
                let found: Vec<String> = found.iter().map(Platform::to_string).collect();
                format!("it is there for {}", found.join(", "))
            }
            Self::Changed { .. } => "make the lock anew with `imagewright lock SPEC`".to_owned(),
            Self::Missing { name } if name == "index.json" => {
                "what `docker save` writes is named with `docker-archive:`".to_owned()
            }
            Self::Missing { name } if name == "manifest.json" => {
                "a folder or archive in OCI's layout is named with `oci:` or `oci-archive:`".to_owned()
            }
            Self::Read { .. } => {
                "check the path in `base_image`, which is relative to the working directory".to_owned()
            }
            Self::Archive { .. }
            | Self::Missing { .. }
            | Self::Document { .. }
            | Self::Manifest { .. }
            | Self::Damaged { .. }
            | Self::Layers { .. }
            | Self::Layer { .. } => "write the folder or archive anew".to_owned(),
        })
    }
}
