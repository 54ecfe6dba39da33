//! The real archive, with a cache of what never changes, for tests that ask for it.

use std::path::PathBuf;
use std::time::SystemTime;

use bytes::Bytes;
use imagewright_debian::{Fetch, FetchError, Mirrors};
use imagewright_testkit::peers::{has_network, variable};
use url::Url;

/// A client that keeps packages and lists that are named by their hash.
pub(crate) struct CachingFetch {
    client: reqwest::Client,
    folder: PathBuf,
}

impl CachingFetch {
    pub(crate) fn new() -> Self {
        // A second test in this process finds the provider installed, which is as good.
        drop(rustls::crypto::ring::default_provider().install_default());
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("debian");
        fs_err::create_dir_all(&folder).unwrap();
        Self { client: reqwest::Client::new(), folder }
    }
}

impl Fetch for CachingFetch {
    async fn get(&self, url: &Url) -> Result<Bytes, FetchError> {
        let name = url.path().rsplit('/').next().unwrap();
        let keeps =
            url.path().contains("/by-hash/") || name.ends_with("_all.deb") || name.ends_with("64.deb");
        let file = self.folder.join(name);
        if keeps && let Ok(bytes) = fs_err::read(&file) {
            return Ok(bytes.into());
        }
        let failed = |error: reqwest::Error| FetchError::Transfer { source: Box::new(error) };
        let response = self.client.get(url.clone()).send().await.map_err(failed)?;
        if response.status() == reqwest::StatusCode::NOT_FOUND {
            return Err(FetchError::NotFound);
        }
        let bytes = response.error_for_status().map_err(failed)?.bytes().await.map_err(failed)?;
        if keeps {
            let part = tempfile::NamedTempFile::new_in(&self.folder).unwrap();
            fs_err::write(part.path(), &bytes).unwrap();
            part.persist(&file).unwrap();
        }
        Ok(bytes)
    }
}

/// The mirrors to test with, if the network may be used; else the caller skips.
pub(crate) fn mirrors() -> Option<Mirrors> {
    if !has_network() {
        return None;
    }
    if let Some(mirror) = variable("IMAGEWRIGHT_DEBIAN_MIRROR") {
        return Some(Mirrors::new(&mirror, None).unwrap());
    }
    let mut files = Vec::new();
    let listed =
        fs_err::read_dir("/etc/apt/sources.list.d").into_iter().flatten().map(|entry| entry.unwrap().path());
    for path in listed.chain([PathBuf::from("/etc/apt/sources.list")]) {
        if let Ok(text) = fs_err::read_to_string(&path) {
            files.push((path.display().to_string(), text));
        }
    }
    let files: Vec<_> = files.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
    Some(Mirrors::from_apt_sources(&files).unwrap_or_else(Mirrors::debian))
}

#[expect(clippy::disallowed_methods, reason = "the real archive is judged by the real time")]
pub(crate) fn now() -> SystemTime {
    SystemTime::now()
}

/// Runs a future on a runtime of its own.
pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap().block_on(future)
}
