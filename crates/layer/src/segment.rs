use imagewright_oci::{DiffId, Digest};

/// Where a run of a blob's bytes is. The segments of a blob, in order, are the blob.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Segment {
    /// Bytes of the blob's own side file.
    Inline {
        /// Where they start in the side file.
        offset: u64,
        /// How many there are.
        length: u64,
    },
    /// A range of an artifact that is kept by its sha256.
    Artifact {
        /// The artifact.
        artifact: Digest,
        /// Where the range starts in it.
        offset: u64,
        /// How long the range is.
        length: u64,
    },
}

impl Segment {
    /// How many bytes of the blob this is.
    pub const fn length(&self) -> u64 {
        match self {
            Self::Inline { length, .. } | Self::Artifact { length, .. } => *length,
        }
    }
}

/// A finished layer: all that a manifest, a configuration and the store need to know of it.
///
/// There is none before the bytes were decompressed and found right, so what has this type may be cached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EncodedLayer {
    /// The digest of the compressed bytes.
    pub digest: Digest,
    /// How many compressed bytes there are.
    pub size: u64,
    /// The digest of the tar stream.
    pub diff_id: DiffId,
    /// How many bytes the tar stream has.
    pub uncompressed_size: u64,
    /// Where the compressed bytes are.
    pub segments: Vec<Segment>,
}
