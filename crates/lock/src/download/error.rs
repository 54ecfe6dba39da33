use std::time::Duration;

use imagewright_registry::TransportError;
use imagewright_store::StoreError;
use reqwest::StatusCode;
use thiserror::Error;

/// Why a file could not be downloaded.
#[derive(Debug, Error)]
pub enum DownloadError {
    /// No network may be used.
    #[error("{file_name} is not in the store, and the network may not be used")]
    Offline {
        /// What was wanted.
        file_name: String,
    },
    /// The server did not answer, or broke off.
    #[error("{file_name} could not be downloaded from {server}")]
    Transport {
        /// What was wanted.
        file_name: String,
        /// Who has it.
        server: String,
        /// What happened.
        #[source]
        source: TransportError,
    },
    /// The server refused.
    #[error("{server} answers {status} for {file_name}")]
    Refused {
        /// What was wanted.
        file_name: String,
        /// Who has it.
        server: String,
        /// Its answer.
        status: StatusCode,
        /// How long it asks to wait.
        retry_after: Option<Duration>,
    },
    /// The server sends another part than the one that was missing.
    #[error("{server} answers with another part of {file_name} than was asked for")]
    OtherPart {
        /// What was wanted.
        file_name: String,
        /// Who has it.
        server: String,
    },
    /// A document is larger than any of its kind.
    #[error("{file_name} from {server} is larger than {limit} bytes")]
    TooLarge {
        /// What was wanted.
        file_name: String,
        /// Who has it.
        server: String,
        /// The limit.
        limit: u64,
    },
    /// A wheel that is built, and is not there.
    #[error("{file_name} is built from source, and is not in the store")]
    NotBuilt {
        /// What was wanted.
        file_name: String,
    },
    /// It could not be kept, or is not what it should be.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl DownloadError {
    /// Whether the user forbade the download.
    pub fn is_offline(&self) -> bool {
        matches!(self, Self::Offline { .. })
    }

    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Offline { .. } => Some("leave out `--offline`".to_owned()),
            Self::Refused { status, .. } if matches!(status.as_u16(), 401 | 403) => {
                Some("give the index's credentials in its URL, in `UV_INDEX_…` or in `.netrc`".to_owned())
            }
            Self::Refused { .. } | Self::OtherPart { .. } | Self::TooLarge { .. } | Self::NotBuilt { .. } => {
                None
            }
            Self::Transport { .. } => {
                Some("check the network, and the proxy settings if there is one".to_owned())
            }
            Self::Store(source) => source.hint(),
        }
    }

    pub(super) fn is_transient(&self) -> bool {
        match self {
            Self::Transport { source, .. } => source.is_transient(),
            Self::Refused { status, .. } => {
                status.is_server_error() || matches!(status.as_u16(), 408 | 425 | 429)
            }
            Self::Offline { .. }
            | Self::OtherPart { .. }
            | Self::TooLarge { .. }
            | Self::NotBuilt { .. }
            | Self::Store(_) => false,
        }
    }

    pub(super) fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Refused { retry_after, .. } => *retry_after,
            _ => None,
        }
    }
}
