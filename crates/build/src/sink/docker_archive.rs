//! The archive that `docker load` reads: configuration, layers, and `manifest.json`, which names them.
//!
//! Layers stay as they are compressed if every engine that reads such archives knows the compression, which is gzip;
//! others are unpacked. Everything is sorted and of the image's time, so the archive's bytes are those of the image.

use std::collections::BTreeMap;
use std::io::{Seek as _, SeekFrom, Write};

use imagewright_layer::{ArchiveWriter, tar_stream};
use imagewright_oci::{Descriptor, DiffId, MediaType, canonical_json};
use serde_json::json;

use super::freight::{Freight, Part};
use crate::BuildError;

const MANIFEST: &str = "manifest.json";

/// What a file of the archive is.
enum Content<'a> {
    Document(Vec<u8>),
    /// As it is.
    Layer(&'a Descriptor),
    /// Unpacked, which gives this many bytes only when it is done.
    Unpacked(&'a Descriptor),
}

pub(super) fn write(freight: &Freight, out: &mut dyn Write) -> Result<(), BuildError> {
    let mut archive = ArchiveWriter::new(out, freight.epoch());
    for (path, content) in files(freight) {
        match content {
            Content::Document(bytes) => {
                begin(freight, &mut archive, &path, bytes.len() as u64)?;
                freight.write(Part::Document(&bytes), &mut archive)?;
            }
            Content::Layer(layer) => {
                begin(freight, &mut archive, &path, layer.size)?;
                freight.write(Part::Layer(layer), &mut archive)?;
            }
            Content::Unpacked(layer) => {
                let mut scratch = freight.scratch()?;
                let tar = tar_stream(freight.open(layer)?, &layer.media_type)?;
                let size = freight.copy(layer, tar, &mut scratch)?;
                scratch.seek(SeekFrom::Start(0)).map_err(BuildError::artifact)?;
                begin(freight, &mut archive, &path, size)?;
                freight.copy(layer, scratch, &mut archive)?;
            }
        }
    }
    archive.finish().map_err(|source| freight.unwritten(source))?;
    Ok(())
}

fn begin(
    freight: &Freight,
    archive: &mut ArchiveWriter<&mut dyn Write>,
    path: &str,
    size: u64,
) -> Result<(), BuildError> {
    archive.file(path, size).map_err(|source| freight.unwritten(source))
}

fn files(freight: &Freight) -> BTreeMap<String, Content<'_>> {
    let image = freight.image();
    let config = format!("{}.json", image.manifest.config.digest.hex());
    let layers: Vec<(&Descriptor, DiffId)> = image.layers().collect();
    let names: Vec<String> = layers.iter().map(|(layer, diff_id)| name(layer, *diff_id)).collect();
    let tags: Vec<String> = freight.names.iter().map(ToString::to_string).collect();
    let manifest = json!([{ "Config": config, "RepoTags": tags, "Layers": names }]);
    let contents = layers.iter().map(|(layer, _)| match layer.media_type.to_oci() {
        MediaType::OciLayerZstd => Content::Unpacked(layer),
        _ => Content::Layer(layer),
    });
    let documents = [
        (MANIFEST.to_owned(), Content::Document(canonical_json(&manifest))),
        (config, Content::Document(image.config_bytes.clone())),
    ];
    names.iter().cloned().zip(contents).chain(documents).collect()
}

fn name(layer: &Descriptor, diff_id: DiffId) -> String {
    match layer.media_type.to_oci() {
        MediaType::OciLayerGzip => format!("{}.tar.gz", layer.digest.hex()),
        _ => format!("{}.tar", diff_id.0.hex()),
    }
}
