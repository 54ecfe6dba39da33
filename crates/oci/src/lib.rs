//! The OCI vocabulary that every other crate speaks.
//!
//! Types follow the OCI image specification 1.1 and the distribution specification 1.1; each is parsed once, at
//! the edge, and holds only valid values afterwards. Nothing here does I/O.
//!
//! ```
//! use imagewright_oci::{Digest, ImageReference, Platform};
//!
//! let reference: ImageReference = "localhost:5000/flytekit:tag".parse()?;
//! assert_eq!(reference.repository(), "flytekit");
//! assert_eq!("linux/arm64/v8".parse::<Platform>()?.architecture, "arm64");
//! assert!(Digest::of(b"").to_string().starts_with("sha256:e3b0c442"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod annotation;
mod config;
mod digest;
mod json;
mod manifest;
mod media_type;
mod platform;
mod reference;

pub use annotation::Annotations;
pub use config::{ContainerConfig, DEFAULT_PATH, History, ImageConfig, RootFs};
pub use digest::{DiffId, Digest, DigestError, Hasher, HashingReader, HashingWriter};
pub use json::canonical_json;
pub use manifest::{Descriptor, EMPTY_JSON, ImageIndex, ImageManifest, Manifest, ManifestError};
pub use media_type::MediaType;
pub use platform::{Platform, PlatformError};
pub use reference::{DEFAULT_REGISTRY, ImageReference, ReferenceError};
