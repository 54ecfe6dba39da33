//! Whether an image is what its documents say, and what engines other than the one at hand can use.
//!
//! Reads every byte. Layers of ours, which have a key, are held to more than others: see [`Problem`].

mod archive;
mod members;
mod source;
mod tree;

use std::io::{self, Read};

use bytes::Bytes;
use flate2::bufread::MultiGzDecoder;
use imagewright_oci::{Descriptor, Digest, HashingReader, ImageConfig, ImageManifest, Manifest, MediaType};
use thiserror::Error;

pub use archive::TreeProblem;
pub use source::{ImageSource, LayoutImage, RegistryImage, StoredImage};

use members::Members;
use tree::Tree;

/// On a layer that imagewright made.
const LAYER_KEY: &str = "io.imagewright.layer.key";

/// Something wrong with an image.
#[derive(Debug, Error)]
#[error("{place}: {problem}")]
pub struct Finding {
    /// `manifest`, `configuration`, or a layer by number and title, from 0.
    pub place: String,
    /// What is wrong with it.
    #[source]
    pub problem: Problem,
}

/// What may be wrong.
#[derive(Debug, Error)]
pub enum Problem {
    /// It is not where the image's documents say.
    #[error("cannot be read: {source}")]
    Unreadable {
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The bytes are others than the descriptor says.
    #[error("is {actual} of {actual_size} bytes, not {expected} of {expected_size}")]
    Content {
        /// As described.
        expected: Digest,
        /// As described.
        expected_size: u64,
        /// As it is.
        actual: Digest,
        /// As it is.
        actual_size: u64,
    },
    /// The uncompressed bytes are others than the configuration says.
    #[error("unpacks to {actual}, not to its diff id {expected}")]
    DiffId {
        /// As the configuration says.
        expected: Digest,
        /// As it is.
        actual: Digest,
    },
    /// A list has another length than the manifest's layers.
    #[error("has {actual} {list} for {layers} layers")]
    Count {
        /// Diff ids, or entries of the history that have a layer.
        list: &'static str,
        /// How many there are.
        actual: usize,
        /// How many there should be.
        layers: usize,
    },
    /// A type that an OCI image does not have there.
    #[error("is of type {media_type}")]
    MediaType {
        /// Which.
        media_type: MediaType,
    },
    /// More layers than engines mount.
    #[error("has {layers} layers, and engines stop at 127")]
    TooManyLayers {
        /// How many.
        layers: usize,
    },
    /// A field of the configuration that engines need is empty.
    #[error("says nothing of its {field}")]
    Empty {
        /// Which.
        field: &'static str,
    },
    /// A gzip member of ours that says more than it may.
    #[error("has a gzip member with {what}")]
    Member {
        /// What it has.
        what: &'static str,
    },
    /// Its entries.
    #[error(transparent)]
    Tree(#[from] TreeProblem),
}

/// What was read of an image on the way.
#[derive(Clone, Debug)]
pub struct Validated {
    /// Its digest.
    pub digest: Digest,
    /// The manifest.
    pub manifest: ImageManifest,
    /// The configuration.
    pub config: ImageConfig,
    /// All paths of the image, whiteouts applied.
    pub paths: Vec<String>,
}

/// Reads a whole image; all that is wrong with it, if something is.
pub fn validate(image: &impl ImageSource) -> Result<Validated, Vec<Finding>> {
    let fatal = |place: &str, problem| vec![Finding { place: place.to_owned(), problem }];
    let unreadable = |source| Problem::Unreadable { source };
    let (descriptor, bytes) = image.manifest().map_err(|source| fatal("manifest", unreadable(source)))?;
    let manifest = match Manifest::parse(&descriptor.media_type, &bytes) {
        Ok(Manifest::Image(manifest)) => *manifest,
        Ok(Manifest::Index(_)) => {
            return Err(fatal("manifest", Problem::MediaType { media_type: descriptor.media_type }));
        }
        Err(error) => return Err(fatal("manifest", unreadable(io::Error::other(error)))),
    };
    let mut findings = Vec::new();
    let mut note = |place: &str, problem| findings.push(Finding { place: place.to_owned(), problem });
    check_types(&descriptor, &manifest, &mut |problem| note("manifest", problem));
    let config = image.blob(&manifest.config).and_then(|reader| read_config(&manifest.config, reader));
    let config = match config {
        Ok(Ok(config)) => config,
        Ok(Err(problem)) => return Err(fatal("configuration", problem)),
        Err(source) => return Err(fatal("configuration", unreadable(source))),
    };
    check_config(&config, manifest.layers.len(), &mut |problem| note("configuration", problem));
    let mut tree = Tree::default();
    for (number, layer) in manifest.layers.iter().enumerate() {
        let title = layer.annotations.get("io.imagewright.layer.title").map_or("", String::as_str);
        let place = format!("layer {number} {title}");
        let diff_id = config.rootfs.diff_ids.get(number).map(|diff_id| diff_id.0);
        let mut note = |problem| note(&place, problem);
        match image.blob(layer) {
            Ok(reader) => check_layer(layer, diff_id, reader, &mut tree, &mut note),
            Err(source) => note(unreadable(source)),
        }
    }
    if !findings.is_empty() {
        return Err(findings);
    }
    Ok(Validated { digest: descriptor.digest, manifest, config, paths: tree.paths() })
}

/// An image that an index lists.
struct Part<'a, S> {
    index: &'a S,
    descriptor: &'a Descriptor,
}

impl<S: ImageSource> ImageSource for Part<'_, S> {
    fn manifest(&self) -> io::Result<(Descriptor, Bytes)> {
        let bytes = self.index.part(self.descriptor)?;
        Ok((Descriptor::of(self.descriptor.media_type.clone(), &bytes), bytes))
    }

