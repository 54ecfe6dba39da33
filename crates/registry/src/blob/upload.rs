use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use futures_util::Stream;
use futures_util::StreamExt as _;
use imagewright_oci::{Digest, ImageReference};
use reqwest::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE};
use reqwest::{Body, Method};
use tokio::sync::Mutex;
use url::Url;

use crate::auth::Scopes;
use crate::credentials::Origin;
use crate::error::RegistryError;
use crate::exchange::{Call, Exchange};
use crate::operation::{Attempt, Operation};
use crate::transport::TransportError;

/// The bytes of one try of an upload.
pub(super) type Chunks = std::pin::Pin<Box<dyn Stream<Item = Result<Bytes, ReadError>> + Send>>;

/// Why the bytes to upload did not come.
#[derive(Debug)]
pub(super) enum ReadError {
    /// They are on this machine.
    Local(io::Error),
    /// They are in another registry.
    Remote(RegistryError),
}

/// Sends the bytes of a blob in one request, and gives the URL at which the upload goes on.
///
/// One PATCH with its length and without a range: registries disagree on the sizes of parts.
pub(super) async fn patch(
    exchange: &Exchange,
    repository: &ImageReference,
    digest: Digest,
    size: u64,
    session: &Url,
    chunks: Chunks,
    tries: u32,
) -> Result<Url, RegistryError> {
    let scopes = Scopes::push(repository);
    let limit = exchange.timeouts.commit;
    let call =
        Call::new(Operation::UploadBlob(digest), repository, Method::PATCH, session.clone(), scopes, limit);
    let authorization = exchange.authorize(&call, tries).await?;
    let unanswered = |cause| exchange.unanswered(&call, cause, &authorization.origin, tries);
    let failure = Arc::new(Mutex::new(None));
    let sent = Arc::new(AtomicU64::new(0));
    let body = checked(chunks, size, exchange, Arc::clone(&sent), Arc::clone(&failure));
    let client = exchange.transport.client(session).map_err(unanswered)?;
    let mut request = client
        .request(Method::PATCH, session.clone())
        .header(CONTENT_TYPE, "application/octet-stream")
        .header(CONTENT_LENGTH, size)
        .body(Body::wrap_stream(body));
    if let Some(header) = exchange.header_for(session, &authorization) {
        request = request.header(AUTHORIZATION, header);
    }
    exchange.transport.counters.request(session);
    let answer = watched(exchange, &sent, size, request.send()).await;
    if let Some(failure) = failure.lock().await.take() {
        return Err(read_error(repository, digest, failure));
    }
    let response = answer.map_err(unanswered)?;
    let reply = exchange.reply(&call, response, authorization.origin.clone(), tries).await?;
    let (response, origin) = reply.accepted(exchange, &call)?;
    exchange.target(&call, &response, session, &origin)
}

/// What a failure to read means for the upload.
pub(super) fn read_error(repository: &ImageReference, digest: Digest, error: ReadError) -> RegistryError {
    match error {
        ReadError::Local(source) => {
            let attempt = Attempt {
                operation: Operation::UploadBlob(digest),
                reference: repository.clone(),
                mirror: None,
                scopes: Scopes::push(repository),
                origin: Origin::default(),
            };
            RegistryError::Source { attempt: Box::new(attempt), source }
        }
        ReadError::Remote(error) => error,
    }
}

/// The body of the request: counts what goes out, keeps the first failure to read, ends at the right length only.
fn checked(
    chunks: Chunks,
    size: u64,
    exchange: &Exchange,
    sent: Arc<AtomicU64>,
    failure: Arc<Mutex<Option<ReadError>>>,
) -> impl Stream<Item = io::Result<Bytes>> + Send + 'static {
    let transport = exchange.transport.clone();
    let end = futures_util::stream::once(async { Ok(Bytes::new()) });
    chunks.chain(end).then(move |chunk| {
        let (transport, sent, failure) = (transport.clone(), Arc::clone(&sent), Arc::clone(&failure));
        async move {
            let problem = match chunk {
                Ok(bytes) => {
                    let before = sent.fetch_add(bytes.len() as u64, Ordering::Relaxed);
                    let now = before + bytes.len() as u64;
                    if now <= size && (!bytes.is_empty() || now == size) {
                        transport.counters.sent(bytes.len());
                        return Ok(bytes);
                    }
                    let length = format!("it has {now} bytes where {size} were announced");
                    ReadError::Local(io::Error::new(io::ErrorKind::InvalidData, length))
                }
                Err(error) => error,
            };
            *failure.lock().await = Some(problem);
            Err(io::Error::other("the blob cannot be read"))
        }
    })
}

/// Waits for the answer, but not for an upload that stands still.
async fn watched(
    exchange: &Exchange,
    sent: &AtomicU64,
    size: u64,
    answer: impl Future<Output = reqwest::Result<reqwest::Response>>,
) -> Result<reqwest::Response, TransportError> {
    let mut answer = std::pin::pin!(answer);
    loop {
        let before = sent.load(Ordering::Relaxed);
        // With all bytes handed over, the registry may take its time to store them.
        let limit = if before >= size { exchange.timeouts.commit } else { exchange.timeouts.idle };
        match tokio::time::timeout(limit, &mut answer).await {
            Ok(answer) => return answer.map_err(TransportError::of),
            Err(_) if sent.load(Ordering::Relaxed) != before => {}
            Err(_) => return Err(TransportError::TimedOut { limit }),
        }
    }
}
