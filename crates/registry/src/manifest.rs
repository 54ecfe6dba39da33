use bytes::Bytes;
use futures_util::FutureExt as _;
use imagewright_oci::{Descriptor, Digest, ImageReference, MediaType};
use reqwest::header::{ACCEPT, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderValue};
use reqwest::{Method, StatusCode};

use crate::auth::Scopes;
use crate::client::Client;
use crate::error::{Refusal, RegistryError};
use crate::exchange::{Call, Exchange, Reply};
use crate::operation::Operation;
use crate::reading::read_limited;

/// The manifests asked for, OCI's and Docker's.
const ACCEPTED: &str = "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, \
    application/vnd.docker.distribution.manifest.list.v2+json, \
    application/vnd.docker.distribution.manifest.v2+json, application/json;q=0.5";

/// The largest manifest that is read, in bytes; the specification asks registries to take 4 MiB.
const MANIFEST_LIMIT: usize = 16 << 20;

/// The header with a manifest's digest.
const CONTENT_DIGEST: &str = "docker-content-digest";

/// A manifest as it came, verified against the digest it was asked for by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FetchedManifest {
    /// Its type, digest and size.
    pub descriptor: Descriptor,
    /// Its bytes, which the digest covers.
    pub bytes: Bytes,
}

impl Client {
    /// What is at a tag or digest: none when the registry says that nothing is.
    ///
    /// Asks the registry itself, never a mirror, which may be behind. Anything that is neither a manifest nor the
    /// registry's word that there is none is an error: existence is then unknown.
    pub async fn head_manifest(
        &self,
        reference: &ImageReference,
    ) -> Result<Option<Descriptor>, RegistryError> {
        let exchange = self.exchange(reference)?;
        head(&exchange, reference).await
    }

    /// As [`Self::head_manifest`], asking the mirrors first: for what is about to be pulled.
    pub async fn resolve_manifest(
        &self,
        reference: &ImageReference,
    ) -> Result<Option<Descriptor>, RegistryError> {
        self.pulling(reference, |exchange| async move { head(&exchange, reference).await }.boxed()).await
    }

    /// The manifest at a tag or digest, from a mirror or the registry; none when there is none.
    pub async fn get_manifest(
        &self,
        reference: &ImageReference,
    ) -> Result<Option<FetchedManifest>, RegistryError> {
        self.pulling(reference, |exchange| async move { get(&exchange, reference).await }.boxed()).await
    }

    /// Uploads a manifest under the reference's tag, or its digest when it has no tag.
    ///
    /// The digest that the registry computed is compared with ours. A manifest with a `subject` is also listed in
    /// the fallback tag of registries without the referrers API.
    pub async fn put_manifest(
        &self,
        reference: &ImageReference,
        media_type: &MediaType,
        bytes: Bytes,
    ) -> Result<Descriptor, RegistryError> {
        let exchange = self.exchange(reference)?;
        let descriptor = Descriptor::of(media_type.clone(), &bytes);
        let name = match reference.tag() {
            Some(tag) => tag.to_owned(),
            None => descriptor.digest.to_string(),
        };
        let url = exchange.endpoint.manifest(reference, &name);
        let scopes = Scopes::push(reference);
        let mut call =
            Call::new(Operation::PutManifest, reference, Method::PUT, url, scopes, exchange.timeouts.commit);
        let content_type = HeaderValue::from_str(media_type.as_str());
        call.headers.insert(CONTENT_TYPE, content_type.expect("a media type has no control characters"));
        call.body = Some(bytes.clone());
        match exchange.send(&call, |_| false).await? {
            Reply::Accepted { response, origin } => {
                let received = digest_header(response.headers());
                if received.is_some_and(|received| received != descriptor.digest) {
                    return Err(exchange.bad_answer(
                        &call,
                        &origin,
                        "has another digest than the manifest sent",
                    ));
                }
                if !response.headers().contains_key("oci-subject") {
                    self.list_in_fallback(reference, &descriptor, &bytes).await?;
                }
                Ok(descriptor)
            }
            Reply::Refused { refusal, origin, tries, .. } => {
                let attempt = || Box::new(exchange.attempt(&call, &origin));
                if says_immutable(&refusal) {
                    // It may be ours: a try whose answer was lost, or another process with the same lock.
                    let there = head(&exchange, reference).await?;
                    if there.is_some_and(|there| there.digest == descriptor.digest) {
                        return Ok(descriptor);
                    }
                    return Err(RegistryError::TagImmutable {
                        attempt: attempt(),
                        refusal: Box::new(refusal),
                    });
                }
                if refusal.answer.has("MANIFEST_BLOB_UNKNOWN") || refusal.answer.has("BLOB_UNKNOWN") {
                    self.forget_blobs(reference);
                    return Err(RegistryError::BlobUnknown {
                        attempt: attempt(),
                        refusal: Box::new(refusal),
                    });
                }
                Err(exchange.refused(&call, refusal, &origin, tries))
            }
        }
    }
}

