//! Images made on the spot, as another builder would make them, and put into a [`TestRegistry`].

use std::collections::BTreeSet;
use std::io::Write as _;

use flate2::write::GzEncoder;
use flate2::{Compression, GzBuilder};
use imagewright_oci::{
    Annotations, Descriptor, DiffId, Digest, ImageConfig, ImageIndex, ImageManifest, MediaType, Platform,
};
use tar::{Builder, EntryType, Header};

use crate::registry::TestRegistry;

/// An image of one layer.
pub struct ImageBuilder {
    config: ImageConfig,
    layer: Builder<Vec<u8>>,
    directories: BTreeSet<String>,
}

impl ImageBuilder {
    /// An image without files.
    pub fn new(platform: Platform) -> Self {
        let mut config = ImageConfig::new(platform);
        config.created = Some("2024-01-01T00:00:00Z".to_owned());
        config.config.set_env("PATH", "/usr/local/bin:/usr/bin:/bin");
        Self { config, layer: Builder::new(Vec::new()), directories: BTreeSet::new() }
    }

    /// What the facts of a Debian with this Python are read from; nothing of it can run.
    pub fn like_debian(platform: Platform, python: &str) -> Self {
        let minor = python.rsplit_once('.').map_or(python, |(minor, _)| minor);
        let banner = "GNU C Library (Debian GLIBC 2.36-9) stable release version 2.36.\n";
        Self::new(platform)
            .file("etc/passwd", "root:x:0:0:root:/root:/bin/bash\n")
            .file("etc/group", "root:x:0:\n")
            .file("etc/ssl/certs/ca-certificates.crt", "none\n")
            .file("usr/lib/x86_64-linux-gnu/libc.so.6", banner)
            .file(&format!("usr/bin/python{minor}"), format!("\0{python}\0"))
            .link("usr/bin/python3", &format!("python{minor}"))
    }

    /// Adds a file.
    #[must_use]
    pub fn file(mut self, path: &str, content: impl AsRef<[u8]>) -> Self {
        let content = content.as_ref();
        self.add_parents(path);
        let mut header = header(EntryType::Regular);
        header.set_size(content.len() as u64);
        self.layer.append_data(&mut header, path, content).expect("a vector takes everything");
        self
    }

    /// Adds a symbolic link.
    #[must_use]
    pub fn link(mut self, path: &str, target: &str) -> Self {
        self.add_parents(path);
        let mut header = header(EntryType::Symlink);
        self.layer.append_link(&mut header, path, target).expect("a vector takes everything");
        self
    }

    fn add_parents(&mut self, path: &str) {
        for (at, _) in path.match_indices('/') {
            if self.directories.insert(path[..at].to_owned()) {
                let mut header = header(EntryType::Directory);
                let added = self.layer.append_data(&mut header, &path[..=at], [].as_slice());
                added.expect("a vector takes everything");
            }
        }
    }

    /// Puts the image under a tag; the digest of its manifest.
    pub fn put(self, registry: &TestRegistry, repository: &str, tag: &str) -> Digest {
        self.put_described(registry, repository, tag).digest
    }

    fn put_described(mut self, registry: &TestRegistry, repository: &str, name: &str) -> Descriptor {
        let layer = self.layer.into_inner().expect("a vector takes everything");
        self.config.rootfs.diff_ids.push(DiffId(Digest::of(&layer)));
        let platform = self.config.platform.clone();
        let (layer, config) = (compressed(&layer), self.config.to_bytes());
        let descriptors =
            [Descriptor::of(MediaType::OciConfig, &config), Descriptor::of(MediaType::OciLayerGzip, &layer)];
        registry.put_blob(repository, layer);
        registry.put_blob(repository, config);
        let [config, layer] = descriptors;
        let manifest = ImageManifest::new(config, vec![layer], Annotations::new()).to_bytes();
        let descriptor = Descriptor::of(MediaType::OciManifest, &manifest);
        registry.put_manifest(repository, name, &MediaType::OciManifest, manifest);
        Descriptor { platform: Some(platform), ..descriptor }
    }
}

impl std::fmt::Debug for ImageBuilder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ImageBuilder").field("config", &self.config).finish_non_exhaustive()
    }
}

/// Puts an index of images under a tag.
pub fn put_index(registry: &TestRegistry, repository: &str, tag: &str, images: Vec<ImageBuilder>) {
    let put = |(number, image): (usize, ImageBuilder)| {
        image.put_described(registry, repository, &format!("{tag}-{number}"))
    };
    let images = images.into_iter().enumerate().map(put).collect();
    let index = ImageIndex::new(images, Annotations::new()).to_bytes();
    registry.put_manifest(repository, tag, &MediaType::OciIndex, index);
}

fn header(kind: EntryType) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(0o755);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_size(0);
    header
}

fn compressed(bytes: &[u8]) -> Vec<u8> {
    let mut encoder: GzEncoder<Vec<u8>> = GzBuilder::new().write(Vec::new(), Compression::fast());
    encoder.write_all(bytes).and_then(|()| encoder.finish()).expect("a vector takes everything")
}
