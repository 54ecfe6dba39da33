use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use imagewright_oci::{Annotations, Descriptor, Digest, ImageIndex, ImageReference, MediaType};
use imagewright_registry::RegistryError;
use imagewright_store::{Flag, StoreError};
use jiff::Timestamp;
use tokio::runtime::Handle;

use super::error::SinkError;
use crate::BuildError;
use crate::found::{FoundImage, FoundIndex};
use crate::layer_bytes::layer_title;
use crate::native::Machine;
use crate::progress::Progress;

/// How a layout names its images, as the OCI image specification defines it: here the tag.
pub(super) const REF_NAME: &str = "org.opencontainers.image.ref.name";
/// The full name, as containerd and everyone after it writes and reads it.
pub(super) const IMAGE_NAME: &str = "io.containerd.image.name";

/// What is copied at a time.
const CHUNK: usize = 1 << 18;

/// An image on its way to a sink, or those of several platforms under one name. Its methods block.
#[derive(Debug)]
pub(super) struct Freight {
    /// The images of one name: several are the parts of one index.
    images: Vec<FoundImage>,
    /// What they are called there.
    pub(super) names: Vec<ImageReference>,
    /// What the sink is called in messages.
    pub(super) sink: String,
    /// How many bytes the sink got.
    pub(super) written: Arc<AtomicU64>,
    machine: Machine,
    runtime: Handle,
    abandoned: Flag,
}

/// A blob of an image.
#[derive(Clone, Copy, Debug)]
pub(super) enum Part<'a> {
    Document(&'a [u8]),
    Layer(&'a Descriptor),
}

impl Part<'_> {
    pub(super) fn size(&self) -> u64 {
        match self {
            Self::Document(bytes) => bytes.len() as u64,
            Self::Layer(layer) => layer.size,
        }
    }
}

impl Freight {
    pub(super) fn new(
        machine: &Machine,
        images: Vec<FoundImage>,
        names: Vec<ImageReference>,
        sink: String,
        abandoned: Flag,
    ) -> Self {
        let (machine, runtime) = (machine.clone(), Handle::current());
        Self { images, names, sink, written: Arc::default(), machine, runtime, abandoned }
    }

    /// The image, for what takes only one.
    pub(super) fn image(&self) -> &FoundImage {
        &self.images[0]
    }

    /// The index of all images, when there is more than one.
    fn found_index(&self) -> Option<&FoundIndex> {
        self.image().index.as_ref().filter(|_| self.images.len() > 1)
    }

