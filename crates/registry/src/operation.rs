use std::fmt;

use imagewright_oci::{Digest, ImageReference};

use crate::auth::Scopes;
use crate::credentials::Origin;

/// What the client was doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Asking whether a manifest is there.
    HeadManifest,
    /// Downloading a manifest.
    GetManifest,
    /// Uploading a manifest, and with it the tag.
    PutManifest,
    /// Asking whether a blob is there.
    HeadBlob(Digest),
    /// Downloading a blob.
    FetchBlob(Digest),
    /// Asking for a blob to be taken from another repository, or for an upload to begin.
    StartUpload(Digest),
    /// Uploading the bytes of a blob.
    UploadBlob(Digest),
    /// Asking for an uploaded blob to be accepted.
    CommitBlob(Digest),
    /// Listing what is attached to a manifest.
    ListReferrers(Digest),
}

/// A request as messages tell it: what, where, with which rights, as whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// What was being done.
    pub operation: Operation,
    /// The image or repository it was done to.
    pub reference: ImageReference,
    /// The host asked, when it is not the registry of the reference: a mirror.
    pub mirror: Option<String>,
    /// The rights asked of the token service.
    pub scopes: Scopes,
    /// Where the credentials came from.
    pub origin: Origin,
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::HeadManifest => f.write_str("look up"),
            Self::GetManifest => f.write_str("pull the manifest of"),
            Self::PutManifest => f.write_str("push"),
            Self::HeadBlob(digest) => write!(f, "look up blob {digest} of"),
            Self::FetchBlob(digest) => write!(f, "pull blob {digest} of"),
            Self::StartUpload(digest) => write!(f, "start the upload of blob {digest} to"),
            Self::UploadBlob(digest) => write!(f, "upload blob {digest} to"),
            Self::CommitBlob(digest) => write!(f, "complete the upload of blob {digest} to"),
            Self::ListReferrers(digest) => write!(f, "list what refers to {digest} in"),
        }
    }
}

impl fmt::Display for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.operation, self.reference)?;
        self.mirror.iter().try_for_each(|host| write!(f, " at {host}"))
    }
}