async fn head(exchange: &Exchange, reference: &ImageReference) -> Result<Option<Descriptor>, RegistryError> {
    let call = manifest_call(exchange, reference, Operation::HeadManifest, Method::HEAD);
    // An answer to HEAD has no body, so whether a 500 is Harbor's "not found" is asked with GET, at once.
    match exchange.send(&call, is_500).await? {
        Reply::Accepted { response, .. } => match described(response.headers()) {
            Some(descriptor) => Ok(Some(descriptor)),
            None => Ok(get(exchange, reference).await?.map(|manifest| manifest.descriptor)),
        },
        Reply::Refused { refusal, headers, .. }
            if refusal.status == StatusCode::NOT_FOUND && is_registry(&headers) =>
        {
            Ok(None)
        }
        Reply::Refused { refusal, origin, tries, .. } if refusal.is_transient() && !is_500(&refusal) => {
            Err(exchange.refused(&call, refusal, &origin, tries))
        }
        // The words of the refusal are worth a request.
        Reply::Refused { .. } => Ok(get(exchange, reference).await?.map(|manifest| manifest.descriptor)),
    }
}

pub(crate) async fn get(
    exchange: &Exchange,
    reference: &ImageReference,
) -> Result<Option<FetchedManifest>, RegistryError> {
    match get_once(exchange, reference).await {
        // A proxy's bad copy may be gone the next time; twice the same is a lie.
        Err(RegistryError::Corrupt { .. }) => get_once(exchange, reference).await,
        settled => settled,
    }
}

async fn get_once(
    exchange: &Exchange,
    reference: &ImageReference,
) -> Result<Option<FetchedManifest>, RegistryError> {
    let call = manifest_call(exchange, reference, Operation::GetManifest, Method::GET);
    let reply = exchange.send(&call, |refusal| refusal.answer.says_repository_not_found()).await?;
    let (response, origin) = match reply {
        Reply::Accepted { response, origin } => (response, origin),
        Reply::Refused { refusal, .. } if says_not_there(&refusal) => return Ok(None),
        Reply::Refused { refusal, origin, .. } if refusal.status == StatusCode::NOT_FOUND => {
            let attempt = Box::new(exchange.attempt(&call, &origin));
            return Err(RegistryError::NotARegistry { attempt, refusal: Box::new(refusal) });
        }
        refused @ Reply::Refused { .. } => refused.accepted(exchange, &call)?,
    };
    let media_type = media_type(response.headers());
    let claimed = digest_header(response.headers());
    let bytes = read_limited(response, MANIFEST_LIMIT, call.limit)
        .await
        .map_err(|cause| exchange.unanswered(&call, cause, &origin, 1))?;
    if bytes.len() >= MANIFEST_LIMIT {
        return Err(exchange.bad_answer(&call, &origin, "has a manifest of 16 MiB or more"));
    }
    let descriptor = Descriptor::of(media_type, &bytes);
    if let Some(expected) = reference.digest().or(claimed).filter(|digest| *digest != descriptor.digest) {
        return Err(RegistryError::Corrupt {
            attempt: Box::new(exchange.attempt(&call, &origin)),
            expected,
            expected_size: descriptor.size,
            received: descriptor.digest,
            received_size: descriptor.size,
        });
    }
    Ok(Some(FetchedManifest { descriptor, bytes }))
}

fn manifest_call<'a>(
    exchange: &Exchange,
    reference: &'a ImageReference,
    operation: Operation,
    method: Method,
) -> Call<'a> {
    let url = exchange.endpoint.manifest(reference, &reference.manifest_name());
    let scopes = Scopes::pull(&exchange.named(reference));
    let mut call = Call::new(operation, reference, method, url, scopes, exchange.timeouts.answer);
    call.reads = Some(MANIFEST_LIMIT);
    call.headers.insert(ACCEPT, HeaderValue::from_static(ACCEPTED));
    call
}

