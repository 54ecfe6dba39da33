//! Disks that are full or read-only, and files of other users: real ones, which take root.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use imagewright_oci::Digest;
use imagewright_store::{BlobState, Depth, PrunePolicy, Store, StoreError};
use imagewright_testkit::peers::may_start_peers;

use crate::fixture::{NOW, Place, bytes, key, put_plain, put_spliced, read_all};
use crate::processes::ROLE;

/// A small file system that goes away with this value.
struct Mounted(tempfile::TempDir);

impl Mounted {
    fn with_size(size: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let options = format!("size={size}");
        run("mount", &["-t", "tmpfs", "-o", &options, "tmpfs", folder.path().to_str().unwrap()]);
        Self(folder)
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn remount(&self, mode: &str) {
        run("mount", &["-o", &format!("remount,{mode}"), self.path().to_str().unwrap()]);
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        run("umount", &["--lazy", self.path().to_str().unwrap()]);
    }
}

#[expect(clippy::disallowed_methods, reason = "mounting is what these tests are about")]
fn run(program: &str, args: &[&str]) {
    let status = Command::new(program).args(args).status().unwrap();
    assert!(status.success(), "{program} {args:?}");
}

#[test]
fn a_full_disk_is_said_and_the_store_stays_usable() {
    if !may_start_peers() {
        return;
    }
    let disk = Mounted::with_size("4m");
    let store = Store::open(disk.path(), NOW).unwrap();
    put_spliced(&store, "small", &bytes(1, 1 << 20));
    let full = |error: StoreError| {
        assert!(matches!(error, StoreError::Full { .. }), "{error:?}");
        assert!(error.hint().unwrap().contains("prune"));
    };
    full(store.insert_artifact(None, "big.whl", &bytes(2, 4 << 20)[..]).unwrap_err());
    let mut staging = store.begin_layer().unwrap();
    let error = std::io::Write::write_all(&mut staging, &bytes(3, 4 << 20)).unwrap_err();
    full(StoreError::from_write(error, |error| panic!("not the store's: {error}")));
    drop(staging);

    // Not one byte is left, not even for the index.
    drop(fs_err::write(disk.path().join("filler"), bytes(4, 4 << 20)).unwrap_err());
    full(store.put_blob(&bytes(5, 100)).unwrap_err());
    assert_eq!(store.layer_by_key(&key("small")).unwrap().unwrap().blob, BlobState::Present);
    drop(store);
    let store = Store::open(disk.path(), NOW).unwrap();
    assert_eq!(store.layer_by_key(&key("small")).unwrap().unwrap().blob, BlobState::Present);

    let report = store.prune(&PrunePolicy { all: true, ..PrunePolicy::default() }).unwrap();
    assert!(report.artifacts.bytes == 1 << 20, "{report:?}");
    put_spliced(&store, "small", &bytes(1, 1 << 19));
    assert!(store.check(Depth::Digests).unwrap().is_clean());
}

#[test]
fn a_read_only_store_answers_and_refuses() {
    if !may_start_peers() {
        return;
    }
    let disk = Mounted::with_size("4m");
    let root = disk.path().join("store");
    disk.remount("ro");
    let error = Store::open(&root, NOW).unwrap_err();
    assert!(matches!(error, StoreError::ReadOnly { .. }), "{error:?}");
    disk.remount("rw");
    let layer = put_plain(&Store::open(&root, NOW).unwrap(), "a", b"bytes");
    disk.remount("ro");
    let store = Store::open(&root, NOW).unwrap();
    assert!(store.is_read_only());
    assert_eq!(store.layer_by_key(&key("a")).unwrap().unwrap(), layer);
    assert_eq!(read_all(&store, &layer.digest).unwrap(), b"bytes");
    assert!(store.check(Depth::Digests).unwrap().is_clean());
    let errors = [
        store.put_blob(b"new").unwrap_err(),
        store.begin_layer().unwrap_err(),
        store.begin_root(&Digest::of(b"root")).unwrap_err(),
        store.insert_artifact(None, "a.whl", &b"x"[..]).unwrap_err(),
        store.try_lease(&key("a").0).unwrap_err(),
        store.prune(&PrunePolicy::default()).unwrap_err(),
    ];
    for error in errors {
        assert!(matches!(error, StoreError::ReadOnly { .. }), "{error:?}");
        assert!(error.hint().is_some());
    }
    drop(store);
    disk.remount("rw");
    put_plain(&Store::open(&root, NOW).unwrap(), "b", b"more");
}

/// Runs a role of `processes::child` as a user that owns nothing, unless it is given.
#[expect(clippy::disallowed_methods, reason = "the test is about another user's process")]
fn run_as_nobody(role: &str, directory: &Path) {
    let folder = tempfile::Builder::new().permissions(PermissionsExt::from_mode(0o755)).tempdir().unwrap();
    let program = folder.path().join("test");
    fs_err::copy(std::env::current_exe().unwrap(), &program).unwrap();
    let status = Command::new("setpriv")
        .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
        .arg(program)
        .args(["--exact", "processes::child", "--nocapture"])
        .env(ROLE, format!("{role}:0:{}", directory.display()))
        .status()
        .unwrap();
    assert!(status.success(), "{role}");
}

fn give(path: &Path, owner: u32) {
    std::os::unix::fs::lchown(path, Some(owner), Some(owner)).unwrap();
}

#[test]
fn a_store_of_another_user_answers_and_refuses() {
    if !may_start_peers() {
        return;
    }
    let place = Place::open_to_all();
    put_plain(&place.open(), "a", b"bytes");
    run_as_nobody("look-as-stranger", &place.path());
}

#[test]
fn files_of_other_users_in_a_root_do_not_stop_a_pruning() {
    if !may_start_peers() {
        return;
    }
    let place = Place::open_to_all();
    let store = place.open();
    put_spliced(&store, "a", &bytes(1, 10_000));
    let root = store.begin_root(&Digest::of(b"root")).unwrap();
    fs_err::create_dir(root.path().join("home")).unwrap();
    fs_err::write(root.path().join("home/file"), "x").unwrap();
    let tree = root.commit().unwrap();
    drop(store);
    // As a killed process leaves it.
    let unfinished = place.path().join("staging/7");
    fs_err::create_dir_all(unfinished.join("home")).unwrap();
    fs_err::write(unfinished.join("home/file"), "x").unwrap();
    let others = [tree.join("home"), unfinished.join("home")];
    for path in &walk(&place.path()) {
        let is_others = others.iter().any(|folder| path.starts_with(folder));
        give(path, if is_others { 1234 } else { 65_534 });
    }
    run_as_nobody("prune-as-stranger", &place.path());
    let left = tree.parent().unwrap().with_extension("0.gone");
    assert!(left.join("tree/home/file").exists() && unfinished.join("home/file").exists());
    assert!(!tree.exists());
    assert_eq!(place.open().prune(&PrunePolicy::default()).unwrap().garbage.count, 1);
    assert!(!left.exists() && !unfinished.exists());
}

/// A folder and everything below it.
fn walk(folder: &Path) -> Vec<PathBuf> {
    let mut found = vec![folder.to_owned()];
    for entry in fs_err::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(walk(&path)) } else { found.push(path) }
    }
    found
}

