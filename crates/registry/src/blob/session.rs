//! The requests that an upload is made of.

use std::time::Duration;

use imagewright_oci::{Digest, ImageReference};
use reqwest::header::{CONTENT_LENGTH, HeaderValue};
use reqwest::{Method, StatusCode};
use url::Url;

use crate::auth::Scopes;
use crate::error::RegistryError;
use crate::exchange::{Call, Exchange, Reply};
use crate::operation::Operation;

/// How long the cancellation of an upload session is waited for.
const CANCEL_LIMIT: Duration = Duration::from_secs(2);

/// What a registry answered to the start of an upload.
#[derive(Debug)]
pub(super) enum Started {
    /// It took the blob from the other repository.
    Mounted,
    /// It waits for bytes at this URL.
    Session(Url),
}

/// Asks whether a blob is in a repository.
pub(super) async fn has_blob(
    exchange: &Exchange,
    repository: &ImageReference,
    digest: Digest,
    scopes: Scopes,
) -> Result<bool, RegistryError> {
    let url = exchange.endpoint.blob(repository, digest);
    let limit = exchange.timeouts.answer;
    let call = Call::new(Operation::HeadBlob(digest), repository, Method::HEAD, url, scopes, limit);
    match exchange.send(&call, |_| false).await? {
        Reply::Accepted { .. } => Ok(true),
        Reply::Refused { refusal, .. } if refusal.status == StatusCode::NOT_FOUND => Ok(false),
        refused @ Reply::Refused { .. } => refused.accepted(exchange, &call).map(|_| true),
    }
}

/// Opens an upload session, or has the blob mounted from another repository of the registry.
///
/// `mount` is never sent without `from`, which some registries refuse. A registry that does not mount answers with
/// a session, which the upload then uses.
pub(super) async fn start(
    exchange: &Exchange,
    repository: &ImageReference,
    digest: Digest,
    from: Option<&ImageReference>,
) -> Result<Started, RegistryError> {
    let mut url = exchange.endpoint.uploads(repository);
    let mut scopes = Scopes::push(repository);
    if let Some(from) = from {
        url.query_pairs_mut()
            .append_pair("mount", &digest.to_string())
            .append_pair("from", &exchange.endpoint.repository(from));
        scopes = Scopes::mount(repository, from);
    }
    let limit = exchange.timeouts.answer;
    let mut call =
        Call::new(Operation::StartUpload(digest), repository, Method::POST, url.clone(), scopes, limit);
    call.headers.insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
    let (response, origin) = exchange.send(&call, |_| false).await?.accepted(exchange, &call)?;
    match response.status() {
        StatusCode::CREATED if from.is_some() => Ok(Started::Mounted),
        StatusCode::ACCEPTED => exchange.target(&call, &response, &url, &origin).map(Started::Session),
        _ => Err(exchange.bad_answer(&call, &origin, "to the start of an upload is neither 201 nor 202")),
    }
}

/// Asks for the uploaded bytes to become the blob; sent once, for a lost answer must be looked into first.
pub(super) async fn commit(
    exchange: &Exchange,
    repository: &ImageReference,
    digest: Digest,
    session: &Url,
    tries: u32,
) -> Result<(), RegistryError> {
    let mut url = session.clone();
    url.query_pairs_mut().append_pair("digest", &digest.to_string());
    let (scopes, limit) = (Scopes::push(repository), exchange.timeouts.commit);
    let mut call = Call::new(Operation::CommitBlob(digest), repository, Method::PUT, url, scopes, limit);
    call.headers.insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
    exchange.send_once(&call, tries).await?.accepted(exchange, &call).map(drop)
}

/// Tells the registry that a session will not be used; it would otherwise keep it for days.
///
/// Whether it listens does not matter to the upload, so nothing is said when it does not.
pub(super) async fn cancel(exchange: &Exchange, repository: &ImageReference, digest: Digest, session: Url) {
    let scopes = Scopes::push(repository);
    let call =
        Call::new(Operation::StartUpload(digest), repository, Method::DELETE, session, scopes, CANCEL_LIMIT);
    drop(exchange.send_once(&call, 1).await);
}
