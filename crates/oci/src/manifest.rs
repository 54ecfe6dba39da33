use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::{Annotations, Digest, MediaType, Platform, canonical_json};

/// A pointer to a blob or manifest: media type, digest and size in bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Descriptor {
    /// What the target is.
    pub media_type: MediaType,
    /// The target's digest.
    pub digest: Digest,
    /// The target's length in bytes.
    pub size: u64,
    /// For the entries of an index: what the manifest is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<Platform>,
    /// For an artifact in an index: what it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact_type: Option<String>,
    /// Free-form facts about the target.
    #[serde(default, skip_serializing_if = "Annotations::is_empty")]
    pub annotations: Annotations,
}

impl Descriptor {
    /// A descriptor without platform and annotations.
    pub fn new(media_type: MediaType, digest: Digest, size: u64) -> Self {
        Self {
            media_type,
            digest,
            size,
            platform: None,
            artifact_type: None,
            annotations: Annotations::new(),
        }
    }

    /// The descriptor of `bytes`.
    pub fn of(media_type: MediaType, bytes: &[u8]) -> Self {
        Self::new(media_type, Digest::of(bytes), bytes.len() as u64)
    }
}

/// An image manifest, OCI's or Docker's schema 2 (which has the same shape).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ImageManifest {
    /// Always 2.
    pub schema_version: u32,
    /// The manifest's own type; OCI allows its absence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media_type: Option<MediaType>,
    /// What an artifact that is no image is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact_type: Option<String>,
    /// The image configuration.
    pub config: Descriptor,
    /// The layers, lowest first.
    pub layers: Vec<Descriptor>,
    /// The manifest this one refers to, for artifacts attached to an image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<Descriptor>,
    /// Free-form facts about the image.
    #[serde(default, skip_serializing_if = "Annotations::is_empty")]
    pub annotations: Annotations,
}

/// A list of manifests by platform, OCI's index or Docker's manifest list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ImageIndex {
    /// Always 2.
    pub schema_version: u32,
    /// The index's own type; OCI allows its absence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media_type: Option<MediaType>,
    /// The listed manifests.
    pub manifests: Vec<Descriptor>,
    /// Free-form facts about the whole.
    #[serde(default, skip_serializing_if = "Annotations::is_empty")]
    pub annotations: Annotations,
}

/// What a registry answers to a manifest request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Manifest {
    /// One image.
    Image(Box<ImageManifest>),
    /// Several, by platform.
    Index(ImageIndex),
}

/// Bytes that are no manifest that imagewright reads.
#[derive(Debug, Error)]
pub enum ManifestError {
    /// The JSON does not have a manifest's shape.
    #[error("the manifest of type {media_type} cannot be read")]
    Malformed {
        /// The type it was served as.
        media_type: MediaType,
        /// Where and why.
        #[source]
        source: serde_json::Error,
    },
    /// A type that is neither manifest nor index, such as Docker's schema 1.
    #[error("manifests of type {media_type} are not supported")]
    UnknownType {
        /// The type it was served as.
        media_type: MediaType,
    },
    /// What is to say itself what it is does not even have the form of a document.
    #[error("it is not JSON")]
    NotJson {
        /// Where and why.
        #[from]
        source: serde_json::Error,
    },
    /// What is to say itself what it is does not say it.
    #[error("it has neither the type nor the shape of a manifest")]
    NoType,
}

/// The blob that artifacts have in the place of a configuration.
pub const EMPTY_JSON: &[u8] = b"{}";

impl ImageManifest {
    /// An OCI manifest of one blob that is attached to `subject`; it also names the blob [`EMPTY_JSON`].
    pub fn attached(artifact_type: &str, blob: Descriptor, subject: Descriptor) -> Self {
        let config = Descriptor::of(MediaType::OciEmpty, EMPTY_JSON);
        Self {
            artifact_type: Some(artifact_type.to_owned()),
            subject: Some(subject),
            ..Self::new(config, vec![blob], Annotations::new())
        }
    }

    /// An OCI manifest of an image.
    pub fn new(config: Descriptor, layers: Vec<Descriptor>, annotations: Annotations) -> Self {
        let media_type = Some(MediaType::OciManifest);
        Self {
            schema_version: 2,
            media_type,
            artifact_type: None,
            config,
            layers,
            subject: None,
            annotations,
        }
    }

    /// The canonical bytes, which are what its digest covers.
    pub fn to_bytes(&self) -> Vec<u8> {
        canonical_json(self)
    }
}

impl ImageIndex {
    /// An OCI index of manifests that carry their platforms.
    pub fn new(manifests: Vec<Descriptor>, annotations: Annotations) -> Self {
        Self { schema_version: 2, media_type: Some(MediaType::OciIndex), manifests, annotations }
    }

    /// The canonical bytes, which are what its digest covers.
    pub fn to_bytes(&self) -> Vec<u8> {
        canonical_json(self)
    }

    /// The first manifest that serves `platform`.
    pub fn for_platform(&self, platform: &Platform) -> Option<&Descriptor> {
        self.manifests.iter().find(|entry| entry.platform.as_ref().is_some_and(|has| platform.accepts(has)))
    }

    /// The platforms there are, without the `unknown/unknown` of attestations.
    pub fn platforms(&self) -> Vec<Platform> {
        self.manifests
            .iter()
            .filter_map(|entry| entry.platform.clone())
            .filter(|platform| platform.os != "unknown")
            .collect()
    }
}

impl Manifest {
    /// Reads what was served as `media_type`; a generic type is decided by the `mediaType` or shape inside.
    pub fn parse(media_type: &MediaType, bytes: &[u8]) -> Result<Self, ManifestError> {
        match media_type {
            MediaType::Other(_) => {
                Self::parse_as(type_inside(bytes)?.unwrap_or_else(|| media_type.clone()), bytes)
            }
            known => Self::parse_as(known.clone(), bytes),
        }
    }

    /// Reads what was kept without a media type, which is decided by the `mediaType` or shape inside.
    pub fn parse_untyped(bytes: &[u8]) -> Result<Self, ManifestError> {
        Self::parse_as(type_inside(bytes)?.ok_or(ManifestError::NoType)?, bytes)
    }

    fn parse_as(media_type: MediaType, bytes: &[u8]) -> Result<Self, ManifestError> {
        let malformed = |source| ManifestError::Malformed { media_type: media_type.clone(), source };
        if media_type.is_manifest() {
            Ok(Self::Image(Box::new(serde_json::from_slice(bytes).map_err(malformed)?)))
        } else if media_type.is_index() {
            Ok(Self::Index(serde_json::from_slice(bytes).map_err(malformed)?))
        } else {
            Err(ManifestError::UnknownType { media_type })
        }
    }
}

fn type_inside(bytes: &[u8]) -> Result<Option<MediaType>, serde_json::Error> {
    let value: serde_json::Value = serde_json::from_slice(bytes)?;
    if let Some(written) = value.get("mediaType").and_then(|media_type| media_type.as_str()) {
        return Ok(Some(written.into()));
    }
    Ok(if value.get("manifests").is_some() {
        Some(MediaType::OciIndex)
    } else if value.get("config").is_some() && value.get("layers").is_some() {
        Some(MediaType::OciManifest)
    } else {
        None
    })
}
