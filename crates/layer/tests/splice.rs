use std::collections::BTreeMap;

use imagewright_layer::{Bytecode, LayerEntryKind, LayerError, Segment, TreePath, read_layer, splice_wheels};
use imagewright_oci::MediaType;
use imagewright_testkit::wheel::{Damage, Item, WheelBuilder};

use crate::support::{Open as _, demo, layer_of, layer_with, options};

const SITE: &str = "opt/venv/lib/python3.11/site-packages";

/// Content that does not repeat, so that runs fill more than one member.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 1_u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_le_bytes()[3]
    };
    (0..length).map(|_| next()).collect()
}

/// Paths with mode and, for files, content, in the layer's order.
fn entries(blob: &[u8]) -> Vec<(String, u32, Option<Vec<u8>>)> {
    let mut entries = Vec::new();
    read_layer(blob, &MediaType::OciLayerGzip, |entry, content| {
        assert_eq!((entry.uid, entry.gid, entry.mtime), (0, 0, 315_532_800));
        let mut bytes = Vec::new();
        content.read_to_end(&mut bytes).unwrap();
        let content = matches!(entry.kind, LayerEntryKind::File { .. }).then_some(bytes);
        entries.push((entry.path.to_str().unwrap().to_owned(), entry.mode, content));
        Ok::<_, LayerError>(())
    })
    .unwrap();
    entries
}

fn files(blob: &[u8]) -> BTreeMap<String, Vec<u8>> {
    entries(blob).into_iter().filter_map(|(path, _, content)| Some((path, content?))).collect()
}

#[test]
fn a_layer_has_what_the_wheel_installs() {
    let long = "n".repeat(120);
    let wheel = demo()
        .file("demo/__init__.py", "x = 1\n")
        .item(Item::new("demo/large.so", noise(50_000)).mode(0o100_755))
        .item(Item::new("demo/stored.bin", noise(30_000)).stored())
        .file("demo/empty", "")
        .file(&format!("demo/{long}"), "long")
        .file("demo/größe/日本.txt", "names")
        .install()
        .unwrap();
    let (layer, blob) = layer_of(&[wheel]).unwrap();
    let ranges = layer.segments.iter().filter(|segment| matches!(segment, Segment::Artifact { .. })).count();
    assert_eq!(ranges, 1, "only the large deflated member is spliced");
    let entries = entries(&blob);
    let paths: Vec<&str> = entries.iter().map(|(path, ..)| path.as_str()).collect();
    assert_eq!(paths[..5], ["opt", "opt/venv", "opt/venv/lib", "opt/venv/lib/python3.11", SITE]);
    assert!(paths.is_sorted());
    let find = |name: &str| entries.iter().find(|(path, ..)| *path == format!("{SITE}/{name}")).unwrap();
    assert_eq!(find("demo/large.so").1, 0o755);
    assert_eq!(find("demo/large.so").2.as_deref(), Some(&noise(50_000)[..]));
    assert_eq!(find("demo/stored.bin").2.as_deref(), Some(&noise(30_000)[..]));
    assert_eq!(find("demo/empty").2.as_deref(), Some(&b""[..]));
    assert_eq!(find(&format!("demo/{long}")).2.as_deref(), Some(&b"long"[..]));
    assert_eq!(find("demo/größe/日本.txt").1, 0o644);
    assert_eq!((find("demo").1, &find("demo").2), (0o755, &None));
}

#[test]
fn lies_are_found_before_anything_can_be_cached() {
    let cases = [
        (Damage::Crc, "CRC-32"),
        (Damage::Size, "size"),
        (Damage::SmallSize, "size"),
        (Damage::TrailingStream, "ends before"),
        (Damage::CutStream, "deflate stream"),
    ];
    for (damage, expected) in cases {
        // The first is compressed anew, the second spliced.
        for content in [noise(100), noise(100_000)] {
            let wheel = demo().item(Item::new("demo/a", content).damaged(damage)).install().unwrap();
            let message = layer_of(&[wheel]).unwrap_err().to_string();
            let is_found = message.contains(expected) || message.contains("does not have the sha256");
            assert!(is_found, "{damage:?}: {message}");
        }
    }
}

