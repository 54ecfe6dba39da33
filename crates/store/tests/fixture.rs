use std::io::{Read, Write};
use std::path::PathBuf;

use imagewright_layer::{EncodedLayer, LayerKey, Segment};
use imagewright_oci::{DiffId, Digest, MediaType};
use imagewright_store::{LayerFacts, LayerRecord, Options, Store};
use tempfile::TempDir;

pub(crate) const NOW: u64 = 1_700_000_000;
pub(crate) const DAY: u64 = 24 * 60 * 60;

/// A directory for a store, removed at the end of the test.
pub(crate) struct Place {
    folder: TempDir,
}

impl Place {
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    /// One whose path other users may follow.
    pub(crate) fn open_to_all() -> Self {
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        Self { folder: tempfile::Builder::new().permissions(mode).tempdir().unwrap() }
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join("store")
    }

    pub(crate) fn open(&self) -> Store {
        self.open_at(NOW)
    }

    pub(crate) fn open_at(&self, now: u64) -> Store {
        Store::open_with(&self.path(), Options::new(now)).unwrap()
    }
}

/// Bytes that do not compress and differ by `seed`.
pub(crate) fn bytes(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(2).wrapping_add(1);
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state.to_le_bytes()[7]
    };
    (0..length).map(|_| next()).collect()
}

pub(crate) fn key(name: &str) -> LayerKey {
    LayerKey(Digest::of(name.as_bytes()))
}

pub(crate) fn facts() -> LayerFacts {
    LayerFacts {
        media_type: MediaType::OciLayerGzip,
        kind: "python".to_owned(),
        details: serde_json::json!({"packages": ["numpy==2.0"]}),
    }
}

/// A layer spliced from pieces of an artifact in another order than the artifact's, as the splice makes them.
pub(crate) fn put_spliced(store: &Store, name: &str, artifact: &[u8]) -> (LayerRecord, Vec<u8>) {
    let wheel = store.insert_artifact(None, &format!("{name}.whl"), artifact).unwrap().digest;
    let mut staging = store.begin_layer().unwrap();
    let (mut whole, mut segments) = (Vec::new(), Vec::new());
    for (number, start) in (0..artifact.len()).step_by(1000).rev().enumerate() {
        let header = format!("header {number} of {name};");
        segments.push(Segment::Inline { offset: staging.length(), length: header.len() as u64 });
        staging.write_all(header.as_bytes()).unwrap();
        whole.extend_from_slice(header.as_bytes());
        let piece = &artifact[start..artifact.len().min(start + 900)];
        segments.push(Segment::Artifact {
            artifact: wheel,
            offset: start as u64,
            length: piece.len() as u64,
        });
        whole.extend_from_slice(piece);
    }
    let record = staging.commit(&key(name), &encoded(&whole, segments), &facts()).unwrap();
    (record, whole)
}

/// A layer of inline bytes only.
pub(crate) fn put_plain(store: &Store, name: &str, whole: &[u8]) -> LayerRecord {
    let mut staging = store.begin_layer().unwrap();
    staging.write_all(whole).unwrap();
    let segments = vec![Segment::Inline { offset: 0, length: whole.len() as u64 }];
    staging.commit(&key(name), &encoded(whole, segments), &facts()).unwrap()
}

pub(crate) fn encoded(whole: &[u8], segments: Vec<Segment>) -> EncodedLayer {
    EncodedLayer {
        digest: Digest::of(whole),
        size: whole.len() as u64,
        diff_id: DiffId(Digest::of(b"uncompressed")),
        uncompressed_size: 4 * whole.len() as u64,
        segments,
    }
}

pub(crate) fn read_all(store: &Store, digest: &Digest) -> Option<Vec<u8>> {
    let mut reader = store.blob(digest).unwrap()?;
    let mut bytes = Vec::new();
    reader.read_to_end(&mut bytes).unwrap();
    Some(bytes)
}

/// The names of all files below a folder.
pub(crate) fn files_below(folder: &std::path::Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs_err::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.is_symlink() {
            files.extend(files_below(&path));
        } else {
            files.push(path);
        }
    }
    files.sort();
    files
}
