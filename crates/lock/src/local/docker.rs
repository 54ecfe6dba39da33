//! Images in an archive of `docker save`, which has no manifest: one is made from what the archive says, so that the
//! same archive always gives the same. Layers stay as they are, which is uncompressed as a rule.

use std::collections::BTreeMap;
use std::io::{self, Read};

use imagewright_oci::{
    Annotations, Descriptor, DiffId, Digest, HashingReader, ImageConfig, ImageManifest, MediaType,
};
use imagewright_spec::LocalImage;
use serde::Deserialize;

use super::error::LocalImageError;
use super::files::Files;
use super::image::{Candidate, parse};

const MANIFEST: &str = "manifest.json";

/// An image, as `manifest.json` lists it.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Entry {
    config: String,
    repo_tags: Option<Vec<String>>,
    layers: Vec<String>,
}

/// The images that may be meant.
pub(super) fn candidates(files: &Files, image: &LocalImage) -> Result<Vec<Candidate>, LocalImageError> {
    let entries: Vec<Entry> = parse(MANIFEST, &files.document(MANIFEST)?)?;
    let tags = |entry: &Entry| entry.repo_tags.clone().unwrap_or_default();
    let found: Vec<String> = entries.iter().flat_map(tags).collect();
    let is_meant = |entry: &Entry| image.is_among(tags(entry).iter().map(String::as_str));
    let meant: Vec<Entry> = entries.into_iter().filter(is_meant).collect();
    if meant.is_empty() {
        return Err(LocalImageError::NoSuchImage { found });
    }
    meant.iter().map(|entry| candidate(files, entry)).collect()
}

fn candidate(files: &Files, entry: &Entry) -> Result<Candidate, LocalImageError> {
    let bytes = files.document(&entry.config)?;
    let config: ImageConfig = parse(&entry.config, &bytes)?;
    let (layers, diff_ids) = (entry.layers.len(), config.rootfs.diff_ids.len());
    if layers != diff_ids {
        return Err(LocalImageError::Layers { layers, diff_ids });
    }
    let (mut descriptors, mut names) = (Vec::new(), BTreeMap::new());
    for (name, diff_id) in entry.layers.iter().zip(&config.rootfs.diff_ids) {
        let descriptor = layer(files, name, *diff_id)?;
        names.insert(descriptor.digest, name.clone());
        descriptors.push(descriptor);
    }
    let config_descriptor = Descriptor::of(MediaType::OciConfig, &bytes);
    let manifest = ImageManifest::new(config_descriptor, descriptors, Annotations::new());
    let name = entry.repo_tags.iter().flatten().next().unwrap_or(&entry.config).clone();
    Ok(Candidate { name, digest: Digest::of(&manifest.to_bytes()), manifest, config, names })
}

/// The digest of a layer that is not compressed is its diff id, which is checked when it is read. Others are read for it.
fn layer(files: &Files, name: &str, diff_id: DiffId) -> Result<Descriptor, LocalImageError> {
    let unreadable = |source| LocalImageError::Read { name: name.to_owned(), source };
    let (mut reader, size) = files.open(name)?;
    let mut start = Vec::new();
    reader.by_ref().take(4).read_to_end(&mut start).map_err(unreadable)?;
    let media_type = match &start[..] {
        [0x1f, 0x8b, ..] => MediaType::OciLayerGzip,
        [0x28, 0xb5, 0x2f, 0xfd] => MediaType::OciLayerZstd,
        _ => return Ok(Descriptor::new(MediaType::OciLayer, diff_id.0, size)),
    };
    let mut whole = HashingReader::new(start.as_slice().chain(reader));
    io::copy(&mut whole, &mut io::sink()).map_err(unreadable)?;
    let (digest, size) = whole.finish();
    Ok(Descriptor::new(media_type, digest, size))
}
