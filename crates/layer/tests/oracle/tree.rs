use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use imagewright_oci::Digest;

/// What differs by design: the installer's own records.
const OWN_FILES: [&str; 4] = ["/RECORD", "/INSTALLER", "/REQUESTED", "/direct_url.json"];

/// Mode and content of each file and directory below a directory, links as their targets.
pub(super) type Tree = BTreeMap<String, (u32, Digest)>;

pub(super) fn read(root: &Path) -> Tree {
    let mut tree = Tree::new();
    read_below(root, "", &mut tree);
    tree
}

fn read_below(directory: &Path, name: &str, tree: &mut Tree) {
    for entry in fs_err::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let name = format!("{name}/{}", path.file_name().unwrap().to_str().unwrap());
        let metadata = fs_err::symlink_metadata(&path).unwrap();
        if name.ends_with("/__pycache__") || OWN_FILES.iter().any(|own| name.ends_with(own)) {
            continue;
        }
        let content = if metadata.is_dir() {
            read_below(&path, &name, tree);
            Vec::new()
        } else if metadata.is_symlink() {
            fs_err::read_link(&path).unwrap().to_str().unwrap().as_bytes().to_vec()
        } else {
            without_shebang(&name, fs_err::read(&path).unwrap())
        };
        tree.insert(name, (metadata.permissions().mode(), Digest::of(&content)));
    }
}

fn without_shebang(name: &str, content: Vec<u8>) -> Vec<u8> {
    let is_script = name.starts_with("/bin/") && content.starts_with(b"#!");
    match content.iter().position(|byte| *byte == b'\n') {
        Some(end) if is_script => content[end..].to_vec(),
        _ => content,
    }
}

pub(super) fn assert_same(by_pip: &Tree, by_us: &Tree) {
    assert!(by_pip.len() > 5000, "only {} files", by_pip.len());
    let differs = |name: &&String| by_pip.get(*name) != by_us.get(*name);
    let different: Vec<String> = by_pip
        .keys()
        .chain(by_us.keys().filter(|name| !by_pip.contains_key(*name)))
        .filter(differs)
        .map(|name| format!("{name}: pip {:?}, layer {:?}", by_pip.get(name), by_us.get(name)))
        .collect();
    assert!(different.is_empty(), "{} differences:\n{}", different.len(), different.join("\n"));
}
