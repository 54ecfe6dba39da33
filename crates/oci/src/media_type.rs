use std::fmt;

use serde::{Deserialize, Serialize};

/// The media types that occur in images: OCI's, and Docker's schema 2 where it differs.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum MediaType {
    /// An OCI image manifest.
    OciManifest,
    /// An OCI image index.
    OciIndex,
    /// An OCI image configuration.
    OciConfig,
    /// An uncompressed layer.
    OciLayer,
    /// A gzip layer.
    OciLayerGzip,
    /// A zstd layer.
    OciLayerZstd,
    /// The empty JSON object, in the place of a configuration that an artifact has none of.
    OciEmpty,
    /// Docker's image manifest, schema 2.
    DockerManifest,
    /// Docker's manifest list.
    DockerManifestList,
    /// Docker's image configuration.
    DockerConfig,
    /// Docker's gzip layer.
    DockerLayerGzip,
    /// Docker's gzip layer that a registry may refuse to hold.
    DockerForeignLayerGzip,
    /// Anything else, as written.
    Other(String),
}

const NAMES: [(MediaType, &str); 12] = [
    (MediaType::OciManifest, "application/vnd.oci.image.manifest.v1+json"),
    (MediaType::OciIndex, "application/vnd.oci.image.index.v1+json"),
    (MediaType::OciConfig, "application/vnd.oci.image.config.v1+json"),
    (MediaType::OciLayer, "application/vnd.oci.image.layer.v1.tar"),
    (MediaType::OciLayerGzip, "application/vnd.oci.image.layer.v1.tar+gzip"),
    (MediaType::OciLayerZstd, "application/vnd.oci.image.layer.v1.tar+zstd"),
    (MediaType::OciEmpty, "application/vnd.oci.empty.v1+json"),
    (MediaType::DockerManifest, "application/vnd.docker.distribution.manifest.v2+json"),
    (MediaType::DockerManifestList, "application/vnd.docker.distribution.manifest.list.v2+json"),
    (MediaType::DockerConfig, "application/vnd.docker.container.image.v1+json"),
    (MediaType::DockerLayerGzip, "application/vnd.docker.image.rootfs.diff.tar.gzip"),
    (MediaType::DockerForeignLayerGzip, "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"),
];

impl MediaType {
    /// The media type as it is written in manifests and headers.
    pub fn as_str(&self) -> &str {
        if let Self::Other(text) = self {
            return text;
        }
        NAMES.iter().find(|(media_type, _)| media_type == self).expect("every named type is in the table").1
    }

    /// Whether this is a manifest of one image, OCI's or Docker's.
    pub(crate) fn is_manifest(&self) -> bool {
        matches!(self, Self::OciManifest | Self::DockerManifest)
    }

    /// Whether this lists manifests by platform, OCI's or Docker's.
    pub(crate) fn is_index(&self) -> bool {
        matches!(self, Self::OciIndex | Self::DockerManifestList)
    }

    /// The OCI type for what a Docker type describes; OCI and unknown types stay as they are.
    pub fn to_oci(&self) -> Self {
        match self {
            Self::DockerManifest => Self::OciManifest,
            Self::DockerManifestList => Self::OciIndex,
            Self::DockerConfig => Self::OciConfig,
            Self::DockerLayerGzip | Self::DockerForeignLayerGzip => Self::OciLayerGzip,
            other => other.clone(),
        }
    }
}

impl From<String> for MediaType {
    fn from(text: String) -> Self {
        match NAMES.iter().find(|(_, name)| *name == text) {
            Some((media_type, _)) => media_type.clone(),
            None => Self::Other(text),
        }
    }
}

impl From<&str> for MediaType {
    fn from(text: &str) -> Self {
        text.to_owned().into()
    }
}

impl From<MediaType> for String {
    fn from(media_type: MediaType) -> Self {
        media_type.as_str().to_owned()
    }
}

impl fmt::Display for MediaType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
