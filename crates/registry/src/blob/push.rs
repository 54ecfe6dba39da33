use std::sync::Arc;

use futures_util::FutureExt as _;
use imagewright_oci::{Digest, ImageReference};
use url::Url;

use super::session::{self, Started};
use super::source::{BlobSource, read_ahead};
use super::upload::{self, Chunks, ReadError};
use crate::auth::Scopes;
use crate::backoff::Backoff;
use crate::client::Client;
use crate::error::RegistryError;
use crate::exchange::Exchange;
use crate::operation::Operation;

/// Repositories a mount is asked from before the bytes are sent.
const MOST_MOUNTS: usize = 3;

/// How a blob came to be in a repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pushed {
    /// It was there.
    Present,
    /// The registry took it from another of its repositories.
    Mounted {
        /// That repository, without the registry.
        from: String,
    },
    /// Its bytes were sent.
    Uploaded {
        /// How many, failed tries not counted.
        bytes: u64,
    },
}

/// Where the bytes of an upload come from; asked again for every try.
pub(super) trait Supply: Sync {
    /// The digest the bytes have.
    fn digest(&self) -> Digest;
    /// How many they are.
    fn size(&self) -> u64;
    /// The bytes from the beginning.
    fn open(&self) -> impl Future<Output = Result<Chunks, ReadError>> + Send;
}

struct Local<'a>(&'a dyn BlobSource);

impl Supply for Local<'_> {
    fn digest(&self) -> Digest {
        self.0.digest()
    }

    fn size(&self) -> u64 {
        self.0.size()
    }

    async fn open(&self) -> Result<Chunks, ReadError> {
        let mut receiver = read_ahead(self.0.open().map_err(ReadError::Local)?);
        let chunks = futures_util::stream::poll_fn(move |context| receiver.poll_recv(context));
        Ok(Box::pin(futures_util::StreamExt::map(chunks, |chunk| chunk.map_err(ReadError::Local))))
    }
}

impl Client {
    /// Sees to it that a repository has a blob: looks, asks for a mount, uploads.
    ///
    /// `mount_from` are repositories that may have the blob; those of other registries are passed over.
    pub async fn push_blob(
        &self,
        repository: &ImageReference,
        blob: &dyn BlobSource,
        mount_from: &[ImageReference],
    ) -> Result<Pushed, RegistryError> {
        self.deliver(&repository.name_only(), &Local(blob), mount_from).await
    }

    pub(super) async fn deliver(
        &self,
        repository: &ImageReference,
        supply: &impl Supply,
        mount_from: &[ImageReference],
    ) -> Result<Pushed, RegistryError> {
        let exchange = self.exchange(repository)?;
        let slot = self.uploads().slot(repository, supply.digest());
        let _turn = slot.turn().await;
        if slot.is_present_in(repository) {
            return Ok(Pushed::Present);
        }
        let mut candidates: Vec<ImageReference> = mount_from.iter().map(ImageReference::name_only).collect();
        candidates.extend(
            slot.repositories()
                .iter()
                .filter_map(|name| ImageReference::new(Some(repository.registry()), name, None, None).ok()),
        );
        candidates.retain(|from| from.registry() == repository.registry() && from != repository);
        let pushed = push(&exchange, repository, supply, &candidates).boxed().await?;
        slot.set_present_in(repository);
        Ok(pushed)
    }
}

