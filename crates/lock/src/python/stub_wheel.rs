//! Wheels that stand for what a base has and no index does: uv may then choose it, and nothing is installed.

use std::io::{Cursor, Write as _};

use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipWriter};

/// The name and bytes of a wheel that holds metadata only. Its dependencies are unknown, and taken to be there.
pub(super) fn stub_wheel(name: &str, version: &str) -> (String, Vec<u8>) {
    let stem = format!("{}-{version}", name.replace('-', "_"));
    let metadata = format!("Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n");
    let about = "Wheel-Version: 1.0\nGenerator: imagewright\nRoot-Is-Purelib: true\nTag: py3-none-any\n";
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Stored)
        .last_modified_time(DateTime::default());
    for (file, text) in [("METADATA", metadata.as_str()), ("WHEEL", about), ("RECORD", "")] {
        zip.start_file(format!("{stem}.dist-info/{file}"), options).expect("a short name is a good one");
        zip.write_all(text.as_bytes()).expect("memory takes everything");
    }
    let bytes = zip.finish().expect("memory takes everything").into_inner();
    (format!("{stem}-py3-none-any.whl"), bytes)
}