#[test]
fn a_file_that_record_contradicts_is_found() {
    for length in [100, 100_000] {
        let other = "47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU";
        let wheel = demo()
            .file("demo/a", noise(length))
            .file("demo/b", "fine")
            .record(&format!("demo/a,sha256={other},{length}\n"))
            .install()
            .unwrap();
        let message = layer_of(&[wheel]).unwrap_err().to_string();
        assert!(message.contains("`demo/a` does not have the sha256"), "{message}");
    }
}

#[test]
fn bytes_do_not_depend_on_the_threads() {
    let wheels = [demo()
        .file("demo/a.txt", noise(3_000_000))
        .item(Item::new("demo/b.txt", noise(2_500_000)).stored())
        .file("demo/c.txt", noise(10_000))
        .install()
        .unwrap()];
    let bytecode = |index: usize| Bytecode {
        path: TreePath::new(&format!("{SITE}/demo/__pycache__/{index:03}.pyc")).unwrap(),
        content: noise(100_000 + index),
    };
    let made = |threads| layer_with(&wheels, (0..40).map(bytecode).collect(), threads).unwrap();
    let (layer, blob) = made(1);
    assert_eq!(files(&blob).len(), 47);
    for threads in [2, 3, 8] {
        assert_eq!(made(threads).0, layer);
    }
}

#[test]
fn bytecode_comes_behind_all_else() {
    let wheels = [demo().file("demo/a.py", "").file("demo/z.py", "").install().unwrap()];
    let compiled = |path: &str| Bytecode {
        path: TreePath::new(&format!("{SITE}/demo/__pycache__/{path}")).unwrap(),
        content: path.as_bytes().to_vec(),
    };
    let (_, blob) = layer_with(&wheels, vec![compiled("a.pyc"), compiled("z.pyc")], 1).unwrap();
    let paths: Vec<String> = entries(&blob).into_iter().map(|(path, ..)| path).collect();
    let cache = format!("{SITE}/demo/__pycache__");
    assert_eq!(paths[paths.len() - 3..], [cache.clone(), format!("{cache}/a.pyc"), format!("{cache}/z.pyc")]);
    let unsorted = layer_with(&wheels, vec![compiled("z.pyc"), compiled("a.pyc")], 1).unwrap_err();
    assert!(unsorted.to_string().contains("entries are sorted"), "{unsorted}");
    let failed =
        splice_wheels(&wheels, [Err(std::io::Error::other("no compiler"))], &options(1), &mut Vec::new());
    assert!(matches!(failed, Err(LayerError::Bytecode { .. })));
}

#[test]
fn the_later_distribution_wins_a_shared_path() {
    let first =
        WheelBuilder::new("first", "1.0").file("shared/x", "first").file("shared/y", "y").install().unwrap();
    let second =
        WheelBuilder::new("second", "1.0").file("shared/x", "second").file("z/x", "z").install().unwrap();
    let (_, blob) = layer_of(&[first, second]).unwrap();
    let files = files(&blob);
    assert_eq!(files[&format!("{SITE}/shared/x")], b"second");
    assert_eq!(files[&format!("{SITE}/shared/y")], b"y");
    let directories = entries(&blob).into_iter().filter(|(path, ..)| path.ends_with("/shared")).count();
    assert_eq!(directories, 1);
}

#[test]
fn a_file_where_another_distribution_has_a_directory_is_refused() {
    let first = WheelBuilder::new("first", "1.0").file("shared", "").install().unwrap();
    let second = WheelBuilder::new("second", "1.0").file("shared/x", "").install().unwrap();
    let message = layer_of(&[first, second]).unwrap_err().to_string();
    assert!(message.contains(&format!("cannot both be at {SITE}/shared")), "{message}");
}

#[test]
fn a_side_file_that_changed_is_found() {
    let wheels = [demo().file("demo/a", noise(100_000)).install().unwrap()];
    let mut inline = Vec::new();
    let layer = splice_wheels(&wheels, [], &options(1), &mut inline).unwrap();
    let last = inline.len() - 1;
    for at in [0, 3, 20, inline.len() / 2, last - 7, last] {
        let mut damaged = inline.clone();
        damaged[at] ^= 0x40;
        assert!(layer.clone().verify(&damaged, &wheels).is_err(), "byte {at}");
    }
    inline.truncate(last);
    assert!(layer.clone().verify(&inline, &wheels).is_err());
}
