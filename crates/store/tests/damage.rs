//! Every kind of file is cut, changed and removed. A check finds it, a look-up misses it or is right, and after a
//! repair the store is whole.

use std::io::Read;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use imagewright_oci::Digest;
use imagewright_store::{
    BlobState, Condition, Depth, FileProblem, Finding, IndexRebuilt, Kind, LayerRecord, Loss, Store,
    StoreError,
};

use crate::fixture::{NOW, Place, bytes, key, put_plain, put_spliced, read_all};

struct Whole {
    place: Place,
    spliced: (LayerRecord, Vec<u8>),
    plain: LayerRecord,
    artifact: Digest,
}

const PLAIN: &[u8] = b"the bytes of a plain layer";

fn whole() -> Whole {
    let place = Place::new();
    let store = place.open();
    let wheel = bytes(5, 20_000);
    let spliced = put_spliced(&store, "spliced", &wheel);
    let plain = put_plain(&store, "plain", PLAIN);
    let root = store.begin_root(&Digest::of(b"root")).unwrap();
    fs_err::write(root.path().join("file"), "x").unwrap();
    root.commit().unwrap();
    Whole { place, spliced, plain, artifact: Digest::of(&wheel) }
}

impl Whole {
    fn artifact_path(&self) -> PathBuf {
        self.place.path().join("artifacts").join(self.artifact.hex())
    }

    fn spliced_path(&self) -> PathBuf {
        self.place.path().join("blobs").join(format!("{}.spliced", self.spliced.0.digest.hex()))
    }

    fn plain_path(&self) -> PathBuf {
        self.place.path().join("blobs").join(self.plain.digest.hex())
    }

    /// Checks, repairs, and makes again what is not there, as a build does.
    fn heals(&self, name: &str) {
        let store = self.place.open();
        let report = store.check(Depth::Digests).unwrap();
        store.repair(&report).unwrap();
        let report = store.check(Depth::Digests).unwrap();
        assert!(report.is_clean() && report.garbage.is_empty(), "{name}: {report:?}");
        if store.layer_by_key(&key("spliced")).unwrap().is_none() {
            put_spliced(&store, "spliced", &bytes(5, 20_000));
        }
        if store.layer_by_key(&key("plain")).unwrap().is_none() {
            put_plain(&store, "plain", PLAIN);
        }
        assert!(read_all(&store, &self.spliced.0.digest).unwrap() == self.spliced.1, "{name}");
        assert!(read_all(&store, &self.plain.digest).unwrap() == PLAIN, "{name}");
        assert!(store.check(Depth::Digests).unwrap().is_clean(), "{name}");
    }
}

fn cut(path: &Path) {
    let file = fs_err::OpenOptions::new().write(true).open(path).unwrap();
    file.set_len(file.metadata().unwrap().len() - 1).unwrap();
}

fn flip(path: &Path, at: u64) {
    let file = fs_err::OpenOptions::new().read(true).write(true).open(path).unwrap();
    let mut byte = [0];
    file.file().read_exact_at(&mut byte, at).unwrap();
    file.file().write_all_at(&[byte[0] ^ 0x10], at).unwrap();
}

fn remove(path: &Path) {
    if path.is_dir() { fs_err::remove_dir_all(path) } else { fs_err::remove_file(path) }.unwrap();
}

#[test]
fn a_missing_or_shortened_file_is_a_miss() {
    for damage in [cut, remove] {
        let whole = whole();
        damage(&whole.artifact_path());
        let store = whole.place.open();
        assert!(store.artifact(&whole.artifact).unwrap().is_none());
        assert!(store.blob(&whole.spliced.0.digest).unwrap().is_none());
        let because = Loss::Artifact { digest: whole.artifact };
        assert_eq!(store.layer_by_key(&key("spliced")).unwrap().unwrap().blob, BlobState::Lost { because });
        let findings = store.check(Depth::Lengths).unwrap().findings;
        let blob = whole.spliced.0.digest;
        assert!(
            matches!(&findings[..], [
                Finding::File { kind: Kind::Artifact, .. },
                Finding::SegmentWithoutArtifact { blob: found, .. },
                Finding::LayerWithoutBlob { .. }
            ] if *found == blob),
            "{findings:?}"
        );
        drop(store);
        whole.heals("artifact");

        let whole = self::whole();
        damage(&whole.spliced_path());
        damage(&whole.plain_path());
        let store = whole.place.open();
        for (name, digest) in [("spliced", whole.spliced.0.digest), ("plain", whole.plain.digest)] {
            assert!(store.blob(&digest).unwrap().is_none());
            let blob = store.layer_by_key(&key(name)).unwrap().unwrap().blob;
            assert_eq!(blob, BlobState::Lost { because: Loss::File });
        }
        assert_eq!(store.check(Depth::Lengths).unwrap().findings.len(), 4);
        drop(store);
        whole.heals("blobs");
    }
}

