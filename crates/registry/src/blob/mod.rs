//! Blobs: asked for, downloaded, mounted, uploaded, copied from registry to registry.

mod copy;
mod fetch;
mod once;
mod push;
mod session;
mod source;
mod upload;

pub use fetch::{BlobReader, BlobStream, begins_at};
pub(crate) use once::Uploads;
pub use push::Pushed;
pub use source::BlobSource;
