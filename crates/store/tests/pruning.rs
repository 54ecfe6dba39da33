//! What pruning removes and what it leaves, and what takes room.

use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use imagewright_oci::Digest;
use imagewright_store::{BlobState, Depth, DocumentKind, Options, PrunePolicy, Store, StoreError, Tally};

use crate::fixture::{DAY, NOW, Place, bytes, files_below, key, put_plain, put_spliced, read_all};

const MIB: usize = 1 << 20;

/// Three spliced layers of 1 MiB each, made on three consecutive days.
fn three_days() -> Place {
    let place = Place::new();
    for (day, name) in ["a", "b", "c"].into_iter().enumerate() {
        put_spliced(&place.open_at(NOW + day as u64 * DAY), name, &bytes(day as u64, MIB));
    }
    place
}

fn present(store: &Store) -> Vec<&'static str> {
    let is_present = |name: &&str| {
        store.layer_by_key(&key(name)).unwrap().is_some_and(|layer| layer.blob == BlobState::Present)
    };
    ["a", "b", "c"].into_iter().filter(is_present).collect()
}

#[test]
fn usage_adds_up_to_what_is_on_the_disk() {
    let place = three_days();
    let store = place.open();
    let root = store.begin_root(&Digest::of(b"root")).unwrap();
    fs_err::write(root.path().join("file"), bytes(9, 10_000)).unwrap();
    root.commit().unwrap();
    fs_err::write(place.path().join("blobs/leftover"), [0; 77]).unwrap();
    fs_err::create_dir(store.tools()).unwrap();
    fs_err::write(store.tools().join("uv"), "x").unwrap();
    fs_err::write(store.cache("uv").unwrap().join("page"), "xy").unwrap();
    let usage = store.usage().unwrap();
    assert_eq!((usage.tools.count, usage.caches.count), (1, 1));
    assert_eq!(usage.artifacts, Tally { count: 3, bytes: 3 * MIB as u64 });
    assert_eq!(usage.blobs.count, 3);
    assert_eq!(usage.garbage, Tally { count: 1, bytes: 77 });
    assert_eq!(usage.roots.count, 1);
    assert!(usage.roots.bytes >= 10_000);
    let files: u64 = ["artifacts", "blobs"]
        .iter()
        .flat_map(|folder| files_below(&place.path().join(folder)))
        .map(|file| file.metadata().unwrap().len())
        .sum();
    assert_eq!(usage.artifacts.bytes + usage.blobs.bytes + usage.garbage.bytes, files);
    assert!(usage.total() > files + usage.roots.bytes);
}

#[test]
fn the_default_policy_removes_garbage_only() {
    let place = three_days();
    fs_err::write(place.path().join("artifacts").join(Digest::of(b"x").hex()), [0; 5]).unwrap();
    let store = place.open_at(NOW + 1000 * DAY);
    let report = store.prune(&PrunePolicy::default()).unwrap();
    assert_eq!(report.garbage, Tally { count: 1, bytes: 5 });
    assert_eq!(report.total(), 5);
    assert_eq!(present(&store), ["a", "b", "c"]);
    assert!(store.check(Depth::Digests).unwrap().is_clean());
}

#[test]
fn what_was_used_longest_ago_goes_first() {
    let keep_two = PrunePolicy { max_bytes: Some(5 * MIB as u64 / 2), ..PrunePolicy::default() };
    let recent = PrunePolicy { older_than: Some(DAY), ..PrunePolicy::default() };
    for policy in [keep_two, recent] {
        let place = three_days();
        // `a` is the oldest, but is used on the third day; a look-up is enough for that.
        present(&place.open_at(NOW + DAY)).truncate(0);
        drop(place.open_at(NOW + 2 * DAY).layer_by_key(&key("a")).unwrap());
        let store = place.open_at(NOW + 2 * DAY + 1);
        let report = store.prune(&policy).unwrap();
        assert_eq!((report.artifacts.count, report.blobs.count), (1, 1), "{policy:?}");
        assert_eq!(present(&store), ["a", "c"], "{policy:?}");
        // To make room, bytes go and knowledge stays; by age, both go.
        let known = store.layer_by_key(&key("b")).unwrap().map(|layer| layer.blob);
        assert_eq!(known, policy.max_bytes.map(|_| BlobState::Remote), "{policy:?}");
        assert!(store.check(Depth::Digests).unwrap().is_clean());
        assert_eq!(store.usage().unwrap().artifacts.count, 2);
    }
}

