use std::error::Error;
use std::future::Future;

use bytes::Bytes;
use thiserror::Error;
use url::Url;

/// The network, as far as this crate needs it.
///
/// Whoever implements it decides on time limits, retries, proxies and caches. All that comes back is checked by
/// hash or signature, so an implementation may keep what it has fetched: a URL that contains `/by-hash/`
/// always names the same bytes, every other one changes.
pub trait Fetch: Sync {
    /// The body of a successful GET.
    fn get(&self, url: &Url) -> impl Future<Output = Result<Bytes, FetchError>> + Send;
}

/// Why a URL could not be read.
#[derive(Debug, Error)]
pub enum FetchError {
    /// The server says that there is no such thing (404 or 410).
    #[error("the server has no such file")]
    NotFound,
    /// Anything else.
    #[error("the transfer failed")]
    Transfer {
        /// What the client says.
        source: Box<dyn Error + Send + Sync>,
    },
}