async fn push(
    exchange: &Arc<Exchange>,
    repository: &ImageReference,
    supply: &impl Supply,
    candidates: &[ImageReference],
) -> Result<Pushed, RegistryError> {
    let digest = supply.digest();
    match session::has_blob(exchange, repository, digest, Scopes::push(repository)).await {
        Ok(true) => return Ok(Pushed::Present),
        // Some registries forbid the question to those who may push; the upload will tell.
        Ok(false) | Err(RegistryError::Forbidden { .. }) => {}
        Err(error) => return Err(error),
    }
    let mut session = None;
    for from in candidates.iter().take(MOST_MOUNTS) {
        let started = session::start(exchange, repository, digest, Some(from)).await;
        if let Some(unused) = session.take() {
            session::cancel(exchange, repository, digest, unused).await;
        }
        match started {
            Ok(Started::Mounted) => return Ok(Pushed::Mounted { from: from.repository().to_owned() }),
            Ok(Started::Session(url)) => session = Some(url),
            // Not allowed to read there, or the registry knows no mounts: the bytes are sent.
            Err(error) if !error.is_transient() => {}
            Err(error) => return Err(error),
        }
    }
    upload_with_retries(exchange, repository, supply, session).await
}

async fn upload_with_retries(
    exchange: &Arc<Exchange>,
    repository: &ImageReference,
    supply: &impl Supply,
    mut session: Option<Url>,
) -> Result<Pushed, RegistryError> {
    let _permit = exchange.uploads.acquire().await;
    let mut backoff = Backoff::new(exchange.retry);
    loop {
        let tries = backoff.tries();
        let error = match upload_once(exchange, repository, supply, session.take(), tries).await {
            Ok(()) => return Ok(Pushed::Uploaded { bytes: supply.size() }),
            Err(error) => error,
        };
        if is_worth_a_look(&error)
            && session::has_blob(exchange, repository, supply.digest(), Scopes::push(repository)).await?
        {
            return Ok(Pushed::Uploaded { bytes: supply.size() });
        }
        if !is_repeatable(&error, tries) || !backoff.wait(error.retry_after()).await {
            return Err(error);
        }
    }
}

async fn upload_once(
    exchange: &Arc<Exchange>,
    repository: &ImageReference,
    supply: &impl Supply,
    session: Option<Url>,
    tries: u32,
) -> Result<(), RegistryError> {
    let digest = supply.digest();
    let mut url = match session {
        Some(url) => url,
        None => match session::start(exchange, repository, digest, None).await? {
            Started::Session(url) => url,
            Started::Mounted => return Ok(()),
        },
    };
    if supply.size() > 0 {
        let sent = match supply.open().await {
            Ok(chunks) => {
                upload::patch(exchange, repository, digest, supply.size(), &url, chunks, tries).await
            }
            Err(error) => Err(upload::read_error(repository, digest, error)),
        };
        url = match sent {
            Ok(url) => url,
            Err(error) => {
                session::cancel(exchange, repository, digest, url).await;
                return Err(error);
            }
        };
    }
    session::commit(exchange, repository, digest, &url, tries).await
}

/// Whether the registry may have accepted the blob although the answer to the commit was another, or got lost.
fn is_worth_a_look(error: &RegistryError) -> bool {
    match error {
        RegistryError::Unanswered { attempt, .. } => matches!(attempt.operation, Operation::CommitBlob(_)),
        RegistryError::Refused { attempt, refusal, .. } => {
            let is_lost_session = refusal.status == reqwest::StatusCode::NOT_FOUND;
            matches!(attempt.operation, Operation::CommitBlob(_))
                && (is_lost_session || refusal.is_transient())
        }
        _ => false,
    }
}

/// Whether a fresh session may succeed where this one failed.
fn is_repeatable(error: &RegistryError, tries: u32) -> bool {
    match error {
        // A token that ran out while the bytes went, and a session or its bytes lost on the way.
        RegistryError::LoginRefused { attempt, .. } => {
            tries == 1 && matches!(attempt.operation, Operation::UploadBlob(_))
        }
        RegistryError::Refused { attempt, refusal, .. } => {
            let in_session = matches!(attempt.operation, Operation::UploadBlob(_) | Operation::CommitBlob(_));
            let is_lost = matches!(refusal.status.as_u16(), 404 | 416)
                || refusal.answer.has("DIGEST_INVALID")
                || refusal.answer.has("BLOB_UPLOAD_UNKNOWN");
            refusal.is_transient() || (in_session && is_lost)
        }
        other => other.is_transient(),
    }
}
