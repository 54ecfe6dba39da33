//! An image that is there, in the store or in a registry: its documents, none of its layers.

use std::io::Read as _;

use imagewright_lock::python::Refresh;
use imagewright_oci::Manifest;
use imagewright_oci::{
    Descriptor, DiffId, Digest, ImageConfig, ImageIndex, ImageManifest, ImageReference, Platform,
};
use imagewright_spec::BuilderName;
use imagewright_store::Store;

use crate::BuildError;
use crate::existence::Existence;
use crate::image::{BASE_DIGEST, BASE_NAME, LAYER_KEY};
use crate::job::Job;
use crate::native::{BuildRequest, Machine};
use crate::noop::base_reference;

/// The image of one platform.
#[derive(Clone, Debug)]
pub struct FoundImage {
    /// What it was asked for by.
    pub reference: ImageReference,
    /// The digest of its manifest.
    pub digest: Digest,
    /// Its manifest.
    pub manifest: ImageManifest,
    /// Its configuration.
    pub config: ImageConfig,
    /// The index that it was found in, when the reference is that of several images.
    pub index: Option<FoundIndex>,
    /// The images that it was built on, from the nearest to the farthest that the store knows.
    pub(crate) bases: Vec<ImageReference>,
    /// The bytes that the manifest's digest covers.
    pub(crate) manifest_bytes: Vec<u8>,
    /// The bytes that the configuration's digest covers.
    pub(crate) config_bytes: Vec<u8>,
}

/// The images of several platforms under one name.
#[derive(Clone, Debug)]
pub struct FoundIndex {
    /// The digest of the index.
    pub digest: Digest,
    /// What it lists.
    pub index: ImageIndex,
    /// The bytes that the digest covers.
    pub(crate) bytes: Vec<u8>,
}

impl FoundImage {
    /// The digest that the image was asked for by: that of its index, if it is in one.
    pub(crate) fn root_digest(&self) -> Digest {
        self.index.as_ref().map_or(self.digest, |index| index.digest)
    }

    /// The layers, lowest first, with the digests of their tar streams.
    pub fn layers(&self) -> impl Iterator<Item = (&Descriptor, DiffId)> {
        self.manifest.layers.iter().zip(self.config.rootfs.diff_ids.iter().copied())
    }

    /// The repositories that may have a layer, the likeliest first: an image that was never pushed has only its
    /// base's layers in a registry.
    pub(crate) fn repositories_with(&self, layer: &Descriptor) -> Vec<ImageReference> {
        let mut repositories = vec![self.reference.name_only()];
        repositories.extend(self.bases.iter().map(ImageReference::name_only));
        if !layer.annotations.contains_key(LAYER_KEY) {
            repositories.reverse();
        }
        repositories.dedup();
        repositories
    }
}

impl Machine {
    /// The image that a reference names: as the store knows its tag, else as its registry has it.
    pub async fn find(
        &self,
        reference: &ImageReference,
        platform: &Platform,
    ) -> Result<FoundImage, BuildError> {
        let digest = match (reference.digest(), reference.tag()) {
            (Some(digest), _) => digest,
            (None, Some(_)) => self.tagged(reference, platform).await?,
            (None, None) => self.tagged(&reference.with_tag("latest")?, platform).await?,
        };
        self.documents(reference, digest, platform).await
    }

    /// The image of a spec, made from the inputs that it has now: in the store, else in its registry.
    pub async fn find_built(&self, request: &BuildRequest) -> Result<Option<FoundImage>, BuildError> {
        if request.spec.builder == BuilderName::Noop {
            let base = base_reference(&request.spec)?;
            return self.find(base, preferred(&request.spec.platforms)).await.map(Some);
        }
        let job = Job::new(self, request)?;
        if request.spec.builder == BuilderName::Docker {
            return self.find_of_docker(&job).await;
        }
        let mut existence = job.existence(false).await?;
        if !matches!(existence, Existence::Exists { .. }) && request.spec.registry.is_some() {
            existence = job.existence(true).await?;
        }
        match existence {
            Existence::Exists { digest } => {
                let platform = preferred(&job.recipe.platforms);
                self.documents(&job.target, digest, platform).await.map(Some)
            }
            Existence::Missing { .. } | Existence::Stale { .. } => Ok(None),
        }
    }

