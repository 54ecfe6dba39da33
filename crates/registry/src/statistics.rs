use std::sync::atomic::{AtomicU64, Ordering};

use url::Url;

/// What a client has done so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Statistics {
    /// HTTP requests sent, those for tokens and to redirect targets included.
    pub requests: u64,
    /// Of these, requests for or with manifests.
    pub manifest_requests: u64,
    /// Bytes of blobs sent, those of failed tries included.
    pub bytes_sent: u64,
    /// Bytes of blobs received, those of failed tries included.
    pub bytes_received: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Counters {
    requests: AtomicU64,
    manifest_requests: AtomicU64,
    bytes_sent: AtomicU64,
    bytes_received: AtomicU64,
}

impl Counters {
    pub(crate) fn request(&self, url: &Url) {
        self.requests.fetch_add(1, Ordering::Relaxed);
        if url.path().contains("/manifests/") {
            self.manifest_requests.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(crate) fn sent(&self, bytes: usize) {
        self.bytes_sent.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    pub(crate) fn received(&self, bytes: usize) {
        self.bytes_received.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    pub(crate) fn bytes_sent(&self) -> u64 {
        self.bytes_sent.load(Ordering::Relaxed)
    }

    pub(crate) fn snapshot(&self) -> Statistics {
        Statistics {
            requests: self.requests.load(Ordering::Relaxed),
            manifest_requests: self.manifest_requests.load(Ordering::Relaxed),
            bytes_sent: self.bytes_sent(),
            bytes_received: self.bytes_received.load(Ordering::Relaxed),
        }
    }
}