    /// Each blob of the images once.
    pub(super) fn parts(&self) -> BTreeMap<Digest, Part<'_>> {
        let index = self.found_index().map(|index| (index.digest, Part::Document(&index.bytes)));
        self.images.iter().flat_map(parts_of).chain(index).collect()
    }

    /// When the image was made, in seconds since 1970: the time of all that is in an archive of it.
    pub(super) fn epoch(&self) -> u64 {
        let created = self.image().config.created.as_deref().and_then(|text| text.parse::<Timestamp>().ok());
        created.and_then(|time| u64::try_from(time.as_second()).ok()).unwrap_or_default()
    }

    /// The image as the index of a layout lists it: once for each name.
    pub(super) fn entries(&self) -> Vec<Descriptor> {
        let FoundImage { manifest, manifest_bytes, config, .. } = self.image();
        let (media_type, bytes, platform) = match self.found_index() {
            Some(FoundIndex { index, bytes, .. }) => (&index.media_type, bytes, None),
            None => (&manifest.media_type, manifest_bytes, Some(config.platform.clone())),
        };
        let of_shape = if platform.is_none() { MediaType::OciIndex } else { MediaType::OciManifest };
        let plain = Descriptor::of(media_type.clone().unwrap_or(of_shape), bytes);
        let entry = |name: &ImageReference| {
            let mut annotations = Annotations::from([(IMAGE_NAME.to_owned(), name.to_string())]);
            annotations.extend(name.tag().map(|tag| (REF_NAME.to_owned(), tag.to_owned())));
            Descriptor { platform: platform.clone(), annotations, ..plain.clone() }
        };
        self.names.iter().map(entry).collect()
    }

    /// The index of a layout that has nothing but this image.
    pub(super) fn index(&self) -> Vec<u8> {
        ImageIndex::new(self.entries(), Annotations::new()).to_bytes()
    }

    /// Writes a blob. That it is what its digest says is known at its end.
    pub(super) fn write(&self, part: Part<'_>, out: &mut dyn Write) -> Result<(), BuildError> {
        match part {
            Part::Document(bytes) => out.write_all(bytes).map_err(|source| self.unwritten(source)),
            Part::Layer(layer) => self.copy(layer, self.open(layer)?, out).map(drop),
        }
    }

    /// The bytes of a layer: from the store, else from the registry that has them, past the store.
    pub(super) fn open(&self, layer: &Descriptor) -> Result<Box<dyn Read + Send>, BuildError> {
        let progress = Progress::new(&self.machine.reporter);
        let subject = format!("{} to {}", layer_title(layer), self.sink);
        if let Some(blob) = self.machine.store.blob(&layer.digest)? {
            return Ok(Box::new(progress.counted(blob.verified(), subject, layer.size)));
        }
        let mut first = None;
        let has_it = |image: &&FoundImage| image.manifest.layers.iter().any(|one| one.digest == layer.digest);
        for repository in self.images.iter().filter(has_it).flat_map(|image| image.repositories_with(layer)) {
            match self.runtime.block_on(self.machine.client.fetch_blob(&repository, layer)) {
                Ok(stream) => {
                    let reader = stream.into_reader(self.runtime.clone());
                    return Ok(Box::new(progress.counted(reader, subject, layer.size)));
                }
                Err(error) => first = first.or(Some(error)),
            }
        }
        Err(first.map_or(BuildError::LayerLost { digest: layer.digest }, BuildError::Registry))
    }

    /// Copies all of what was read of a layer, and says which of both sides failed; how many bytes it had.
    pub(super) fn copy(
        &self,
        layer: &Descriptor,
        mut reader: impl Read,
        out: &mut dyn Write,
    ) -> Result<u64, BuildError> {
        let mut buffer = vec![0; CHUNK];
        let mut copied = 0;
        loop {
            if self.abandoned.is_set() {
                return Err(self.unwritten(io::Error::other("the work was given up")));
            }
            let count = match reader.read(&mut buffer) {
                Ok(0) => return Ok(copied),
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(unread(layer, error)),
            };
            out.write_all(&buffer[..count]).map_err(|source| self.unwritten(source))?;
            copied += count as u64;
        }
    }

    /// A file without a name, for what has no length before it is unpacked.
    pub(super) fn scratch(&self) -> Result<fs_err::File, BuildError> {
        Ok(self.machine.store.scratch_file()?)
    }

    /// The sink's failure.
    pub(super) fn unwritten(&self, source: io::Error) -> BuildError {
        SinkError::Write { sink: self.sink.clone(), source }.into()
    }
}

/// The blobs of one image.
fn parts_of(image: &FoundImage) -> impl Iterator<Item = (Digest, Part<'_>)> {
    let layers = image.manifest.layers.iter().map(|layer| (layer.digest, Part::Layer(layer)));
    let documents = [
        (image.digest, Part::Document(&image.manifest_bytes)),
        (image.manifest.config.digest, Part::Document(&image.config_bytes)),
    ];
    layers.chain(documents)
}

/// What a reader of the store or of a registry means by its error.
fn unread(layer: &Descriptor, error: io::Error) -> BuildError {
    let error = match error.downcast::<RegistryError>() {
        Ok(error) => return error.into(),
        Err(error) => error,
    };
    match error.downcast::<StoreError>() {
        Ok(error) => error.into(),
        Err(source) => BuildError::LayerUnreadable { digest: layer.digest, source },
    }
}
