use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::Credentials;
use crate::endpoint::{Mirror, is_loopback};

/// How the client behaves; the defaults suit public registries.
#[derive(Clone, Debug)]
pub struct ClientOptions {
    /// Where credentials are looked for.
    pub credentials: Credentials,
    /// Registries (`host` or `host:port`) that speak plain http. Loopback hosts do without being listed.
    pub plain_http: BTreeSet<String>,
    /// Loopback registries that speak https all the same.
    pub https: BTreeSet<String>,
    /// For a registry, who has copies of its images; asked in order before the registry itself, for pulls only.
    pub mirrors: BTreeMap<String, Vec<Mirror>>,
    /// The `User-Agent` header.
    pub user_agent: String,
    /// Limits of waiting.
    pub timeouts: Timeouts,
    /// The most blobs on their way to one registry, and the most on their way from it.
    pub transfers: usize,
    /// How often, and how long, a request that failed for a passing reason is repeated.
    pub retry: Retry,
}

/// Limits of waiting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// For a connection to be made.
    pub connect: Duration,
    /// For the answer to a request without a large body.
    pub answer: Duration,
    /// For the next byte of a blob, in either direction.
    pub idle: Duration,
    /// For the registry to accept an uploaded blob: some move it to an object store then.
    pub commit: Duration,
}

/// How often, and how long, a request that failed for a passing reason is repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retry {
    /// The most repetitions, besides the first try.
    pub repetitions: u32,
    /// The first wait; it doubles with each repetition, with jitter of half its length.
    pub first_wait: Duration,
    /// The longest single wait, and the longest `Retry-After` that is waited for.
    pub longest_wait: Duration,
}

impl ClientOptions {
    pub(crate) fn speaks_plain_http(&self, registry: &str) -> bool {
        !self.https.contains(registry) && (is_loopback(registry) || self.plain_http.contains(registry))
    }
}

impl Default for ClientOptions {
    fn default() -> Self {
        Self {
            credentials: Credentials::default(),
            plain_http: BTreeSet::new(),
            https: BTreeSet::new(),
            mirrors: BTreeMap::new(),
            user_agent: concat!("imagewright/", env!("CARGO_PKG_VERSION")).to_owned(),
            timeouts: Timeouts::default(),
            transfers: 6,
            retry: Retry::default(),
        }
    }
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            answer: Duration::from_mins(1),
            idle: Duration::from_mins(1),
            commit: Duration::from_mins(5),
        }
    }
}

impl Default for Retry {
    fn default() -> Self {
        Self { repetitions: 4, first_wait: Duration::from_millis(250), longest_wait: Duration::from_secs(30) }
    }
}
