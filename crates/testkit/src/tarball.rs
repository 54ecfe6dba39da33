//! Archives of text, for what is packed that way.

use flate2::Compression;
use flate2::write::GzEncoder;

/// A `.tar.gz` of files that have these paths and contents.
pub fn tarball(files: &[(impl AsRef<str>, impl AsRef<str>)]) -> Vec<u8> {
    let mut archive = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    for (path, text) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(text.as_ref().len() as u64);
        header.set_mode(0o644);
        archive
            .append_data(&mut header, path.as_ref(), text.as_ref().as_bytes())
            .expect("memory can be written to");
    }
    let compressed = archive.into_inner().expect("memory can be written to");
    compressed.finish().expect("memory can be written to")
}
