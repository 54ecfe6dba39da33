//! A tar archive of an OCI image layout with one image: sorted, and of the image's time, so that its bytes are those of
//! the image.

use std::io::Write;

use imagewright_layer::ArchiveWriter;

use super::freight::{Freight, Part};
use super::layout::{BLOBS, INDEX_FILE, VERSION, VERSION_FILE};
use crate::BuildError;

pub(super) fn write(freight: &Freight, out: &mut dyn Write) -> Result<(), BuildError> {
    let failed = |source| freight.unwritten(source);
    let mut archive = ArchiveWriter::new(out, freight.epoch());
    archive.directory("blobs").and_then(|()| archive.directory(BLOBS)).map_err(failed)?;
    for (digest, part) in freight.parts() {
        archive.file(&format!("{BLOBS}/{}", digest.hex()), part.size()).map_err(failed)?;
        freight.write(part, &mut archive)?;
    }
    let index = freight.index();
    for (name, bytes) in [(INDEX_FILE, &*index), (VERSION_FILE, VERSION.as_bytes())] {
        archive.file(name, bytes.len() as u64).map_err(failed)?;
        freight.write(Part::Document(bytes), &mut archive)?;
    }
    archive.finish().map_err(failed)?;
    Ok(())
}
