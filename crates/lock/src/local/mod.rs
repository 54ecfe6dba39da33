//! Images in folders and archives of this machine: OCI layouts, and what `docker save` writes.
//!
//! They are read where they are, and nothing of them is unpacked. What a digest says is checked whenever it is read.

mod docker;
mod error;
mod files;
mod image;
mod layout;

pub use error::LocalImageError;
pub use image::OpenedImage;
