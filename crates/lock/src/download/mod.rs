//! Artifacts by URL into the store: verified, resumed, each once however many ask for it.

mod error;
mod line;

use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use imagewright_oci::Digest;
use imagewright_registry::{Backoff, Retry, TransportError, begins_at, retry_after};
use imagewright_store::{ArtifactFile, ArtifactStaging, Condition, Store, StoreError};
use reqwest::header::{ACCEPT, CONTENT_LENGTH, RANGE};
use reqwest::{Method, RequestBuilder, Response, StatusCode};
use url::Url;

pub use error::DownloadError;
pub use line::Line;

use crate::lease::lease;
use crate::python::{Credentials, IndexSettings, WheelSource};
use crate::uv::Host;

/// How a download is taken up again after it broke.
const RETRY: Retry =
    Retry { repetitions: 3, first_wait: Duration::from_millis(500), longest_wait: Duration::from_secs(30) };
/// How long nothing may come.
const IDLE_LIMIT: Duration = Duration::from_mins(1);
/// The largest document that is held in memory, in bytes.
const DOCUMENT_LIMIT: u64 = 256 << 20;

/// Downloads of one build; cheap to clone.
#[derive(Clone)]
pub struct Downloads {
    inner: Arc<Inner>,
}

struct Inner {
    store: Store,
    indexes: IndexSettings,
    host: Host,
    offline: bool,
    line: Line,
    progress: Progress,
}

/// Is told of downloads.
pub type Progress = Box<dyn Fn(Transfer<'_>) + Send + Sync>;

/// What is told of a download.
#[derive(Clone, Copy, Debug)]
pub enum Transfer<'a> {
    /// Documents are asked for that belong together; how many bytes they have is not told.
    Started {
        /// What they are, for people.
        subject: &'a str,
    },
    /// All of these documents are there.
    Ended {
        /// What they are, for people.
        subject: &'a str,
    },
    /// Some bytes of a file came.
    Progress {
        /// The file.
        subject: &'a str,
        /// Bytes so far.
        done: u64,
        /// Bytes in all, when that is known.
        total: Option<u64>,
    },
    /// The store had a file whose bytes have changed. It is removed, and fetched again.
    Damaged {
        /// The file.
        subject: &'a str,
    },
}

/// A file to download.
#[derive(Clone, Debug)]
pub struct Wanted<'a> {
    /// Where it is.
    pub url: &'a Url,
    /// How it is called, in messages and in the store.
    pub file_name: &'a str,
    /// What it must be; a file without a known digest is taken as it comes.
    pub digest: Option<Digest>,
}

/// A document, and where it was in the end: links in it are relative to that.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) address: Url,
    pub(crate) bytes: Vec<u8>,
}

impl std::fmt::Debug for Downloads {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Downloads")
    }
}

impl Downloads {
    /// Downloads over `line` into `store`, with the credentials that `indexes` and the host's `.netrc` give.
    pub fn new(
        line: Line,
        store: Store,
        indexes: IndexSettings,
        host: Host,
        offline: bool,
        progress: Progress,
    ) -> Self {
        Self { inner: Arc::new(Inner { store, indexes, host, offline, line, progress }) }
    }

    /// Tells of documents.
    pub(crate) fn tell(&self, transfer: Transfer<'_>) {
        (self.inner.progress)(transfer);
    }

    /// The file, from the store or the network.
    ///
    /// What the store has is read before it is given out: what is made of it would be wrong for as long as its key
    /// is the same.
    pub async fn artifact(&self, wanted: &Wanted<'_>) -> Result<ArtifactFile, DownloadError> {
        let Some(digest) = wanted.digest else { return self.download(wanted).await };
        if let Some(artifact) = self.kept(wanted.file_name, digest).await? {
            return Ok(artifact);
        }
        let lease = lease(&self.inner.store, digest).await?;
        // Another process may have fetched it while this one waited.
        let artifact = match self.inner.store.artifact(&digest)? {
            Some(artifact) => artifact,
            None => self.download(wanted).await?,
        };
        drop(lease);
        self.inner.line.note_sound(digest);
        Ok(artifact)
    }

    /// A wheel, from the store or from where it is. One that is built has to be in the store.
    pub async fn wheel(
        &self,
        source: &WheelSource,
        file_name: &str,
        digest: Option<Digest>,
    ) -> Result<ArtifactFile, DownloadError> {
        let url = match source {
            WheelSource::Url(url) => url.clone(),
            WheelSource::Path(path) => Url::from_file_path(path).expect("a lock has absolute paths"),
            WheelSource::Built(_) => {
                let kept = match digest {
                    Some(digest) => self.kept(file_name, digest).await?,
                    None => None,
                };
                return kept.ok_or_else(|| DownloadError::NotBuilt { file_name: file_name.to_owned() });
            }
        };
        self.artifact(&Wanted { url: &url, file_name, digest }).await
    }