#[test]
fn half_of_a_pruned_root_is_not_taken_for_a_whole_one() {
    if !may_start_peers() {
        return;
    }
    let place = Place::new();
    let store = place.open();
    let id = Digest::of(b"root");
    let unpack = |content: &str| {
        let root = store.begin_root(&id).unwrap();
        fs_err::create_dir_all(root.path().join("etc")).unwrap();
        fs_err::write(root.path().join("etc/passwd"), content).unwrap();
        root.commit().unwrap()
    };
    let tree = unpack("first");
    fs_err::create_dir(tree.join("stays")).unwrap();
    let stays = tree.join("stays");
    run("mount", &["-t", "tmpfs", "tmpfs", stays.to_str().unwrap()]);
    let all = PrunePolicy { all: true, ..PrunePolicy::default() };
    let report = store.prune(&all).unwrap();
    assert_eq!(report.left_behind.len(), 1);
    let tree = unpack("second");
    assert_eq!(fs_err::read_to_string(tree.join("etc/passwd")).unwrap(), "second");

    run("umount", &["--lazy", report.left_behind[0].join("tree/stays").to_str().unwrap()]);
    let report = store.prune(&all).unwrap();
    assert_eq!((report.garbage.count, report.roots.count, report.left_behind.len()), (1, 1, 0));
}