    /// The image that Docker built and pushed; what is in Docker alone cannot be read.
    async fn find_of_docker(&self, job: &Job<'_>) -> Result<Option<FoundImage>, BuildError> {
        let is_pushed = job.request.spec.registry.is_some();
        match job.existence(is_pushed).await? {
            Existence::Exists { digest } if is_pushed => {
                let platform = preferred(&job.recipe.platforms);
                self.documents(&job.target, digest, platform).await.map(Some)
            }
            Existence::Exists { .. } => Err(job.only_in_docker("imagewright").into()),
            Existence::Missing { .. } | Existence::Stale { .. } => Ok(None),
        }
    }

    /// The image of a spec, built into the store if it is nowhere yet. Nothing is pushed.
    pub async fn obtain(&self, request: &BuildRequest) -> Result<FoundImage, BuildError> {
        if request.spec.builder == BuilderName::Noop {
            return self.find(base_reference(&request.spec)?, preferred(&request.spec.platforms)).await;
        }
        // What is in Docker cannot be read, and both builders make the same of a spec.
        let mut request = request.clone();
        request.spec.builder = BuilderName::Native;
        let request = &request;
        // `--refresh` asks for what has moved since, which the tag does not say (design D10).
        if !request.force && request.refresh == Refresh::WhenOld {
            match self.find_built(request).await {
                Ok(Some(image)) => return Ok(image),
                Ok(None) => {}
                // What the registry has would only save the work.
                Err(error @ BuildError::UnknownExistence { .. }) => {
                    self.reporter.warn(format!("{error}; it is built here"), error.hint());
                }
                Err(error) => return Err(error),
            }
        }
        let request = BuildRequest { push: false, sinks: Vec::new(), ..request.clone() };
        let report = self.build(&request).await?;
        let target = request.spec.image_name(&request.directory)?;
        let digest = report.digest.expect("the native builder knows what it made");
        self.documents(&target, digest, preferred(&report.platforms)).await
    }

    async fn tagged(&self, reference: &ImageReference, platform: &Platform) -> Result<Digest, BuildError> {
        if let Some(record) = self.store.tag(reference, std::slice::from_ref(platform))? {
            return Ok(record.manifest);
        }
        let found = self.client.resolve_manifest(reference).await?;
        found.map(|descriptor| descriptor.digest).ok_or_else(|| no_image(reference))
    }

    /// The documents of the image, or of its platform's image in an index, with this digest.
    pub(crate) async fn documents(
        &self,
        reference: &ImageReference,
        digest: Digest,
        platform: &Platform,
    ) -> Result<FoundImage, BuildError> {
        let missing = |found| BuildError::NoImagePlatform {
            reference: reference.clone(),
            platform: platform.clone(),
            found,
        };
        let (digest, index, manifest, manifest_bytes) = match self.manifest(reference, digest).await? {
            (Manifest::Image(manifest), bytes) => (digest, None, manifest, bytes),
            (Manifest::Index(index), bytes) => {
                let Some(entry) = index.for_platform(platform) else {
                    return Err(missing(index.platforms()));
                };
                let chosen = entry.digest;
                let index = Some(FoundIndex { digest, index, bytes });
                match self.manifest(reference, chosen).await? {
                    (Manifest::Image(manifest), bytes) => (chosen, index, manifest, bytes),
                    (Manifest::Index(nested), _) => return Err(missing(nested.platforms())),
                }
            }
        };
        let config_bytes = self.config(reference, &manifest.config).await?;
        let config: ImageConfig = serde_json::from_slice(&config_bytes)
            .map_err(|source| BuildError::ForeignConfig { reference: reference.clone(), source })?;
        if !platform.accepts(&config.platform) {
            return Err(missing(vec![config.platform]));
        }
        let (reference, manifest) = (reference.clone(), *manifest);
        let bases = self.bases(&manifest)?;
        Ok(FoundImage { reference, digest, manifest, config, index, bases, manifest_bytes, config_bytes })
    }