    /// The file of the store, if it is there and sound.
    async fn kept(&self, file_name: &str, digest: Digest) -> Result<Option<ArtifactFile>, DownloadError> {
        if !self.inner.line.is_sound(&digest) {
            let store = self.inner.store.clone();
            let looking = tokio::task::spawn_blocking(move || store.discard_damaged_artifact(&digest));
            match looking.await.expect("reading an artifact does not panic")? {
                Condition::Sound => self.inner.line.note_sound(digest),
                Condition::Absent => return Ok(None),
                Condition::Discarded { .. } => {
                    self.tell(Transfer::Damaged { subject: file_name });
                    return Ok(None);
                }
            }
        }
        Ok(self.inner.store.artifact(&digest)?)
    }

    /// The length of a file in bytes, without its content, when the store knows it or the server says it.
    pub async fn size(&self, wanted: &Wanted<'_>) -> Result<Option<u64>, DownloadError> {
        let known = wanted.digest.map(|digest| self.inner.store.artifact(&digest)).transpose()?.flatten();
        if let Some(artifact) = known {
            return Ok(Some(artifact.size));
        }
        if local_path(wanted.url).is_some() {
            return Ok(None);
        }
        let _permit = self.inner.line.permit().await;
        let mut backoff = Backoff::new(RETRY);
        loop {
            let length = self.size_once(wanted).await;
            if goes_on(length.as_ref().err(), &mut backoff).await {
                continue;
            }
            return match length {
                // Some servers answer no HEAD; the file says what it is.
                Err(DownloadError::Refused { .. }) => Ok(None),
                answer => answer,
            };
        }
    }

    async fn size_once(&self, wanted: &Wanted<'_>) -> Result<Option<u64>, DownloadError> {
        let response = self.send(self.request(Method::HEAD, wanted)?, wanted).await?;
        check_status(&response, wanted)?;
        let length = response.headers().get(CONTENT_LENGTH).and_then(|value| value.to_str().ok());
        Ok(length.and_then(|text| text.parse().ok()))
    }

    /// A small document; none when the server says that there is none.
    pub async fn document(&self, wanted: &Wanted<'_>) -> Result<Option<Vec<u8>>, DownloadError> {
        if let Some(path) = local_path(wanted.url) {
            let name = || wanted.file_name.to_owned();
            return match fs_err::read(path) {
                Ok(bytes) => Ok(Some(bytes)),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
                Err(source) => Err(StoreError::Source { name: name(), source }.into()),
            };
        }
        Ok(self.received(wanted, None).await?.map(|page| page.bytes))
    }

    /// A small document that a server has in several formats; none when there is none.
    pub(crate) async fn page(
        &self,
        wanted: &Wanted<'_>,
        accept: &str,
    ) -> Result<Option<Page>, DownloadError> {
        if local_path(wanted.url).is_some() {
            let bytes = self.document(wanted).await?;
            return Ok(bytes.map(|bytes| Page { address: wanted.url.clone(), bytes }));
        }
        self.received(wanted, Some(accept)).await
    }

    async fn received(
        &self,
        wanted: &Wanted<'_>,
        accept: Option<&str>,
    ) -> Result<Option<Page>, DownloadError> {
        let _permit = self.inner.line.permit().await;
        let mut backoff = Backoff::new(RETRY);
        loop {
            let page = self.received_once(wanted, accept).await;
            if !goes_on(page.as_ref().err(), &mut backoff).await {
                return page;
            }
        }
    }

    async fn received_once(
        &self,
        wanted: &Wanted<'_>,
        accept: Option<&str>,
    ) -> Result<Option<Page>, DownloadError> {
        let mut request = self.request(Method::GET, wanted)?;
        if let Some(accept) = accept {
            request = request.header(ACCEPT, accept);
        }
        let mut response = self.send(request, wanted).await?;
        let address = response.url().clone();
        if matches!(response.status(), StatusCode::NOT_FOUND | StatusCode::GONE) {
            return Ok(None);
        }
        check_status(&response, wanted)?;
        let mut bytes = Vec::new();
        while let Some(chunk) = next_chunk(&mut response, wanted).await? {
            bytes.extend_from_slice(&chunk);
            if bytes.len() as u64 > DOCUMENT_LIMIT {
                let (file_name, server) = names(wanted);
                return Err(DownloadError::TooLarge { file_name, server, limit: DOCUMENT_LIMIT });
            }
        }
        Ok(Some(Page { address, bytes }))
    }

