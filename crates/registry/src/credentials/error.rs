use std::io;
use std::path::PathBuf;

use thiserror::Error;

/// A credentials file that cannot be used.
#[derive(Debug, Error)]
pub enum CredentialsError {
    /// The file is there, or was asked for, but cannot be read.
    #[error("the registry credentials cannot be read")]
    Unreadable {
        /// Names the file and the reason.
        #[source]
        source: io::Error,
    },
    /// The file is not the JSON that Docker and Podman write.
    #[error("{} is not a Docker or Podman credentials file", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Where and why.
        #[source]
        source: serde_json::Error,
    },
    /// An `auth` value that is not base64 of `user:password`.
    #[error("{}: the `auth` value of `{registry}` is not base64 of user:password", path.display())]
    MalformedAuth {
        /// The file.
        path: PathBuf,
        /// The key in `auths`.
        registry: String,
    },
}