    /// All images under a digest, when it is an index; else the one.
    pub(crate) async fn all_documents(
        &self,
        reference: &ImageReference,
        digest: Digest,
        platform: &Platform,
    ) -> Result<Vec<FoundImage>, BuildError> {
        let one = self.documents(reference, digest, platform).await?;
        let Some(FoundIndex { index, .. }) = &one.index else { return Ok(vec![one]) };
        let mut all = Vec::new();
        for platform in index.platforms() {
            all.push(self.documents(reference, digest, &platform).await?);
        }
        Ok(all)
    }

    /// What an image was built on, and what that was, as far as the store has their manifests.
    fn bases(&self, manifest: &ImageManifest) -> Result<Vec<ImageReference>, BuildError> {
        let mut bases = Vec::new();
        let mut next = base(manifest);
        while let Some(reference) = next {
            let stored = match reference.digest() {
                Some(digest) => stored(&self.store, digest)?,
                None => None,
            };
            bases.push(reference);
            next = match stored.map(|bytes| Manifest::parse_untyped(&bytes)) {
                Some(Ok(Manifest::Image(manifest))) => base(&manifest),
                _ => None,
            };
        }
        Ok(bases)
    }

    async fn manifest(
        &self,
        reference: &ImageReference,
        digest: Digest,
    ) -> Result<(Manifest, Vec<u8>), BuildError> {
        if let Some(bytes) = stored(&self.store, digest)? {
            let manifest = Manifest::parse_untyped(&bytes)
                .map_err(|source| BuildError::StoredManifest { reference: reference.clone(), source })?;
            return Ok((manifest, bytes));
        }
        let found = self.client.get_manifest(&reference.with_digest(digest)).await?;
        let found = found.ok_or_else(|| no_image(&reference.with_digest(digest)))?;
        let manifest = Manifest::parse(&found.descriptor.media_type, &found.bytes)
            .map_err(|source| BuildError::ForeignManifest { reference: reference.clone(), source })?;
        self.keep_document(&found.bytes)?;
        Ok((manifest, found.bytes.to_vec()))
    }

    async fn config(
        &self,
        reference: &ImageReference,
        descriptor: &Descriptor,
    ) -> Result<Vec<u8>, BuildError> {
        if let Some(bytes) = stored(&self.store, descriptor.digest)? {
            return Ok(bytes);
        }
        let bytes = self.client.fetch_bytes(reference, descriptor).await?;
        self.keep_document(&bytes)?;
        Ok(bytes.to_vec())
    }

    /// Keeps a document, so that the next look needs no network.
    fn keep_document(&self, bytes: &[u8]) -> Result<(), BuildError> {
        if !self.store.is_read_only() {
            self.store.put_blob(bytes)?;
        }
        Ok(())
    }
}

/// The image that one was built on, when it says so. Any builder may write that annotation, and some leave it empty,
/// so what names no image is as good as none.
fn base(manifest: &ImageManifest) -> Option<ImageReference> {
    let name: ImageReference = manifest.annotations.get(BASE_NAME)?.parse().ok()?;
    let digest = manifest.annotations.get(BASE_DIGEST).and_then(|text| text.parse().ok());
    Some(digest.map_or(name.clone(), |digest| name.with_digest(digest)))
}

/// A document of the store; one that is damaged is as good as none, and is replaced when it is kept again.
pub(crate) fn stored(store: &Store, digest: Digest) -> Result<Option<Vec<u8>>, BuildError> {
    let Some(blob) = store.blob(&digest)? else { return Ok(None) };
    let mut bytes = Vec::new();
    Ok(blob.verified().read_to_end(&mut bytes).is_ok().then_some(bytes))
}

/// The platform to run: this machine's if the image is made for it.
pub(crate) fn preferred(platforms: &[Platform]) -> &Platform {
    let host = Platform::of_this_machine();
    platforms.iter().find(|platform| host.accepts(platform)).unwrap_or(&platforms[0])
}

fn no_image(reference: &ImageReference) -> BuildError {
    BuildError::NoImage { reference: reference.clone() }
}
