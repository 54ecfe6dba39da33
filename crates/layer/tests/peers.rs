//! Programs that others unpack layers with.

use imagewright_testkit::wheel::Item;
use tempfile::TempDir;

use crate::support::{Open as _, demo, layer_of, oracle, run};

fn blob(directory: &TempDir) -> (String, Vec<String>) {
    let wheel = demo()
        .file("demo/__init__.py", "x = 1\n")
        .file("demo/large", vec![b'x'; 200_000])
        .file(&format!("demo/{}", "n".repeat(150)), "long")
        .file("demo/größe/日本.txt", "names")
        .item(Item::new("demo/stored", "s".repeat(50_000)).stored())
        .install()
        .unwrap();
    let mut paths: Vec<String> = wheel.files().iter().map(|file| file.path.to_string()).collect();
    paths.sort_unstable();
    let path = directory.path().join("layer.tar.gz");
    fs_err::write(&path, layer_of(&[wheel]).unwrap().1).unwrap();
    (path.to_str().unwrap().to_owned(), paths)
}

#[test]
fn gzip_and_gnu_tar_read_a_spliced_layer() {
    let directory = TempDir::new().unwrap();
    let (layer, paths) = blob(&directory);
    run("gzip", &["--test", &layer]);
    let listed = run("tar", &["--quoting-style=literal", "-tzf", &layer]);
    let mut listed: Vec<&str> = listed.lines().filter(|line| !line.ends_with('/')).collect();
    listed.sort_unstable();
    assert_eq!(listed, paths);
    let tree = directory.path().join("tree");
    fs_err::create_dir(&tree).unwrap();
    run("tar", &["-xzf", &layer, "--no-same-owner", "-C", tree.to_str().unwrap()]);
    let large = fs_err::read(tree.join("opt/venv/lib/python3.11/site-packages/demo/large")).unwrap();
    assert_eq!(large, vec![b'x'; 200_000]);
}

#[test]
fn python_reads_a_spliced_layer() {
    let Some(python) = oracle() else { return };
    let directory = TempDir::new().unwrap();
    let (layer, paths) = blob(&directory);
    let program = "import sys, tarfile\n\
        for m in tarfile.open(sys.argv[1]):\n    \
            if m.isfile(): sys.stdout.buffer.write(f'{m.name} {m.mode:o} {m.uid} {m.gname!r} {m.mtime}\\n'.encode())";
    let listed = run(&python, &["-c", program, &layer]);
    let mut listed: Vec<&str> = listed.lines().collect();
    listed.sort_unstable();
    let expected: Vec<String> = paths.iter().map(|path| format!("{path} 644 0 '' 315532800")).collect();
    assert_eq!(listed, expected);
}