    fn part(&self, descriptor: &Descriptor) -> io::Result<Bytes> {
        self.index.part(descriptor)
    }

    fn blob(&self, descriptor: &Descriptor) -> io::Result<Box<dyn Read + '_>> {
        self.index.blob(descriptor)
    }
}

/// Reads an index of ours and all of its images; all that is wrong, if something is.
pub fn validate_index(source: &impl ImageSource) -> Result<Vec<Validated>, Vec<Finding>> {
    let wrong = |place: &str, problem| vec![Finding { place: place.to_owned(), problem }];
    let unreadable = |source| Problem::Unreadable { source };
    let (descriptor, bytes) = source.manifest().map_err(|source| wrong("index", unreadable(source)))?;
    let index = match Manifest::parse(&descriptor.media_type, &bytes) {
        Ok(Manifest::Index(index)) if index.media_type == Some(MediaType::OciIndex) => index,
        Ok(_) => return Err(wrong("index", Problem::MediaType { media_type: descriptor.media_type })),
        Err(error) => return Err(wrong("index", unreadable(io::Error::other(error)))),
    };
    let mut images = Vec::new();
    for descriptor in &index.manifests {
        let image = validate(&Part { index: source, descriptor })?;
        if image.digest != descriptor.digest {
            let (expected, actual) = (descriptor.digest, image.digest);
            let (expected_size, actual_size) = (descriptor.size, image.manifest.to_bytes().len() as u64);
            let problem = Problem::Content { expected, expected_size, actual, actual_size };
            return Err(wrong("index", problem));
        }
        if descriptor.platform.as_ref() != Some(&image.config.platform) {
            return Err(wrong("index", Problem::Empty { field: "platform of an image" }));
        }
        images.push(image);
    }
    Ok(images)
}