/// The descriptor in the headers of a HEAD answer, when they have all of it.
fn described(headers: &HeaderMap) -> Option<Descriptor> {
    let digest = digest_header(headers)?;
    let size = headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok().filter(|size| *size > 0)?;
    Some(Descriptor::new(media_type(headers), digest, size))
}

/// Registries may also name digests of other algorithms, which are as good as none to us.
fn digest_header(headers: &HeaderMap) -> Option<Digest> {
    headers.get(CONTENT_DIGEST)?.to_str().ok()?.parse().ok()
}

/// The content type without parameters.
fn media_type(headers: &HeaderMap) -> MediaType {
    let value = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    value.split(';').next().unwrap_or_default().trim().into()
}

fn is_500(refusal: &Refusal) -> bool {
    refusal.status == StatusCode::INTERNAL_SERVER_ERROR
}

/// Whether an answer without a body comes from a registry at all.
fn is_registry(headers: &HeaderMap) -> bool {
    headers.contains_key("docker-distribution-api-version")
}

/// Whether a refusal is the registry's word that there is no such manifest, or no such repository.
///
/// A 404 counts when it comes with the registry's error document (ECR's for a missing repository does), a 500
/// when it is Harbor's for a missing repository.
fn says_not_there(refusal: &Refusal) -> bool {
    let answer = &refusal.answer;
    match refusal.status {
        StatusCode::NOT_FOUND => {
            !answer.errors.is_empty() && !answer.has("DENIED") && !answer.has("UNAUTHORIZED")
        }
        StatusCode::INTERNAL_SERVER_ERROR => answer.says_repository_not_found(),
        _ => false,
    }
}

/// Whether a refusal of a push says that the tag is there and is to stay; every registry has its own words.
fn says_immutable(refusal: &Refusal) -> bool {
    let answer = &refusal.answer;
    matches!(refusal.status.as_u16(), 400 | 403 | 405 | 409 | 412 | 422)
        && (answer.mentions("immutab")
            || answer.mentions("cannot be overwritten")
            || answer.mentions("imagetagalreadyexists")
            || (answer.mentions("tag") && answer.mentions("already exists")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::answer::Answer;

    fn refusal(status: u16, body: &str) -> Refusal {
        let status = StatusCode::from_u16(status).unwrap();
        Refusal { status, answer: Answer::parse(body.as_bytes()), retry_after: None }
    }

    #[test]
    fn not_there_is_told_from_unknown() {
        let error = |code: &str, message: &str| {
            format!(r#"{{"errors":[{{"code":"{code}","message":"{message}"}}]}}"#)
        };
        let cases = [
            (404, error("MANIFEST_UNKNOWN", "manifest unknown"), true),
            (404, error("NAME_UNKNOWN", "The repository with name 'app' does not exist"), true),
            (500, error("UNKNOWN", "unknown: repository team/app not found"), true),
            (500, error("UNKNOWN", "internal error"), false),
            (404, "<html>nginx</html>".to_owned(), false),
            (404, error("DENIED", "requested access to the resource is denied"), false),
            (403, error("NAME_UNKNOWN", "x"), false),
        ];
        for (status, body, expected) in cases {
            assert_eq!(says_not_there(&refusal(status, &body)), expected, "{status} {body}");
        }
    }

    #[test]
    fn immutable_tags_in_the_words_of_registries() {
        let cases = [
            (
                400,
                "TAG_INVALID",
                "The image tag '1' already exists in the 'app' repository and cannot be overwritten because the repository is immutable.",
            ),
            (400, "ImageTagAlreadyExistsException", ""),
            (412, "PRECONDITION", "Failed to process request due to 'app:1' configured as immutable."),
            (409, "TAG_IMMUTABLE", "tag is immutable"),
        ];
        for (status, code, message) in cases {
            let body = format!(r#"{{"errors":[{{"code":"{code}","message":"{message}"}}]}}"#);
            assert!(says_immutable(&refusal(status, &body)), "{body}");
        }
        assert!(!says_immutable(&refusal(400, r#"{"errors":[{"code":"MANIFEST_INVALID"}]}"#)));
        assert!(!says_immutable(&refusal(500, "immutable")));
    }
}
