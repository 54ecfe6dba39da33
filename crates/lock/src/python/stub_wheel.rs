//! Wheels that stand for what a base has and no index does: uv may then choose it, and nothing is installed.

/// The name and bytes of a wheel that holds metadata only. Its dependencies are unknown, and taken to be there.
pub(super) fn stub_wheel(name: &str, version: &str) -> (String, Vec<u8>) {
    let stem = format!("{}-{version}", name.replace('-', "_"));
    let file = |name: &str, text: String| (format!("{stem}.dist-info/{name}"), text.into_bytes());
    let bytes = stored_zip(&[
        file("METADATA", format!("Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")),
        file(
            "WHEEL",
            "Wheel-Version: 1.0\nGenerator: imagewright\nRoot-Is-Purelib: true\nTag: py3-none-any\n".into(),
        ),
        file("RECORD", String::new()),
    ]);
    (format!("{stem}-py3-none-any.whl"), bytes)
}

/// A zip archive (APPNOTE 6.3.10) of a few small files, stored.
fn stored_zip(files: &[(String, Vec<u8>)]) -> Vec<u8> {
    let (mut zip, mut directory) = (Vec::new(), Vec::new());
    for (name, bytes) in files {
        let offset = length(&zip);
        let mut header = vec![20, 0, 0, 0, 0, 0, 0, 0, 0x21, 0];
        header.extend(crc32(bytes).to_le_bytes());
        header.extend([length(bytes), length(bytes)].concat());
        header.extend(&length(name.as_bytes())[..2]);
        header.extend([0, 0]);
        zip.extend([b"PK\x03\x04", header.as_slice(), name.as_bytes(), bytes].concat());
        let entry = [b"PK\x01\x02\x14\x03", header.as_slice(), &[0; 10], &offset, name.as_bytes()];
        directory.extend(entry.concat());
    }
    let count = &length(files)[..2];
    let start = length(&zip);
    let end = [b"PK\x05\x06\0\0\0\0", count, count, &length(&directory), &start, &[0, 0]];
    [zip.as_slice(), directory.as_slice(), &end.concat()].concat()
}

fn length<T>(items: &[T]) -> [u8; 4] {
    u32::try_from(items.len()).expect("stubs are small").to_le_bytes()
}

fn crc32(bytes: &[u8]) -> u32 {
    let step = |crc: u32, _| if crc & 1 == 1 { (crc >> 1) ^ 0xEDB8_8320 } else { crc >> 1 };
    !bytes.iter().fold(u32::MAX, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), step))
}