fn check_types(descriptor: &Descriptor, manifest: &ImageManifest, note: &mut dyn FnMut(Problem)) {
    let wrong = |media_type: &MediaType| Problem::MediaType { media_type: media_type.clone() };
    if descriptor.media_type != MediaType::OciManifest {
        note(wrong(&descriptor.media_type));
    }
    if manifest.media_type.as_ref() != Some(&descriptor.media_type) {
        note(Problem::Empty { field: "media type" });
    }
    if manifest.config.media_type != MediaType::OciConfig {
        note(wrong(&manifest.config.media_type));
    }
    for layer in &manifest.layers {
        let is_layer = matches!(
            layer.media_type,
            MediaType::OciLayer | MediaType::OciLayerGzip | MediaType::OciLayerZstd
        );
        if !is_layer {
            note(wrong(&layer.media_type));
        }
    }
    if manifest.layers.len() > 127 {
        note(Problem::TooManyLayers { layers: manifest.layers.len() });
    }
}

fn read_config(descriptor: &Descriptor, mut reader: impl Read) -> io::Result<Result<ImageConfig, Problem>> {
    let mut bytes = Vec::new();
    reader.read_to_end(&mut bytes)?;
    if let Some(problem) = content_problem(descriptor, Digest::of(&bytes), bytes.len() as u64) {
        return Ok(Err(problem));
    }
    Ok(Ok(serde_json::from_slice(&bytes)?))
}

fn check_config(config: &ImageConfig, layers: usize, note: &mut dyn FnMut(Problem)) {
    let diff_ids = config.rootfs.diff_ids.len();
    let history = config.history.iter().filter(|entry| entry.empty_layer != Some(true)).count();
    for (list, actual) in [("diff ids", diff_ids), ("entries of the history", history)] {
        if actual != layers {
            note(Problem::Count { list, actual, layers });
        }
    }
    for (field, text) in [("architecture", &config.platform.architecture), ("os", &config.platform.os)] {
        if text.is_empty() {
            note(Problem::Empty { field });
        }
    }
    if config.created.is_none() {
        note(Problem::Empty { field: "time" });
    }
}

fn content_problem(descriptor: &Descriptor, actual: Digest, actual_size: u64) -> Option<Problem> {
    let (expected, expected_size) = (descriptor.digest, descriptor.size);
    let is_right = (actual, actual_size) == (expected, expected_size);
    (!is_right).then_some(Problem::Content { expected, expected_size, actual, actual_size })
}

fn check_layer(
    descriptor: &Descriptor,
    diff_id: Option<Digest>,
    blob: impl Read,
    tree: &mut Tree,
    note: &mut dyn FnMut(Problem),
) {
    let is_ours = descriptor.annotations.contains_key(LAYER_KEY);
    let mut blob = HashingReader::new(blob);
    let mut buffered = io::BufReader::with_capacity(1 << 17, &mut blob);
    let read = match (is_ours, descriptor.media_type.clone()) {
        (true, _) => {
            let mut members = Members::new(&mut buffered);
            let read = archive::check(&mut members, true, tree, note);
            members.problems().for_each(|what| note(Problem::Member { what }));
            read
        }
        (false, MediaType::OciLayerGzip) => {
            archive::check(MultiGzDecoder::new(&mut buffered), false, tree, note)
        }
        (false, MediaType::OciLayerZstd) => zstd::Decoder::with_buffer(&mut buffered)
            .and_then(|content| archive::check(content, false, tree, note)),
        (false, _) => archive::check(&mut buffered, false, tree, note),
    };
    let read = read.and_then(|actual| {
        io::copy(&mut buffered, &mut io::sink())?;
        Ok(actual)
    });
    match read {
        Err(source) => note(Problem::Unreadable { source }),
        Ok(actual) => {
            let (digest, size) = blob.finish();
            content_problem(descriptor, digest, size).into_iter().for_each(&mut *note);
            if let Some(expected) = diff_id.filter(|expected| *expected != actual) {
                note(Problem::DiffId { expected, actual });
            }
        }
    }
}