    async fn download(&self, wanted: &Wanted<'_>) -> Result<ArtifactFile, DownloadError> {
        if let Some(path) = local_path(wanted.url) {
            let (store, digest, name) =
                (self.inner.store.clone(), wanted.digest, wanted.file_name.to_owned());
            let copied = tokio::task::spawn_blocking(move || {
                let file = fs_err::File::open(path)
                    .map_err(|source| StoreError::Source { name: name.clone(), source })?;
                store.insert_artifact(digest, &name, file)
            });
            return Ok(copied.await.expect("copying a file does not panic")?);
        }
        let _permit = self.inner.line.permit().await;
        let mut staging = self.inner.store.begin_artifact(wanted.file_name)?;
        let mut done = 0;
        let mut backoff = Backoff::new(RETRY);
        loop {
            let outcome = self.continue_download(wanted, &mut staging, &mut done).await;
            if !goes_on(outcome.as_ref().err(), &mut backoff).await {
                outcome?;
                break;
            }
        }
        let digest = wanted.digest;
        let committed = tokio::task::spawn_blocking(move || staging.commit(digest));
        Ok(committed.await.expect("keeping an artifact does not panic")?)
    }

    /// Asks for what is missing from `done` on. A server that sends all of it again has its beginning skipped.
    async fn continue_download(
        &self,
        wanted: &Wanted<'_>,
        staging: &mut ArtifactStaging,
        done: &mut u64,
    ) -> Result<(), DownloadError> {
        let mut request = self.request(Method::GET, wanted)?;
        if *done > 0 {
            request = request.header(RANGE, format!("bytes={done}-"));
        }
        let mut response = self.send(request, wanted).await?;
        check_status(&response, wanted)?;
        let partial = response.status() == StatusCode::PARTIAL_CONTENT;
        if partial && begins_at(response.headers()) != Some(*done) {
            let (file_name, server) = names(wanted);
            return Err(DownloadError::OtherPart { file_name, server });
        }
        let mut skip = if partial { 0 } else { *done };
        let total = response.content_length().map(|length| if partial { length + *done } else { length });
        while let Some(chunk) = next_chunk(&mut response, wanted).await? {
            let skipped = usize::try_from(skip).map_or(chunk.len(), |skip| skip.min(chunk.len()));
            skip -= skipped as u64;
            let other = |source| StoreError::Source { name: wanted.file_name.to_owned(), source };
            staging.write_all(&chunk[skipped..]).map_err(|error| StoreError::from_write(error, other))?;
            *done += (chunk.len() - skipped) as u64;
            (self.inner.progress)(Transfer::Progress { subject: wanted.file_name, done: *done, total });
        }
        Ok(())
    }

    fn request(&self, method: Method, wanted: &Wanted<'_>) -> Result<RequestBuilder, DownloadError> {
        if self.inner.offline {
            return Err(DownloadError::Offline { file_name: wanted.file_name.to_owned() });
        }
        let client = self.inner.line.client().map_err(|source| transport(wanted, source))?;
        let request = client.request(method, wanted.url.clone());
        let credentials = self.inner.indexes.credentials(wanted.url, &self.inner.host);
        Ok(match credentials {
            Some(Credentials { user, password }) => request.basic_auth(user, Some(password)),
            None => request,
        })
    }

    async fn send(&self, request: RequestBuilder, wanted: &Wanted<'_>) -> Result<Response, DownloadError> {
        match tokio::time::timeout(IDLE_LIMIT, request.send()).await {
            Ok(answer) => answer.map_err(|error| transport(wanted, TransportError::of(error))),
            Err(_) => Err(transport(wanted, TransportError::TimedOut { limit: IDLE_LIMIT })),
        }
    }
}

/// Whether what failed is to be done again; waits for the time of that.
async fn goes_on(error: Option<&DownloadError>, backoff: &mut Backoff) -> bool {
    match error {
        Some(error) if error.is_transient() => backoff.wait(error.retry_after()).await,
        _ => false,
    }
}

async fn next_chunk(
    response: &mut Response,
    wanted: &Wanted<'_>,
) -> Result<Option<bytes::Bytes>, DownloadError> {
    match tokio::time::timeout(IDLE_LIMIT, response.chunk()).await {
        Ok(chunk) => chunk.map_err(|error| transport(wanted, TransportError::of(error))),
        Err(_) => Err(transport(wanted, TransportError::TimedOut { limit: IDLE_LIMIT })),
    }
}

fn check_status(response: &Response, wanted: &Wanted<'_>) -> Result<(), DownloadError> {
    if response.status().is_success() {
        return Ok(());
    }
    let (file_name, server) = names(wanted);
    let (status, retry_after) = (response.status(), retry_after(response.headers()));
    Err(DownloadError::Refused { file_name, server, status, retry_after })
}

fn transport(wanted: &Wanted<'_>, source: TransportError) -> DownloadError {
    let (file_name, server) = names(wanted);
    DownloadError::Transport { file_name, server, source }
}

fn names(wanted: &Wanted<'_>) -> (String, String) {
    (wanted.file_name.to_owned(), wanted.url.host_str().unwrap_or("this machine").to_owned())
}

/// The file of this machine that a URL names. `to_file_path` itself takes `http://localhost/x` for `/x`.
fn local_path(url: &Url) -> Option<PathBuf> {
    if url.scheme() == "file" { url.to_file_path().ok() } else { None }
}
