//! Several processes at once, and processes that are killed.

use std::io::Write;
use std::ops::ControlFlow;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use imagewright_oci::Digest;
use imagewright_store::{BlobState, Depth, Observer, Options, PrunePolicy, Store, StoreError, TagRecord};
use rustix::process::{Signal, getpid, kill_process};

use crate::fixture::{DAY, NOW, Place, bytes, files_below, key, put_plain, put_spliced, read_all};

/// What a child process does: `role`, `directory` and a number for the role.
pub(crate) const ROLE: &str = "STORE_TEST_ROLE";

/// Runs this test binary again as another process, which does only what `role` says.
#[expect(clippy::disallowed_methods, reason = "the test is about other processes")]
fn start(role: &str, directory: &Path, number: usize) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "processes::child", "--nocapture"])
        .env(ROLE, format!("{role}:{number}:{}", directory.display()))
        .stdout(Stdio::null())
        .spawn()
        .unwrap()
}

/// The other process of the tests below; without a role there is nothing to do.
#[test]
#[expect(clippy::disallowed_methods, reason = "the role of a child process is in its environment")]
fn child() {
    let Ok(role) = std::env::var(ROLE) else { return };
    let mut parts = role.splitn(3, ':');
    let mut next = || parts.next().unwrap();
    let (role, number, directory) = (next(), next().parse().unwrap(), Path::new(next()));
    match role {
        "work" => work(&opened(directory, killing_at(number))),
        "work-together" => {
            let store = opened(directory, Observer::default());
            for number in 0..25 {
                put_spliced(&store, &format!("layer {number}"), &bytes(number, 20_000));
            }
        }
        "prune-as-stranger" => {
            let store = opened(directory, Observer::default());
            let report = store.prune(&PrunePolicy { all: true, ..PrunePolicy::default() }).unwrap();
            assert_eq!(report.left_behind.len(), 2, "{report:?}");
            assert!(store.root(&Digest::of(b"root")).unwrap().is_none());
            assert!(store.check(Depth::Digests).unwrap().is_clean());
        }
        "look-as-stranger" => {
            let store = opened(directory, Observer::default());
            assert!(store.is_read_only());
            assert_eq!(store.layer_by_key(&key("a")).unwrap().unwrap().blob, BlobState::Present);
            let error = store.put_blob(b"new").unwrap_err();
            assert!(matches!(error, StoreError::ReadOnly { .. }), "{error:?}");
        }
        "share" => share(&opened(directory, Observer::default()), directory),
        "die-with-lease" => {
            let store = opened(directory, Observer::default());
            let _lease = store.try_lease(&key("shared").0).unwrap().unwrap();
            fs_err::write(directory.join("../leased"), "").unwrap();
            std::thread::sleep(Duration::from_millis(number as u64));
            kill_process(getpid(), Signal::KILL).unwrap();
        }
        other => panic!("no role {other}"),
    }
}

fn opened(directory: &Path, observer: Observer) -> Store {
    Store::open_with(directory, Options { observer, ..Options::new(NOW) }).unwrap()
}

/// An observer that kills its process at the stage with this number.
fn killing_at(number: usize) -> Observer {
    let seen = AtomicUsize::new(0);
    Observer::new(move |_| {
        if seen.fetch_add(1, Ordering::SeqCst) == number {
            kill_process(getpid(), Signal::KILL).unwrap();
        }
    })
}

/// What a small build does to a store, over all stages.
fn work(store: &Store) {
    put_spliced(store, "a", &bytes(1, 300_000));
    put_plain(store, "b", &bytes(2, 3000));
    let manifest = store.put_blob(b"{\"manifest\": true}").unwrap();
    let root = store.begin_root(&Digest::of(b"root")).unwrap();
    fs_err::write(root.path().join("file"), "x").unwrap();
    root.commit().unwrap();
    let record = TagRecord { manifest, declared: Digest::of(b"d"), inputs: serde_json::Value::Null };
    store.put_tag(&"localhost:5000/app:v1".parse().unwrap(), &[], &record).unwrap();
    store.prune(&PrunePolicy { max_bytes: Some(100_000), ..PrunePolicy::default() }).unwrap();
    put_spliced(store, "a", &bytes(1, 300_000));
}

