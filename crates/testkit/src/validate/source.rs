use std::io::{self, Read};
use std::path::PathBuf;

use bytes::Bytes;
use imagewright_oci::{Descriptor, Digest, ImageIndex, ImageReference, Manifest, MediaType};
use imagewright_registry::{Client, ClientOptions};
use imagewright_store::Store;
use tokio::runtime::Runtime;

/// What lists an image in a layout by its full name.
const NAME: &str = "io.containerd.image.name";

/// Where an image is read from.
pub trait ImageSource {
    /// The manifest, and what its place says of it.
    fn manifest(&self) -> io::Result<(Descriptor, Bytes)>;

    /// What a descriptor of an index points to.
    fn part(&self, descriptor: &Descriptor) -> io::Result<Bytes>;

    /// What a descriptor of the manifest points to.
    fn blob(&self, descriptor: &Descriptor) -> io::Result<Box<dyn Read + '_>>;
}

/// An image in a registry that anyone may pull from.
#[derive(Debug)]
pub struct RegistryImage {
    client: Client,
    runtime: Runtime,
    reference: ImageReference,
}

/// An image in an OCI layout.
#[derive(Debug)]
pub struct LayoutImage {
    directory: PathBuf,
    name: String,
}

/// An image in a store, all of whose layers are there.
#[derive(Debug)]
pub struct StoredImage {
    store: Store,
    manifest: Digest,
}

impl RegistryImage {
    /// The image under a tag or digest.
    pub fn new(reference: ImageReference) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.expect("a runtime can be made");
        Self { client: Client::new(ClientOptions::default()), runtime, reference }
    }
}

impl ImageSource for RegistryImage {
    fn manifest(&self) -> io::Result<(Descriptor, Bytes)> {
        let fetched = self.runtime.block_on(self.client.get_manifest(&self.reference));
        let fetched = fetched.map_err(io::Error::other)?;
        let fetched = fetched.ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))?;
        Ok((fetched.descriptor, fetched.bytes))
    }

    fn part(&self, descriptor: &Descriptor) -> io::Result<Bytes> {
        let reference = self.reference.with_digest(descriptor.digest);
        let fetched =
            self.runtime.block_on(self.client.get_manifest(&reference)).map_err(io::Error::other)?;
        fetched.map(|manifest| manifest.bytes).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn blob(&self, descriptor: &Descriptor) -> io::Result<Box<dyn Read + '_>> {
        let stream = self.runtime.block_on(self.client.fetch_blob(&self.reference, descriptor));
        let reader = stream.map_err(io::Error::other)?.into_reader(self.runtime.handle().clone());
        Ok(Box::new(reader))
    }
}

impl LayoutImage {
    /// The image with this name in `io.containerd.image.name`; the only one that has it.
    pub fn new(directory: impl Into<PathBuf>, name: &str) -> Self {
        Self { directory: directory.into(), name: name.to_owned() }
    }

    fn open(&self, digest: &Digest) -> io::Result<fs_err::File> {
        fs_err::File::open(self.directory.join("blobs/sha256").join(digest.hex()))
    }
}

impl ImageSource for LayoutImage {
    fn manifest(&self) -> io::Result<(Descriptor, Bytes)> {
        let index: ImageIndex = serde_json::from_slice(&fs_err::read(self.directory.join("index.json"))?)?;
        let is_wanted = |entry: &Descriptor| entry.annotations.get(NAME) == Some(&self.name);
        let mut found = index.manifests.into_iter().filter(is_wanted);
        let (Some(descriptor), None) = (found.next(), found.next()) else {
            return Err(io::Error::new(io::ErrorKind::NotFound, format!("not one {}", self.name)));
        };
        let mut bytes = Vec::new();
        self.open(&descriptor.digest)?.read_to_end(&mut bytes)?;
        // The image is judged by its manifest, not by how it is listed.
        Ok((Descriptor::of(descriptor.media_type, &bytes), bytes.into()))
    }

    fn part(&self, descriptor: &Descriptor) -> io::Result<Bytes> {
        let mut bytes = Vec::new();
        self.open(&descriptor.digest)?.read_to_end(&mut bytes)?;
        Ok(bytes.into())
    }

    fn blob(&self, descriptor: &Descriptor) -> io::Result<Box<dyn Read + '_>> {
        Ok(Box::new(self.open(&descriptor.digest)?))
    }
}

impl StoredImage {
    /// The image with this manifest.
    pub fn new(store: Store, manifest: Digest) -> Self {
        Self { store, manifest }
    }

    fn open(&self, digest: &Digest) -> io::Result<impl Read + use<>> {
        let blob = self.store.blob(digest).map_err(io::Error::other)?;
        blob.ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))
    }
}

impl ImageSource for StoredImage {
    fn manifest(&self) -> io::Result<(Descriptor, Bytes)> {
        let mut bytes = Vec::new();
        self.open(&self.manifest)?.read_to_end(&mut bytes)?;
        let size = bytes.len() as u64;
        let media_type = match Manifest::parse_untyped(&bytes) {
            Ok(Manifest::Index(_)) => MediaType::OciIndex,
            _ => MediaType::OciManifest,
        };
        Ok((Descriptor::new(media_type, self.manifest, size), bytes.into()))
    }

    fn part(&self, descriptor: &Descriptor) -> io::Result<Bytes> {
        let mut bytes = Vec::new();
        self.open(&descriptor.digest)?.read_to_end(&mut bytes)?;
        Ok(bytes.into())
    }

    fn blob(&self, descriptor: &Descriptor) -> io::Result<Box<dyn Read + '_>> {
        Ok(Box::new(self.open(&descriptor.digest)?))
    }
}
