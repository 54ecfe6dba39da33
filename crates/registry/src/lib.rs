//! A registry client and its credentials.
//!
//! Speaks the OCI distribution specification 1.1, and what registries made of it. In short:
//!
//! - A question has three answers: yes, no, or an error that says why it is unknown.
//! - What is downloaded is verified against its digest before its last byte is given out.
//! - An upload looks first, then asks for a mount, then sends the bytes in one streaming request. A commit whose
//!   answer was lost is looked into before it is repeated.
//! - Credentials go to the registry that asked for them and to the token service it names, and nowhere else;
//!   messages name their source, never their value.
//! - Passing failures are repeated with growing waits; a registry that is asked too much is asked less.
//! - Nothing here prints, or writes to the disk. The environment is read by two libraries below: for proxies
//!   (`HTTPS_PROXY` and its like; never for loopback hosts) and for certificates (`SSL_CERT_FILE`, `SSL_CERT_DIR`).
//!
//! ```no_run
//! # async fn example() -> Result<(), imagewright_registry::RegistryError> {
//! use imagewright_registry::{Client, ClientOptions};
//!
//! let client = Client::new(ClientOptions::default());
//! let reference = "debian:bookworm".parse().expect("the reference is well-formed");
//! match client.head_manifest(&reference).await? {
//!     Some(descriptor) => assert!(descriptor.size > 0),
//!     None => unreachable!("Docker Hub has Debian"),
//! }
//! # Ok(())
//! # }
//! ```

mod client;
mod options;

mod blob;
mod manifest;
mod referrers;

mod auth;
mod credentials;
mod destination;
mod endpoint;
mod exchange;

mod answer;
mod error;
mod operation;

mod backoff;
mod limiter;
mod reading;
mod statistics;
mod transport;

pub use answer::{Answer, AnsweredError};
pub use auth::Scopes;
pub use backoff::{Backoff, retry_after};
pub use blob::{BlobReader, BlobSource, BlobStream, Pushed, begins_at};
pub use client::Client;
pub use credentials::{
    Credential, CredentialOverview, CredentialSource, Credentials, CredentialsError, Found, Origin, Secret,
};
pub use destination::UnsafeDestination;
pub use endpoint::{Mirror, MirrorError};
pub use error::{Refusal, RegistryError};
pub use manifest::FetchedManifest;
pub use operation::{Attempt, Operation};
pub use options::{ClientOptions, Retry, Timeouts};
pub use statistics::Statistics;
pub use transport::{TransportError, http_client};