#[test]
fn a_missing_root_is_a_miss() {
    let whole = whole();
    let id = Digest::of(b"root");
    remove(&whole.place.path().join("roots").join(id.hex()));
    let store = whole.place.open();
    assert!(store.root(&id).unwrap().is_none());
    let missing = Finding::File { kind: Kind::Root, digest: id, problem: FileProblem::Missing };
    assert_eq!(store.check(Depth::Lengths).unwrap().findings, [missing]);
    drop(store);
    whole.heals("root");
}

#[test]
fn a_flipped_bit_in_any_file_is_found() {
    type PathOf = fn(&Whole) -> PathBuf;
    let files: [(&str, PathOf); 3] =
        [("artifact", Whole::artifact_path), ("spliced", Whole::spliced_path), ("plain", Whole::plain_path)];
    for (name, path_of) in files {
        let length = path_of(&whole()).metadata().unwrap().len();
        for at in [0, length / 2, length - 1] {
            let whole = whole();
            flip(&path_of(&whole), at);
            let store = whole.place.open();
            for digest in [whole.spliced.0.digest, whole.plain.digest] {
                // A verified reader gives the right bytes or fails; it never gives others.
                let Some(reader) = store.blob(&digest).unwrap() else { continue };
                let mut read = Vec::new();
                if reader.verified().read_to_end(&mut read).is_ok() {
                    assert_eq!(Digest::of(&read), digest, "{name} at {at}");
                }
            }
            assert!(!store.check(Depth::Digests).unwrap().is_clean(), "{name} at {at}");
            drop(store);
            whole.heals(name);
        }
    }
}

#[test]
fn what_is_damaged_is_discarded_and_can_be_made_again() {
    type PathOf = fn(&Whole) -> PathBuf;
    let files: [(&str, PathOf, bool); 3] = [
        ("artifact", Whole::artifact_path, true),
        ("spliced", Whole::spliced_path, true),
        ("plain", Whole::plain_path, false),
    ];
    for (name, path_of, is_spliced) in files {
        let length = path_of(&whole()).metadata().unwrap().len();
        for at in [0, length / 2, length - 1] {
            let whole = whole();
            let (blob, layer) = if is_spliced {
                (whole.spliced.0.digest, key("spliced"))
            } else {
                (whole.plain.digest, key("plain"))
            };
            let store = whole.place.open();
            assert_eq!(store.discard_damaged_blob(&blob).unwrap(), Condition::Sound, "{name} at {at}");
            flip(&path_of(&whole), at);
            let read = read_verified(&store, &blob);
            let discarded = store.discard_damaged_blob(&blob).unwrap();
            // Between the pieces of an artifact are bytes that the layer does not have.
            if read {
                assert_eq!(discarded, Condition::Sound, "{name} at {at}");
                continue;
            }
            let artifacts = if name == "artifact" { vec!["spliced.whl".to_owned()] } else { Vec::new() };
            assert_eq!(discarded, Condition::Discarded { artifacts }, "{name} at {at}");
            assert!(!path_of(&whole).exists(), "{name} at {at}");
            assert_eq!(store.discard_damaged_blob(&blob).unwrap(), Condition::Absent);
            assert_eq!(store.layer_by_key(&layer).unwrap().unwrap().blob, BlobState::Remote);
            assert!(store.check(Depth::Digests).unwrap().is_clean(), "{name} at {at}: nothing is missed");
            put_spliced(&store, "spliced", &bytes(5, 20_000));
            put_plain(&store, "plain", PLAIN);
            drop(store);
            whole.heals(name);
        }
    }
}

/// Whether a blob is there and right.
fn read_verified(store: &Store, digest: &Digest) -> bool {
    let reader = store.blob(digest).unwrap();
    reader.is_some_and(|reader| reader.verified().read_to_end(&mut Vec::new()).is_ok())
}

#[test]
fn an_artifact_is_discarded_for_any_byte_of_it() {
    let length = 20_000;
    for at in [0, 950, length - 1] {
        let whole = whole();
        let store = whole.place.open();
        assert_eq!(store.discard_damaged_artifact(&whole.artifact).unwrap(), Condition::Sound);
        flip(&whole.artifact_path(), at);
        let artifacts = vec!["spliced.whl".to_owned()];
        let discarded = store.discard_damaged_artifact(&whole.artifact).unwrap();
        assert_eq!(discarded, Condition::Discarded { artifacts });
        assert!(store.artifact(&whole.artifact).unwrap().is_none() && !whole.artifact_path().exists());
        assert_eq!(store.discard_damaged_artifact(&whole.artifact).unwrap(), Condition::Absent);
        // The layer is whole again as soon as the artifact is.
        store.insert_artifact(Some(whole.artifact), "spliced.whl", &bytes(5, 20_000)[..]).unwrap();
        assert!(read_all(&store, &whole.spliced.0.digest).unwrap() == whole.spliced.1);
        assert!(store.check(Depth::Digests).unwrap().is_clean());
    }
}

