use std::io::Cursor;

use imagewright_layer::{
    Content, EncodedLayer, LayerEntry, LayerEntryKind, LayerError, TreeEntry, TreeKind, TreePath,
    encode_tree, parents, read_layer,
};
use imagewright_oci::{Digest, MediaType};

use crate::support::options;

fn path(text: &str) -> TreePath {
    TreePath::new(text).unwrap()
}

fn encode(entries: Vec<TreeEntry>, threads: usize) -> Result<(EncodedLayer, Vec<u8>), LayerError> {
    let mut bytes = Vec::new();
    let layer = encode_tree(entries, &options(threads), &mut bytes)?;
    Ok((layer, bytes))
}

fn entries(bytes: &[u8]) -> Vec<LayerEntry> {
    let mut entries = Vec::new();
    read_layer(bytes, &MediaType::OciLayerGzip, |entry, _| {
        entries.push(entry.clone());
        Ok::<_, LayerError>(())
    })
    .unwrap();
    entries
}

fn opened(at: &str, size: u64, bytes: Vec<u8>) -> TreeEntry {
    let content = Content::Open(Box::new(|| Ok(Box::new(Cursor::new(bytes)))));
    TreeEntry::new(path(at), TreeKind::File { size, content }, 0o644)
}

#[test]
fn every_kind_comes_back() {
    let long = format!("etc/{}", "l".repeat(150));
    let mut capable = TreeEntry::file(path("bin/ping"), 0o4755, b"elf".to_vec());
    capable.xattrs.insert("security.capability".to_owned(), vec![1, 0, 10, 255]);
    let given = vec![
        TreeEntry::symlink(path("z/link"), "/é"),
        capable.owned_by(3_000_000, 7),
        TreeEntry::directory(path("tmp"), 0o1777),
        TreeEntry::file(path(&long), 0o640, Vec::new()),
        TreeEntry::symlink(path("a/link"), &long),
        TreeEntry::new(path("a/hard"), TreeKind::Hardlink { target: path("bin/ping") }, 0o755),
        TreeEntry::new(path("dev/null"), TreeKind::CharacterDevice { major: 1, minor: 3 }, 0o666),
        TreeEntry::new(path("dev/sda"), TreeKind::BlockDevice { major: 8, minor: 0 }, 0o660),
        TreeEntry::new(path("run/pipe"), TreeKind::Fifo, 0o600),
        TreeEntry::whiteout(&path("usr/gone")),
        TreeEntry::whiteout(&path("gone")),
        TreeEntry::opaque(&path("var/cache")),
    ];
    let found = entries(&encode(given, 1).unwrap().1);
    let summary: Vec<String> = found
        .iter()
        .map(|entry| {
            let path = entry.path.to_str().unwrap().replace(&long, "LONG");
            let kind = format!("{:?}", entry.kind).replace(&long, "LONG");
            format!("{path} {kind} {:o} {}:{}", entry.mode, entry.uid, entry.gid)
        })
        .collect();
    let expected = [
        "gone Whiteout 644 0:0",
        "a/link Symlink { target: \"LONG\" } 777 0:0",
        "bin/ping File { size: 3 } 4755 3000000:7",
        "dev/null CharacterDevice { major: 1, minor: 3 } 666 0:0",
        "dev/sda BlockDevice { major: 8, minor: 0 } 660 0:0",
        "LONG File { size: 0 } 640 0:0",
        "run/pipe Fifo 600 0:0",
        "tmp Directory 1777 0:0",
        "usr/gone Whiteout 644 0:0",
        "var/cache Opaque 644 0:0",
        "z/link Symlink { target: \"/é\" } 777 0:0",
        "a/hard Hardlink { target: \"bin/ping\" } 755 0:0",
    ];
    assert_eq!(summary, expected);
    assert_eq!(found[2].xattrs["security.capability"], [1, 0, 10, 255]);
}

#[test]
fn order_and_repeated_directories_do_not_matter() {
    let file = || TreeEntry::file(path("opt/a/b"), 0o644, b"x".to_vec());
    let with = |mut entries: Vec<TreeEntry>| {
        entries.extend(parents(&path("opt/a/b")));
        encode(entries, 1).unwrap().0
    };
    assert_eq!(with(vec![file()]), with(vec![TreeEntry::directory(path("opt"), 0o755), file()]));
    let twice = encode(vec![file(), file()], 1).unwrap_err();
    assert!(twice.to_string().contains("cannot both be at opt/a/b"), "{twice}");
    let modes = vec![TreeEntry::directory(path("opt"), 0o755), TreeEntry::directory(path("opt"), 0o700)];
    assert!(encode(modes, 1).is_err());
}

#[test]
fn bytes_do_not_depend_on_the_threads() {
    let made = |threads| {
        let text = |index: u32| format!("{index} {}\n", index.wrapping_mul(2_654_435_761));
        let content: Vec<u8> = (0..300_000).flat_map(|index| text(index).into_bytes()).collect();
        let size = content.len() as u64;
        let small =
            (0..200).map(|index| TreeEntry::file(path(&format!("small/{index}")), 0o644, vec![7; index]));
        encode(small.chain([opened("large", size, content)]).collect(), threads).unwrap().0
    };
    let layer = made(1);
    assert!(layer.uncompressed_size > 5 << 20);
    for threads in [2, 3, 8] {
        assert_eq!(made(threads), layer);
    }
}

#[test]
fn content_that_is_not_as_said_is_an_error() {
    for (size, content, expected) in [(3, vec![1; 2], "has 2"), (1, vec![1; 2], "has more")] {
        let message = encode(vec![opened("a", size, content)], 1).unwrap_err().to_string();
        assert!(message.starts_with("a was said to have") && message.ends_with(expected), "{message}");
    }
    let open = || Err(std::io::Error::other("gone"));
    let content = Content::Open(Box::new(open));
    let entry = TreeEntry::new(path("a"), TreeKind::File { size: 1, content }, 0o644);
    assert_eq!(encode(vec![entry], 2).unwrap_err().to_string(), "cannot read a for the layer");
}

#[test]
fn an_empty_layer_is_a_layer() {
    let (layer, bytes) = encode(Vec::new(), 1).unwrap();
    assert_eq!((Digest::of(&bytes), bytes.len() as u64), (layer.digest, layer.size));
    assert_eq!(layer.uncompressed_size, 1024);
    assert_eq!(layer.diff_id.0, Digest::of(&[0; 1024]));
    assert_eq!(entries(&bytes), []);
}

#[test]
fn a_full_disk_is_reported() {
    struct Full;
    impl std::io::Write for Full {
        fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
            Err(std::io::ErrorKind::StorageFull.into())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let content =
        (0..400).map(|index| TreeEntry::file(path(&index.to_string()), 0o644, vec![0; 100_000])).collect();
    let error = encode_tree(content, &options(3), &mut Full).unwrap_err();
    assert!(matches!(error, LayerError::Write { .. }));
    assert!(error.hint().unwrap().contains("full"));
}

#[test]
fn entry_kinds_without_content_have_none() {
    let (_, bytes) = encode(vec![TreeEntry::directory(path("d"), 0o755)], 1).unwrap();
    assert_eq!(entries(&bytes)[0].kind, LayerEntryKind::Directory);
}
