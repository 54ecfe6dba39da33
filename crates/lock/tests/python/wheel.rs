//! Wheels made on the spot: a module, its metadata, nothing more.

/// The bytes of `{name}-{version}-{tag}.whl` with some `Requires-Dist` lines.
pub(crate) fn wheel(name: &str, version: &str, tag: &str, requires: &[&str]) -> Vec<u8> {
    let info = format!("{name}-{version}.dist-info");
    let requires = requires.iter().fold(String::new(), |text, it| text + "Requires-Dist: " + it + "\n");
    let metadata = format!("Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{requires}");
    let about = format!("Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: {tag}\n");
    stored_zip(&[
        (format!("{name}.py"), "x = 1\n".to_owned()),
        (format!("{info}/METADATA"), metadata),
        (format!("{info}/WHEEL"), about),
        (format!("{info}/RECORD"), String::new()),
    ])
}

fn stored_zip(files: &[(String, String)]) -> Vec<u8> {
    let mut zip = Vec::new();
    let mut directory = Vec::new();
    for (name, text) in files {
        let offset = u32::try_from(zip.len()).unwrap();
        let (name, text) = (name.as_bytes(), text.as_bytes());
        let length = u32::try_from(text.len()).unwrap().to_le_bytes();
        let mut common = vec![20, 0, 0, 0, 0, 0, 0, 0, 0x21, 0];
        common.extend(crc32(text).to_le_bytes());
        common.extend([length, length].concat());
        common.extend(u16::try_from(name.len()).unwrap().to_le_bytes());
        common.extend([0, 0]);
        zip.extend([b"PK\x03\x04".as_slice(), &common, name, text].concat());
        directory.extend(
            [b"PK\x01\x02".as_slice(), &[20, 3], &common, &[0; 10], &offset.to_le_bytes(), name].concat(),
        );
    }
    let count = u16::try_from(files.len()).unwrap().to_le_bytes();
    let start = u32::try_from(zip.len()).unwrap().to_le_bytes();
    let length = u32::try_from(directory.len()).unwrap().to_le_bytes();
    zip.extend(directory);
    zip.extend([b"PK\x05\x06\0\0\0\0".as_slice(), &count, &count, &length, &start, &[0, 0]].concat());
    zip
}

fn crc32(bytes: &[u8]) -> u32 {
    let step = |crc: u32, _| if crc & 1 == 1 { (crc >> 1) ^ 0xEDB8_8320 } else { crc >> 1 };
    !bytes.iter().fold(u32::MAX, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), step))
}
