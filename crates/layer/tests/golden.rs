//! Bytes that must never change without a new number in FORMAT.md.

use imagewright_layer::{Bytecode, TREE_FORMAT, TreeEntry, TreePath, WHEEL_FORMAT, encode_tree, parents};
use imagewright_testkit::wheel::Item;

use crate::support::{Open as _, demo, layer_with, options};

fn text(seed: usize, lines: usize) -> Vec<u8> {
    (0..lines).flat_map(|line| format!("{seed} line {line} of {lines}\n").into_bytes()).collect()
}

#[test]
fn a_wheel_layer() {
    let wheel = demo()
        .file("demo/__init__.py", "print('demo')\n")
        .file("demo/data.txt", text(1, 5000))
        .item(Item::new("demo/lib.so", text(2, 100_000)).mode(0o100_755))
        .item(Item::new("demo/stored", text(3, 2000)).stored())
        .file(&format!("demo/{}/größe", "d".repeat(110)), "long and not ASCII")
        .file("demo-1.0.dist-info/entry_points.txt", "[console_scripts]\ndemo = demo:main\n")
        .file("demo-1.0.data/scripts/run", "#!python\n")
        .install()
        .unwrap();
    let bytecode = TreePath::new("opt/venv/lib/python3.11/site-packages/demo/__pycache__/x.pyc").unwrap();
    let bytecode = vec![Bytecode { path: bytecode, content: text(4, 1000) }];
    let (layer, _) = layer_with(&[wheel], bytecode, 2).unwrap();
    assert_eq!(
        (WHEEL_FORMAT, layer.digest.hex().as_str(), layer.diff_id.0.hex().as_str()),
        (
            1,
            "b7f6825a65b82bf88842f88fbf6ce48b725914fe8d2c29c366fb17d606124ff6",
            "e0a3c48b670d08ebf7ad1579b85df84d9f675bbed2a3064dcbb9bcbf55e3a5d7"
        )
    );
}

#[test]
fn a_tree_layer() {
    let path = TreePath::new("usr/lib/demo/file").unwrap();
    let mut entries: Vec<TreeEntry> = parents(&path).collect();
    entries.push(TreeEntry::file(path, 0o644, text(5, 100_000)));
    entries.push(TreeEntry::symlink(TreePath::new("lib").unwrap(), "usr/lib"));
    entries.push(TreeEntry::whiteout(&TreePath::new("etc/gone").unwrap()));
    let layer = encode_tree(entries, &options(2), &mut Vec::new()).unwrap();
    assert_eq!(
        (TREE_FORMAT, layer.digest.hex().as_str(), layer.diff_id.0.hex().as_str()),
        (
            1,
            "d866c0e5de04efe94c741460a3e4abe8473df522dc86e8e7be0c7a4fdf824a9a",
            "89d3ccc98a96f288f3f9c34d0ba8633d4c8cfed63e3c42d5a6e5e8480f19fcfd"
        )
    );
}