#[test]
fn a_build_killed_anywhere_leaves_a_store_that_the_next_build_uses() {
    let stages_seen = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&stages_seen);
    let observer = Observer::new(move |_| _ = counter.fetch_add(1, Ordering::SeqCst));
    work(&opened(&Place::new().path(), observer));
    let stages = stages_seen.load(Ordering::SeqCst);
    assert!(stages >= 20, "{stages} stages");

    for stage in 0..stages {
        let place = Place::new();
        let status = start("work", &place.path(), stage).wait().unwrap();
        assert!(!status.success(), "the child was to be killed at stage {stage}");

        let report = place.open().check(Depth::Digests).unwrap();
        assert!(report.is_clean(), "after a kill at stage {stage}: {report:?}");
        let store = place.open();
        assert!(files_below(&place.path().join("staging")).is_empty(), "stage {stage}");
        work(&store);
        let layer = store.layer_by_key(&key("a")).unwrap().unwrap();
        assert_eq!(layer.blob, BlobState::Present, "stage {stage}");
        assert_eq!(Digest::of(&read_all(&store, &layer.digest).unwrap()), layer.digest);
        let report = store.check(Depth::Digests).unwrap();
        assert!(report.is_clean() && report.garbage.is_empty(), "stage {stage}: {report:?}");
    }
    println!("killed at each of {stages} stages");
}

/// Makes a layer unless it is there, as every process of a build does; `made` has a line for each time.
fn share(store: &Store, directory: &Path) {
    let _lease = store.lease(&key("shared").0, &mut |_| ControlFlow::Continue(())).unwrap();
    if store.layer_by_key(&key("shared")).unwrap().is_none() {
        let mut made =
            fs_err::OpenOptions::new().create(true).append(true).open(directory.join("../made")).unwrap();
        writeln!(made, "made").unwrap();
        std::thread::sleep(Duration::from_millis(200));
        put_spliced(store, "shared", &bytes(7, 100_000));
    }
}

#[test]
fn processes_share_work_instead_of_doing_it_twice() {
    let place = Place::new();
    let children: Vec<Child> = (0..4).map(|_| start("share", &place.path(), 0)).collect();
    share(&place.open(), &place.path());
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    assert_eq!(fs_err::read_to_string(place.path().join("../made")).unwrap(), "made\n");
    let store = place.open();
    assert_eq!(store.layer_by_key(&key("shared")).unwrap().unwrap().blob, BlobState::Present);
    assert!(store.check(Depth::Digests).unwrap().is_clean());
    assert!(files_below(&place.path().join("leases")).is_empty());
}

#[test]
fn threads_share_work_too() {
    let place = Place::new();
    let store = place.open();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| share(&store.clone(), &place.path()));
        }
    });
    assert_eq!(fs_err::read_to_string(place.path().join("../made")).unwrap(), "made\n");
}

#[test]
fn a_lease_ends_with_its_holder_and_a_wait_can_be_given_up() {
    let place = Place::new();
    let store = place.open();
    let mut holder = start("die-with-lease", &place.path(), 400);
    let began = Instant::now();
    while !place.path().join("../leased").exists() {
        assert!(began.elapsed() < Duration::from_secs(20), "the child never took the lease");
        std::thread::sleep(Duration::from_millis(5));
    }
    assert!(store.try_lease(&key("shared").0).unwrap().is_none());
    let mut impatient = |waited| {
        if waited < Duration::from_millis(20) { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    };
    let error = store.lease(&key("shared").0, &mut impatient).unwrap_err();
    assert!(matches!(error, StoreError::Cancelled { .. }), "{error}");

    let lease = store.lease(&key("shared").0, &mut |_| ControlFlow::Continue(())).unwrap();
    assert!(lease.waited() > Duration::ZERO);
    assert!(!holder.wait().unwrap().success());
}

#[test]
fn many_may_make_the_same_store() {
    for _ in 0..10 {
        let place = Place::new();
        std::thread::scope(|scope| {
            for number in 0..8 {
                let path = place.path();
                scope.spawn(move || Store::open(&path, NOW).unwrap().put_blob(&[number]).unwrap());
            }
        });
        let report = place.open().check(Depth::Digests).unwrap();
        assert!(report.is_clean() && report.blobs.count == 8, "{report:?}");
    }
}

#[test]
fn many_processes_may_write_at_once() {
    let place = Place::new();
    let children: Vec<Child> = (0..4).map(|_| start("work-together", &place.path(), 0)).collect();
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    let store = place.open_at(NOW + DAY);
    assert_eq!(store.layer_by_key(&key("layer 24")).unwrap().unwrap().blob, BlobState::Present);
    let report = store.check(Depth::Digests).unwrap();
    assert!(report.is_clean() && report.layers == 25, "{report:?}");
}
