use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use imagewright_layer::{LayerEntryKind, LayerError, TreeEntry, TreePath, encode_tree, read_layer};
use imagewright_oci::{Digest, HashingReader, MediaType};

use crate::support::options;

fn names(layer: &[u8], media_type: &MediaType) -> Result<Vec<String>, LayerError> {
    let mut names = Vec::new();
    read_layer(layer, media_type, |entry, content| {
        let mut text = String::new();
        content
            .read_to_string(&mut text)
            .map_err(|source| LayerError::Content { path: String::new(), source })?;
        names.push(format!("{}={text}", entry.path.display()));
        Ok(())
    })
    .map(|()| names)
}

/// A plain archive with one file under any name, as other programs would write it.
fn tar_with(name: &[u8]) -> Vec<u8> {
    let mut header = tar::Header::new_gnu();
    header.as_mut_bytes()[..name.len()].copy_from_slice(name);
    header.set_size(1);
    header.set_mode(0o644);
    header.set_cksum();
    let mut bytes = header.as_bytes().to_vec();
    bytes.extend_from_slice(b"x");
    bytes.resize(512 * 4, 0);
    bytes
}

#[test]
fn compression_is_recognised() {
    let plain = tar_with(b"./etc//a");
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(&plain).unwrap();
    let gzip = gzip.finish().unwrap();
    let zstd = zstd::encode_all(&plain[..], 1).unwrap();
    let types =
        [MediaType::OciLayer, MediaType::OciLayerGzip, MediaType::OciLayerZstd, MediaType::DockerLayerGzip];
    for (bytes, media_type) in
        [&plain, &gzip, &zstd].into_iter().flat_map(|bytes| types.iter().map(move |t| (bytes, t)))
    {
        assert_eq!(names(bytes, media_type).unwrap(), ["etc/a=x"]);
    }
    assert!(matches!(names(&plain, &MediaType::OciConfig), Err(LayerError::UnknownMediaType { .. })));
}

#[test]
fn a_digest_on_the_way_covers_all() {
    let mut bytes = Vec::new();
    let file = TreeEntry::file(TreePath::new("a").unwrap(), 0o644, b"content".to_vec());
    let layer = encode_tree(vec![file], &options(1), &mut bytes).unwrap();
    let mut reader = HashingReader::new(&bytes[..]);
    read_layer(&mut reader, &MediaType::OciLayerGzip, |_, _| Ok::<_, LayerError>(())).unwrap();
    assert_eq!(reader.finish(), (layer.digest, layer.size));
    let trailing = [&tar_with(b"a")[..], &vec![0; 100_000]].concat();
    let mut reader = HashingReader::new(&trailing[..]);
    read_layer(&mut reader, &MediaType::OciLayer, |_, _| Ok::<_, LayerError>(())).unwrap();
    assert_eq!(reader.finish().0, Digest::of(&trailing));
}

#[test]
fn paths_that_leave_the_image_are_refused() {
    for name in [&b"../a"[..], b"a/../../b", b"/a/.."] {
        let error = names(&tar_with(name), &MediaType::OciLayer).unwrap_err();
        assert!(matches!(error, LayerError::UnsafeEntry { .. }), "{error}");
    }
    assert_eq!(names(&tar_with(b"/abs"), &MediaType::OciLayer).unwrap(), ["abs=x"]);
}

#[test]
fn damaged_layers_are_errors() {
    let mut bytes = Vec::new();
    let file = TreeEntry::file(TreePath::new("a").unwrap(), 0o644, b"content".repeat(5000));
    encode_tree(vec![file], &options(1), &mut bytes).unwrap();
    for cut in [5, 40, bytes.len() - 3] {
        let error = names(&bytes[..cut], &MediaType::OciLayerGzip).unwrap_err();
        assert!(matches!(error, LayerError::Archive { .. } | LayerError::Content { .. }), "{error}");
    }
    bytes[50] ^= 0xff;
    assert!(names(&bytes, &MediaType::OciLayerGzip).is_err());
}

#[test]
fn archives_of_another_writer_are_read() {
    let long = format!("deep/{}/file", "d".repeat(200));
    let mut builder = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_size(4);
    header.set_mode(0o4755);
    header.set_uid(5_000_000_000);
    builder.append_data(&mut header, &long, &b"long"[..]).unwrap();
    let mut link = tar::Header::new_gnu();
    link.set_entry_type(tar::EntryType::Symlink);
    link.set_size(0);
    link.set_mode(0o777);
    builder.append_link(&mut link, "link", &long).unwrap();
    builder
        .append_pax_extensions([("path", "päx".as_bytes()), ("SCHILY.xattr.user.a", b"b".as_slice())])
        .unwrap();
    let mut plain = tar::Header::new_ustar();
    plain.set_size(0);
    plain.set_mode(0o600);
    builder.append_data(&mut plain, "hidden by the record", &b""[..]).unwrap();
    let bytes = builder.into_inner().unwrap();
    let mut entries = Vec::new();
    read_layer(&bytes[..], &MediaType::OciLayer, |entry, _| {
        entries.push(entry.clone());
        Ok::<_, LayerError>(())
    })
    .unwrap();
    let paths: Vec<&str> = entries.iter().map(|entry| entry.path.to_str().unwrap()).collect();
    assert_eq!(paths, [&long, "link", "päx"]);
    assert_eq!((entries[0].mode, entries[0].uid), (0o4755, 5_000_000_000));
    assert_eq!(entries[1].kind, LayerEntryKind::Symlink { target: long.into() });
    assert_eq!(entries[2].xattrs["user.a"], b"b");
}
