use std::io;

use imagewright_oci::{Digest, MediaType};
use thiserror::Error;

use crate::WheelProblem;

/// What can go wrong between a wheel or a tree and a layer.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum LayerError {
    /// A wheel breaks a rule of its format, or lies.
    #[error("the wheel {wheel} cannot be installed: {problem}")]
    Wheel {
        /// The wheel's file name.
        wheel: String,
        /// Which rule.
        #[source]
        problem: WheelProblem,
    },
    /// The content of a layer could not be read.
    #[error("cannot read {path} for the layer")]
    Content {
        /// The path in the image.
        path: String,
        /// Why.
        source: io::Error,
    },
    /// The content of a file is shorter or longer than was said.
    #[error("{path} was said to have {expected} bytes and has {}", if *.actual > *.expected { "more".to_owned() } else { .actual.to_string() })]
    ContentSize {
        /// The path in the image.
        path: String,
        /// The size that its header states.
        expected: u64,
        /// What was read; one more than expected stands for any excess.
        actual: u64,
    },
    /// The bytecode of a layer could not be had.
    #[error("cannot get the bytecode of the layer")]
    Bytecode {
        /// Why.
        source: io::Error,
    },
    /// Two entries of one layer have the same path, or one is below a path that is no directory.
    #[error("the layer has two entries that cannot both be at {path}")]
    DuplicatePath {
        /// The path in the image.
        path: String,
    },
    /// An entry came out of order.
    #[error("{path} comes behind {previous}: entries are sorted by their bytes")]
    Order {
        /// The path in the image.
        path: String,
        /// What came before it.
        previous: String,
    },
    /// A text is not a path inside an image.
    #[error("`{path}` is not a clean path inside an image")]
    Path {
        /// What was given.
        path: String,
    },
    /// The side file of a layer could not be written.
    #[error("cannot write the layer")]
    Write {
        /// Why.
        source: io::Error,
    },
    /// A part of a blob could not be read back.
    #[error("cannot read byte {offset} of {part}")]
    Read {
        /// The side file or the artifact.
        part: BlobPart,
        /// Where.
        offset: u64,
        /// Why.
        source: io::Error,
    },
    /// A layer that was just made does not decompress to what it should.
    #[error("the layer's bytes are damaged at byte {offset} of {part}: {problem}")]
    Damaged {
        /// The side file or the artifact.
        part: BlobPart,
        /// Where the damaged member or stream starts.
        offset: u64,
        /// What is wrong.
        problem: &'static str,
    },
    /// A layer that someone else made cannot be read.
    #[error("the layer is not a readable {media_type} archive")]
    Archive {
        /// What it should be.
        media_type: MediaType,
        /// Why.
        source: io::Error,
    },
    /// An archive of images cannot be read.
    #[error("it is not a readable tar archive")]
    ImageArchive {
        /// Why.
        source: io::Error,
    },
    /// A layer has a media type that cannot be decompressed here.
    #[error("layers of type {media_type} cannot be read")]
    UnknownMediaType {
        /// What the manifest says.
        media_type: MediaType,
    },
    /// An entry of a layer that someone else made has a path that leaves the image.
    #[error("the layer has an entry with the path `{path}`")]
    UnsafeEntry {
        /// The path as written, with unreadable bytes replaced.
        path: String,
    },
    /// An interpreter archive without its interpreter.
    #[error("the archive has no program at {path}")]
    NoInterpreter {
        /// Where it should be in the archive.
        path: String,
    },
}

/// A place that holds bytes of a blob.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BlobPart {
    /// The blob's own side file.
    Inline,
    /// An artifact.
    Artifact(Digest),
}

impl std::fmt::Display for BlobPart {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Inline => f.write_str("its side file"),
            Self::Artifact(digest) => write!(f, "the artifact {digest}"),
        }
    }
}

impl LayerError {
    /// What the user can do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Wheel { .. } => Some(
                "the file is damaged or was built wrongly; choose another version, or ask its maintainers for a new file"
                    .to_owned(),
            ),
            Self::Write { .. } => Some("check that the disk of the store is neither full nor read-only".to_owned()),
            Self::Read { .. } | Self::Damaged { .. } => {
                Some("`imagewright cache check --deep --repair` finds and removes damaged files of the store".to_owned())
            }
            _ => None,
        }
    }
}
