//! Images in an OCI layout, be it a folder or an archive.

use std::collections::BTreeMap;

use imagewright_oci::{Descriptor, Digest, ImageConfig, ImageIndex, ImageManifest, Manifest};
use imagewright_spec::LocalImage;

use super::error::LocalImageError;
use super::files::Files;
use super::image::{Candidate, parse};

const INDEX: &str = "index.json";

/// The images that may be meant, of all platforms.
pub(super) fn candidates(files: &Files, image: &LocalImage) -> Result<Vec<Candidate>, LocalImageError> {
    let index: ImageIndex = parse(INDEX, &files.document(INDEX)?)?;
    let entries = image.entries(&index);
    if entries.is_empty() {
        let names = index.manifests.iter().map(name).collect();
        return Err(LocalImageError::NoSuchImage { found: names });
    }
    let mut candidates = Vec::new();
    for entry in entries {
        match manifest(files, entry)? {
            Manifest::Image(manifest) => {
                candidates.push(candidate(files, name(entry), entry.digest, *manifest)?);
            }
            Manifest::Index(nested) => {
                for inner in nested.manifests.iter().filter(|inner| !is_attestation(inner)) {
                    // An index may list platforms that were not copied along.
                    if let Err(LocalImageError::Missing { .. }) = files.open(&blob(inner.digest)) {
                        continue;
                    }
                    if let Manifest::Image(manifest) = manifest(files, inner)? {
                        candidates.push(candidate(files, name(entry), inner.digest, *manifest)?);
                    }
                }
            }
        }
    }
    Ok(candidates)
}

fn candidate(
    files: &Files,
    name: String,
    digest: Digest,
    manifest: ImageManifest,
) -> Result<Candidate, LocalImageError> {
    let config: ImageConfig = parse(&blob(manifest.config.digest), &document(files, &manifest.config)?)?;
    let names: BTreeMap<Digest, String> =
        manifest.layers.iter().map(|layer| (layer.digest, blob(layer.digest))).collect();
    Ok(Candidate { name, digest, manifest, config, names })
}

fn manifest(files: &Files, entry: &Descriptor) -> Result<Manifest, LocalImageError> {
    let bytes = document(files, entry)?;
    Manifest::parse(&entry.media_type, &bytes)
        .map_err(|source| LocalImageError::Manifest { digest: entry.digest, source })
}

/// A document that has the digest it is listed with.
fn document(files: &Files, descriptor: &Descriptor) -> Result<Vec<u8>, LocalImageError> {
    let name = blob(descriptor.digest);
    let bytes = files.document(&name)?;
    let (actual, size) = (Digest::of(&bytes), bytes.len() as u64);
    if actual == descriptor.digest {
        return Ok(bytes);
    }
    let (expected, expected_size) = (descriptor.digest, descriptor.size);
    Err(LocalImageError::Damaged { name, expected, expected_size, actual, size })
}

fn blob(digest: Digest) -> String {
    format!("blobs/sha256/{}", digest.hex())
}

fn name(entry: &Descriptor) -> String {
    LocalImage::names(&entry.annotations).next().map_or_else(|| entry.digest.to_string(), str::to_owned)
}

/// What other builders put beside their images.
fn is_attestation(entry: &Descriptor) -> bool {
    entry.platform.as_ref().is_some_and(|platform| platform.os == "unknown")
}