#[test]
fn what_is_mended_while_one_waits_is_not_discarded() {
    let whole = whole();
    flip(&whole.artifact_path(), 0);
    let store = whole.place.open();
    let lease = store.try_lease(&whole.artifact).unwrap().unwrap();
    let waiting = std::thread::spawn({
        let (store, artifact) = (store.clone(), whole.artifact);
        move || store.discard_damaged_artifact(&artifact)
    });
    std::thread::sleep(std::time::Duration::from_millis(100));
    assert!(!waiting.is_finished());
    store.insert_artifact(Some(whole.artifact), "spliced.whl", &bytes(5, 20_000)[..]).unwrap();
    drop(lease);
    assert_eq!(waiting.join().unwrap().unwrap(), Condition::Sound);
    assert!(whole.artifact_path().exists());
}

#[test]
fn a_flipped_bit_in_the_index_never_gives_another_layer() {
    let whole = whole();
    let index = whole.place.path().join("index.db");
    let sound = fs_err::read(&index).unwrap();
    let (mut right, mut missed, mut refused) = (0, 0, 0);
    for at in (0..sound.len() as u64).step_by(61) {
        fs_err::write(&index, &sound).unwrap();
        flip(&index, at);
        match Store::open(&whole.place.path(), NOW).and_then(|store| store.layer_by_key(&key("spliced"))) {
            Ok(Some(LayerRecord { blob, .. })) if blob != BlobState::Present => missed += 1,
            Ok(Some(record)) => {
                assert_eq!(record, whole.spliced.0, "flipped at {at}");
                right += 1;
            }
            Ok(None) => missed += 1,
            Err(error) => {
                assert!(error.hint().is_some(), "flipped at {at}: {error}");
                refused += 1;
            }
        }
    }
    println!("{right} right, {missed} missed, {refused} refused");
    assert!(right > 0 && missed > 0, "the flips reach rows");
}

#[test]
fn a_damaged_row_is_found_and_dropped() {
    let whole = whole();
    let index = whole.place.path().join("index.db");
    let bytes = fs_err::read(&index).unwrap();
    // Every place that holds the layer's diff id, which nothing but its row says.
    let needle = whole.spliced.0.diff_id.0;
    let places: Vec<usize> =
        (0..bytes.len() - 32).filter(|at| &bytes[*at..*at + 32] == needle.as_bytes()).collect();
    assert!(!places.is_empty());
    for at in places {
        flip(&index, at as u64);
    }
    let store = whole.place.open();
    assert!(store.layer_by_key(&key("spliced")).unwrap().is_none());
    let findings = store.check(Depth::Lengths).unwrap().findings;
    assert!(matches!(findings[..], [Finding::Row { table: "layers", .. }]), "{findings:?}");
    drop(store);
    whole.heals("row");
}

#[test]
fn a_lost_index_is_replaced_and_the_artifacts_are_kept() {
    type Damage = fn(&Path);
    let damages: [(&str, Damage); 3] = [
        ("overwritten", |path| fs_err::write(path, [0x55; 5000]).unwrap()),
        ("removed", remove),
        ("cut", |path| {
            let file = fs_err::OpenOptions::new().write(true).open(path).unwrap();
            file.set_len(4096 + 17).unwrap();
        }),
    ];
    for (name, damage) in damages {
        let whole = whole();
        damage(&whole.place.path().join("index.db"));
        let store = whole.place.open();
        let rebuilt = (name != "removed").then_some(IndexRebuilt { artifacts: 1 });
        assert_eq!(store.index_rebuilt(), rebuilt, "{name}");
        let repaired = store.check(Depth::Digests).and_then(|report| store.repair(&report));
        repaired.unwrap();
        assert!(store.layer_by_key(&key("plain")).unwrap().is_none(), "{name}");
        if name != "removed" {
            assert!(store.artifact(&whole.artifact).unwrap().is_some(), "{name}");
        }
        put_plain(&store, "plain", PLAIN);
        assert!(store.check(Depth::Digests).unwrap().is_clean(), "{name}");
    }
}

#[test]
fn an_index_that_turns_out_to_be_damaged_is_replaced_at_the_next_start() {
    let whole = whole();
    let index = whole.place.path().join("index.db");
    // The first page is whole, so that the database opens.
    let mut bytes = fs_err::read(&index).unwrap();
    bytes[4096..].fill(0x55);
    fs_err::write(&index, bytes).unwrap();
    let store = whole.place.open();
    assert_eq!(store.index_rebuilt(), None);
    let error = store.layer_by_key(&key("spliced")).unwrap_err();
    assert!(matches!(error, StoreError::IndexDamaged { .. }), "{error:?}");
    drop(store);
    let store = whole.place.open();
    assert_eq!(store.index_rebuilt(), Some(IndexRebuilt { artifacts: 1 }));
    assert!(store.layer_by_key(&key("spliced")).unwrap().is_none());
    assert!(store.artifact(&whole.artifact).unwrap().is_some());
    drop(store);
    assert_eq!(whole.place.open().index_rebuilt(), None, "once");
}
