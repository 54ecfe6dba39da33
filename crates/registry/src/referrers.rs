use bytes::Bytes;
use imagewright_oci::MediaType;
use imagewright_oci::{Annotations, Descriptor, Digest, ImageIndex, ImageManifest, ImageReference, Manifest};
use reqwest::header::{ACCEPT, HeaderValue};
use reqwest::{Method, StatusCode};

use crate::auth::Scopes;
use crate::client::Client;
use crate::error::RegistryError;
use crate::exchange::{Call, Reply};
use crate::manifest::FetchedManifest;
use crate::operation::Operation;
use crate::reading::read_limited;

/// The largest list of referrers that is read, in bytes.
const LIST_LIMIT: usize = 16 << 20;

impl Client {
    /// What is attached to a manifest: descriptors of manifests whose `subject` it is, in the registry's order.
    ///
    /// Registries without the referrers API (404) keep the list in a tag named after the digest.
    pub async fn referrers(
        &self,
        repository: &ImageReference,
        subject: Digest,
        artifact_type: Option<&str>,
    ) -> Result<Vec<Descriptor>, RegistryError> {
        let exchange = self.exchange(repository)?;
        let mut url = exchange.endpoint.referrers(repository, subject);
        if let Some(wanted) = artifact_type {
            url.query_pairs_mut().append_pair("artifactType", wanted);
        }
        let (scopes, limit) = (Scopes::pull(repository), exchange.timeouts.answer);
        let operation = Operation::ListReferrers(subject);
        let mut call = Call::new(operation, repository, Method::GET, url, scopes, limit);
        call.reads = Some(LIST_LIMIT);
        call.headers.insert(ACCEPT, HeaderValue::from_static("application/vnd.oci.image.index.v1+json"));
        let index = match exchange.send(&call, |_| false).await? {
            Reply::Accepted { response, origin } => {
                let bytes = read_limited(response, LIST_LIMIT, limit)
                    .await
                    .map_err(|cause| exchange.unanswered(&call, cause, &origin, 1))?;
                serde_json::from_slice::<ImageIndex>(&bytes)
                    .map_err(|_| exchange.bad_answer(&call, &origin, "is no list of referrers"))?
            }
            Reply::Refused { refusal, .. }
                if matches!(refusal.status, StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED) =>
            {
                self.fallback(repository, subject).await?
            }
            Reply::Refused { refusal, origin, tries, .. } => {
                return Err(exchange.refused(&call, refusal, &origin, tries));
            }
        };
        // A registry may pass over the filter, and the fallback tag has none.
        let is_wanted = |entry: &Descriptor| {
            artifact_type.is_none_or(|wanted| entry.artifact_type.as_deref() == Some(wanted))
        };
        Ok(index.manifests.into_iter().filter(is_wanted).collect())
    }

    /// Lists a manifest that was just pushed in its subject's fallback tag.
    ///
    /// Two processes that do this at once may lose one entry: the specification knows no lock. So the list is read
    /// again afterwards, and written once more when the entry is missing.
    pub(crate) async fn list_in_fallback(
        &self,
        repository: &ImageReference,
        pushed: &Descriptor,
        bytes: &[u8],
    ) -> Result<(), RegistryError> {
        let Ok(manifest) = serde_json::from_slice::<ImageManifest>(bytes) else { return Ok(()) };
        let Some(subject) = manifest.subject else { return Ok(()) };
        let artifact_type =
            manifest.artifact_type.unwrap_or_else(|| manifest.config.media_type.as_str().to_owned());
        let entry = Descriptor {
            artifact_type: Some(artifact_type),
            annotations: manifest.annotations,
            ..pushed.clone()
        };
        for _ in 0..2 {
            let index = self.fallback(repository, subject.digest).await?;
            if index.manifests.iter().any(|listed| listed.digest == entry.digest) {
                return Ok(());
            }
            let mut manifests = index.manifests;
            manifests.push(entry.clone());
            let bytes = Bytes::from(ImageIndex::new(manifests, Annotations::new()).to_bytes());
            // Boxed, because pushing a manifest may list it, which pushes a manifest.
            let tag = fallback_tag(repository, subject.digest);
            Box::pin(self.put_manifest(&tag, &MediaType::OciIndex, bytes)).await?;
        }
        Ok(())
    }

    async fn fallback(
        &self,
        repository: &ImageReference,
        subject: Digest,
    ) -> Result<ImageIndex, RegistryError> {
        let exchange = self.exchange(repository)?;
        let tag = fallback_tag(repository, subject);
        let found = crate::manifest::get(&exchange, &tag).await?;
        let parse =
            |FetchedManifest { descriptor, bytes }| Manifest::parse(&descriptor.media_type, &bytes).ok();
        Ok(match found.and_then(parse) {
            Some(Manifest::Index(index)) => index,
            Some(Manifest::Image(_)) | None => ImageIndex::new(Vec::new(), Annotations::new()),
        })
    }
}

/// `sha256-<hex>`, by the referrers tag schema of the distribution specification.
fn fallback_tag(repository: &ImageReference, subject: Digest) -> ImageReference {
    let tag = format!("sha256-{}", subject.hex());
    repository.with_tag(&tag).expect("71 letters, digits and a dash are a tag")
}