#[test]
fn an_artifact_stays_as_long_as_a_layer_that_is_made_of_it() {
    let place = Place::new();
    put_spliced(&place.open_at(NOW), "a", &bytes(1, MIB));
    let store = place.open_at(NOW + 50 * DAY);
    let (record, whole) = put_spliced(&store, "b", &bytes(2, MIB));
    // Its own row says that the artifact of `b` is old.
    drop(store);
    let store = place.open_at(NOW + 60 * DAY);
    store.prune(&PrunePolicy { older_than: Some(20 * DAY), ..PrunePolicy::default() }).unwrap();
    assert_eq!(present(&store), ["b"]);
    assert!(read_all(&store, &record.digest).unwrap() == whole);
}

#[test]
fn all_leaves_an_empty_store_that_works() {
    const NOTE: DocumentKind = DocumentKind("note");
    let place = three_days();
    let store = place.open();
    store.put_document(NOTE, &Digest::of(b"k"), "x").unwrap();
    fs_err::create_dir(store.tools()).unwrap();
    fs_err::write(store.tools().join("uv"), "x").unwrap();
    fs_err::write(store.cache("uv").unwrap().join("page"), "x").unwrap();
    store.prune(&PrunePolicy { max_bytes: Some(0), ..PrunePolicy::default() }).unwrap();
    assert!(store.tools().join("uv").exists());
    store.prune(&PrunePolicy { all: true, ..PrunePolicy::default() }).unwrap();
    for folder in ["artifacts", "blobs", "roots", "staging", "leases", "tools", "caches"] {
        assert!(files_below(&place.path().join(folder)).is_empty(), "{folder}");
    }
    assert!(store.layer_by_key(&key("a")).unwrap().is_none());
    assert_eq!(store.document::<String>(NOTE, &Digest::of(b"k")).unwrap(), None);
    put_spliced(&store, "a", &bytes(0, MIB));
    assert_eq!(present(&store), ["a"]);
}

#[test]
fn what_is_leased_stays() {
    let place = three_days();
    let store = place.open_at(NOW + 1000 * DAY);
    let lease = store.try_lease(&key("b").0).unwrap().unwrap();
    assert!(store.try_lease(&key("b").0).unwrap().is_none());
    store.prune(&PrunePolicy { older_than: Some(DAY), ..PrunePolicy::default() }).unwrap();
    assert_eq!(store.usage().unwrap().blobs.count, 1);
    assert!(store.check(Depth::Digests).unwrap().is_clean());
    drop(lease);
    store.prune(&PrunePolicy { older_than: Some(DAY), ..PrunePolicy::default() }).unwrap();
    assert_eq!(store.usage().unwrap().blobs.count, 0);
}

#[test]
fn a_store_in_use_is_not_pruned() {
    let place = three_days();
    let user = place.open();
    let options = Options { wait: Duration::from_millis(30), ..Options::new(NOW) };
    let pruner = Store::open_with(&place.path(), options).unwrap();
    let error = pruner.prune(&PrunePolicy { all: true, ..PrunePolicy::default() }).unwrap_err();
    assert!(matches!(error, StoreError::Busy { .. }), "{error}");
    assert_eq!(present(&user), ["a", "b", "c"]);
    drop(user);
    pruner.prune(&PrunePolicy { all: true, ..PrunePolicy::default() }).unwrap();
    assert_eq!(present(&pruner), [""; 0]);
}

#[test]
fn read_only_folders_of_a_root_do_not_stop_a_pruning() {
    let place = Place::new();
    let store = place.open();
    let root = store.begin_root(&Digest::of(b"root")).unwrap();
    fs_err::create_dir_all(root.path().join("usr/lib")).unwrap();
    fs_err::write(root.path().join("usr/lib/file"), "x").unwrap();
    for folder in ["usr/lib", "usr", ""] {
        fs_err::set_permissions(root.path().join(folder), PermissionsExt::from_mode(0o555)).unwrap();
    }
    root.commit().unwrap();
    let report = store.prune(&PrunePolicy { all: true, ..PrunePolicy::default() }).unwrap();
    assert_eq!((report.roots.count, report.left_behind.len()), (1, 0));
    assert!(files_below(&place.path().join("roots")).is_empty());
}

#[test]
fn lookups_do_not_write() {
    let place = three_days();
    put_plain(&place.open_at(NOW), "d", b"bytes");
    let state = || -> Vec<_> {
        files_below(&place.path())
            .into_iter()
            .map(|file| (fs_err::metadata(&file).unwrap().modified().unwrap(), file))
            .collect()
    };
    let before = state();
    let store = place.open_at(NOW + 2 * DAY);
    assert_eq!(store.layer_by_key(&key("c")).unwrap().unwrap().blob, BlobState::Present);
    assert!(store.tag(&"localhost:5000/app:v1".parse().unwrap(), &[]).unwrap().is_none());
    assert!(store.blob(&Digest::of(b"none")).unwrap().is_none());
    drop(store);
    assert_eq!(state(), before);
}
