//! Sends an image to a registry: layers, configuration, manifest, and the tag last.

use std::io::{self, Read};
use std::sync::Arc;

use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use imagewright_lock::{BaseImage, BaseOrigin, OpenedImage};
use imagewright_oci::{Descriptor, Digest, ImageReference, MediaType};
use imagewright_registry::{BlobSource, Client, Pushed, RegistryError};
use imagewright_store::Store;

use crate::BuildError;
use crate::event::{Event, PushOutcome, Reporter, Stage};
use crate::image::{FinishedLayer, Image};
use crate::local_base::{LocalLayer, unread};
use crate::progress::Progress;

/// How many blobs are pushed at once; the client bounds what is really on its way.
const AT_ONCE: usize = 8;

/// A destination in a registry.
#[derive(Clone, Debug)]
pub(crate) struct Pusher<'a> {
    pub(crate) client: &'a Client,
    pub(crate) store: &'a Store,
    pub(crate) target: &'a ImageReference,
    pub(crate) reporter: &'a Reporter,
}

impl Pusher<'_> {
    /// Sees to it that the base's layers are in the repository: mounted, or streamed from another registry.
    pub(crate) async fn push_base(&self, base: &BaseImage) -> Result<(), BuildError> {
        let Some(origin) = &base.origin else { return Ok(()) };
        let subject = format!("layer of {origin}");
        let copies = base.layers.iter().map(|layer| {
            let subject = &subject;
            async move {
                let pushed = match origin {
                    BaseOrigin::Registry { .. } => {
                        self.push_base_layer(base, &layer.descriptor, subject).await?
                    }
                    BaseOrigin::Local(image) => self.push_local(image, &layer.descriptor).await?,
                };
                self.report(subject, layer.descriptor.digest, pushed);
                Ok::<(), BuildError>(())
            }
        });
        stream::iter(copies).buffer_unordered(AT_ONCE).try_collect::<()>().await?;
        if let BaseOrigin::Local(_) = origin {
            let digests: Vec<Digest> = base.layers.iter().map(|layer| layer.descriptor.digest).collect();
            self.store.remember_remote(&self.target.name_only(), &digests)?;
        }
        Ok(())
    }

    /// Sends a layer of an image on this machine, unless the registry has it.
    async fn push_local(&self, image: &Arc<OpenedImage>, layer: &Descriptor) -> Result<Pushed, BuildError> {
        let mount_from = self.mount_candidates(layer.digest)?;
        let blob = LocalLayer { image: Arc::clone(image), layer, progress: Progress::new(self.reporter) };
        match self.client.push_blob(self.target, &blob, &mount_from).await {
            Err(RegistryError::Source { source, attempt }) => Err(unread(image, source)
                .unwrap_or_else(|source| RegistryError::Source { source, attempt }.into())),
            pushed => Ok(pushed?),
        }
    }

    /// A base that was never pushed has its layers in the store, but for those of what it was built on.
    async fn push_base_layer(
        &self,
        base: &BaseImage,
        layer: &Descriptor,
        subject: &str,
    ) -> Result<Pushed, BuildError> {
        if self.store.blob(&layer.digest)?.is_some() {
            let mount_from = base.homes.iter().filter(|home| home.registry() == self.target.registry());
            let mut mount_from: Vec<ImageReference> = mount_from.map(ImageReference::name_only).collect();
            mount_from.extend(self.mount_candidates(layer.digest)?);
            let blob = self.stored_blob(layer.digest, layer.size, subject);
            return Ok(self.client.push_blob(self.target, &blob, &mount_from).await?);
        }
        let mut first = None;
        for home in &base.homes {
            match self.client.copy_blob(home, self.target, layer).await {
                Ok(pushed) => return Ok(pushed),
                Err(error) => first = first.or(Some(error)),
            }
        }
        Err(first.map_or(BuildError::LayerLost { digest: layer.digest }, BuildError::Registry))
    }

    fn stored_blob(&self, digest: Digest, size: u64, title: &str) -> StoredBlob {
        let (store, progress) = (self.store.clone(), Progress::new(self.reporter));
        StoredBlob { store, digest, size, title: title.to_owned(), progress }
    }

    /// Sees to it that a layer of ours is in the repository; whether the registry took it from another one.
    pub(crate) async fn push_layer(&self, layer: &FinishedLayer) -> Result<bool, BuildError> {
        let mount_from = self.mount_candidates(layer.digest)?;
        let blob = self.stored_blob(layer.digest, layer.size, &layer.title);
        let pushed = self.client.push_blob(self.target, &blob, &mount_from).await?;
        let is_mounted = matches!(pushed, Pushed::Mounted { .. });
        self.report(&layer.title, layer.digest, pushed);
        Ok(is_mounted)
    }

    /// The repositories of the target's registry that have been seen with a blob.
    fn mount_candidates(&self, digest: Digest) -> Result<Vec<ImageReference>, BuildError> {
        let candidates = self.store.mount_candidates(self.target.registry(), &digest)?;
        let mut mount_from = Vec::new();
        for name in candidates {
            match ImageReference::new(Some(self.target.registry()), &name, None, None) {
                Ok(repository) => mount_from.push(repository),
                // A mount would only have saved the upload.
                Err(error) => self.reporter.warn(
                    format!("the store remembers `{name}` as a repository, and it is none: {error}"),
                    Some("`imagewright cache check` finds what is damaged".to_owned()),
                ),
            }
        }
        Ok(mount_from)
    }

    /// Sends configuration and manifest, and with the manifest the tag of `name`, if that has one: everything else is
    /// there by now.
    pub(crate) async fn commit(
        &self,
        image: &Image,
        name: &ImageReference,
        layers: &[FinishedLayer],
    ) -> Result<(), BuildError> {
        self.reporter.started(Stage::Push, name.to_string());
        let config = MemoryBlob(Bytes::from(image.config.clone()));
        let pushed = self.client.push_blob(self.target, &config, &[]).await?;
        self.report("configuration", config.digest(), pushed);
        let manifest = Bytes::from(image.manifest.clone());
        self.client.put_manifest(name, &MediaType::OciManifest, manifest).await?;
        let digests: Vec<Digest> = layers.iter().map(|layer| layer.digest).collect();
        self.store.remember_remote(&self.target.name_only(), &digests)?;
        Ok(())
    }

    /// Sends an index, and with it the tag: all that it lists is there.
    pub(crate) async fn commit_index(&self, index: Vec<u8>) -> Result<(), BuildError> {
        self.reporter.started(Stage::Push, self.target.to_string());
        self.client.put_manifest(self.target, &MediaType::OciIndex, index.into()).await?;
        Ok(())
    }

    pub(crate) fn report(&self, subject: &str, digest: Digest, pushed: Pushed) {
        let outcome = match pushed {
            Pushed::Present => PushOutcome::Present,
            Pushed::Mounted { from } => PushOutcome::Mounted { from },
            Pushed::Uploaded { bytes } => PushOutcome::Uploaded { bytes },
        };
        self.reporter.report(Event::Pushed { subject: subject.to_owned(), digest, outcome });
    }
}

struct StoredBlob {
    store: Store,
    digest: Digest,
    size: u64,
    title: String,
    progress: Progress,
}

impl BlobSource for StoredBlob {
    fn digest(&self) -> Digest {
        self.digest
    }

    fn size(&self) -> u64 {
        self.size
    }

    fn open(&self) -> io::Result<Box<dyn Read + Send>> {
        let blob = self.store.blob(&self.digest).map_err(io::Error::other)?;
        let reader = blob.ok_or_else(|| {
            io::Error::new(io::ErrorKind::NotFound, format!("the store lost {}", self.digest))
        })?;
        // The last bytes of a damaged blob are never sent, so that the registry is not asked to refuse it.
        let reader = reader.verified();
        Ok(Box::new(self.progress.counted(reader, format!("{} to the registry", self.title), self.size)))
    }
}

/// A blob in memory.
pub(crate) struct MemoryBlob(pub(crate) Bytes);

impl BlobSource for MemoryBlob {
    fn digest(&self) -> Digest {
        Digest::of(&self.0)
    }

    fn size(&self) -> u64 {
        self.0.len() as u64
    }

    fn open(&self) -> io::Result<Box<dyn Read + Send>> {
        Ok(Box::new(io::Cursor::new(self.0.clone())))
    }
}
