//! What is put in comes out, and only that.

use std::io::{self, Read, Seek, SeekFrom, Write};

use imagewright_layer::Segment;
use imagewright_oci::{Digest, ImageReference, MediaType, Platform};
use imagewright_store::{BlobState, DocumentKind, LayerFacts, Store, StoreError, TagRecord};
use serde_json::json;

use crate::fixture::{
    DAY, NOW, Place, bytes, encoded, facts, files_below, key, put_plain, put_spliced, read_all,
};

#[test]
fn artifacts_are_kept_by_digest_and_refused_by_mismatch() {
    let place = Place::new();
    let store = place.open();
    let wheel = bytes(1, 600_000);
    let kept = store.insert_artifact(Some(Digest::of(&wheel)), "a-1.0-py3-none-any.whl", &wheel[..]).unwrap();
    assert_eq!((kept.size, kept.file_name.as_str()), (600_000, "a-1.0-py3-none-any.whl"));

    let before = files_below(&place.path().join("artifacts"));
    let error = store.insert_artifact(Some(Digest::of(b"other")), "b.whl", &wheel[..100]).unwrap_err();
    assert!(
        matches!(&error, StoreError::Mismatch { name, expected, actual }
            if name == "b.whl" && *expected == Digest::of(b"other") && *actual == Digest::of(&wheel[..100])),
        "{error}"
    );
    assert!(error.hint().is_some());
    assert!(store.artifact(&Digest::of(b"other")).unwrap().is_none());
    assert!(store.artifact(&Digest::of(&wheel[..100])).unwrap().is_none());
    assert_eq!(files_below(&place.path().join("artifacts")), before);
    drop(store);

    let mut found = place.open().artifact(&Digest::of(&wheel)).unwrap().unwrap();
    let mut read = Vec::new();
    found.file.read_to_end(&mut read).unwrap();
    assert!(read == wheel && fs_err::read(&found.path).unwrap() == wheel);
}

#[test]
fn a_source_that_breaks_off_leaves_nothing() {
    struct Broken(usize);
    impl Read for Broken {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            self.0 = self.0.checked_sub(1).ok_or(io::ErrorKind::ConnectionReset)?;
            Ok(buffer.len())
        }
    }
    let place = Place::new();
    let store = place.open();
    let error = store.insert_artifact(None, "a.whl", Broken(3)).unwrap_err();
    assert!(matches!(&error, StoreError::Source { name, .. } if name == "a.whl"), "{error}");
    assert!(files_below(&place.path().join("artifacts")).is_empty());
    let mut dropped = store.begin_artifact("b.whl").unwrap();
    dropped.write_all(b"half").unwrap();
    drop((dropped, store));
    assert!(files_below(&place.path().join("staging")).is_empty());
}

#[test]
fn a_spliced_layer_reads_as_one_run_of_bytes_from_any_offset() {
    let place = Place::new();
    let store = place.open();
    let (record, whole) = put_spliced(&store, "numpy", &bytes(2, 3_000_000));
    assert_eq!(record.blob, BlobState::Present);
    assert_eq!(record.digest, Digest::of(&whole));
    let stored: u64 =
        files_below(&place.path().join("blobs")).iter().map(|f| f.metadata().unwrap().len()).sum();
    assert!(stored < 200_000, "the artifact's bytes are not stored again, but the blob's file has {stored}");

    assert!(read_all(&store, &record.digest).unwrap() == whole);
    let mut reader = store.blob(&record.digest).unwrap().unwrap();
    assert_eq!(reader.size(), whole.len() as u64);
    for (offset, length) in
        [(0, 10), (17, 100_000), (1_048_575, 3), (2_000_000, 700_000), (whole.len() - 5, 5)]
    {
        let mut piece = vec![0; length];
        reader.seek(SeekFrom::Start(offset as u64)).unwrap();
        reader.read_exact(&mut piece).unwrap();
        assert!(piece == whole[offset..offset + length], "{length} bytes at {offset}");
    }
    assert_eq!(reader.seek(SeekFrom::End(0)).unwrap(), whole.len() as u64);
    assert_eq!(reader.read(&mut [0; 8]).unwrap(), 0);

    let mut verified = Vec::new();
    reader.verified().read_to_end(&mut verified).unwrap();
    assert!(verified == whole);
}

#[test]
fn a_layer_is_found_by_key_with_all_that_was_said_about_it() {
    let place = Place::new();
    let whole = bytes(3, 5000);
    let made = put_plain(&place.open(), "files", &whole);
    let store = place.open();
    let record = store.layer_by_key(&key("files")).unwrap().unwrap();
    assert_eq!(record, made);
    assert_eq!(record.facts, facts());
    assert_eq!((record.size, record.uncompressed_size, record.created), (5000, Some(20_000), NOW));
    assert_eq!(record.descriptor().media_type, MediaType::OciLayerGzip);
    assert!(read_all(&store, &record.digest).unwrap() == whole);
    assert!(store.layer_by_key(&key("other")).unwrap().is_none());
}

#[test]
fn segments_that_do_not_make_the_layer_are_refused() {
    let place = Place::new();
    let store = place.open();
    let artifact = store.insert_artifact(None, "a.whl", &b"0123456789"[..]).unwrap().digest;
    let absent = Digest::of(b"absent");
    let inline = Segment::Inline { offset: 0, length: 4 };
    let from = |artifact, offset, length| Segment::Artifact { artifact, offset, length };
    let cases = [
        (vec![inline], "the segments of layer"),
        (vec![Segment::Inline { offset: 1, length: 4 }, from(artifact, 0, 10)], "the segments of layer"),
        (vec![inline, from(artifact, 1, 10)], "needs bytes 1 to 11 of artifact"),
        (vec![inline, from(absent, 0, 10)], "needs bytes 0 to 10 of artifact"),
    ];
    for (segments, expected) in cases {
        let mut staging = store.begin_layer().unwrap();
        staging.write_all(b"head").unwrap();
        let error = staging.commit(&key("x"), &encoded(b"head0123456789", segments), &facts()).unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
    }
    assert!(store.layer_by_key(&key("x")).unwrap().is_none());
    assert!(files_below(&place.path().join("blobs")).is_empty());
}

#[test]
fn tags_facts_documents_and_what_registries_hold() {
    const LOCK: DocumentKind = DocumentKind("lock");
    let place = Place::new();
    let store = place.open();
    let reference: ImageReference = "localhost:5000/app:v1".parse().unwrap();
    let (amd64, arm64) = (Platform::linux_amd64(), Platform::new("linux", "arm64"));
    let record = TagRecord {
        manifest: Digest::of(b"manifest"),
        declared: Digest::of(b"declared"),
        inputs: json!({"requirements.txt": "sha256:0"}),
    };
    store.put_tag(&reference, &[arm64.clone(), amd64.clone()], &record).unwrap();
    assert_eq!(store.tag(&reference, &[amd64.clone(), arm64]).unwrap(), Some(record));
    assert_eq!(store.tag(&reference, std::slice::from_ref(&amd64)).unwrap(), None);

    let base = Digest::of(b"base");
    store.put_facts(&base, &json!({"libc": "glibc"})).unwrap();
    store.put_document(LOCK, &base, &vec![1, 2]).unwrap();
    assert_eq!(store.facts::<serde_json::Value>(&base).unwrap(), Some(json!({"libc": "glibc"})));
    assert_eq!(store.document::<Vec<u8>>(LOCK, &base).unwrap(), Some(vec![1, 2]));
    assert_eq!(store.document::<String>(LOCK, &base).unwrap(), None, "another shape is a miss");

    let blob = Digest::of(b"blob");
    store.remember_remote(&reference, &[blob]).unwrap();
    drop(store);
    let store = place.open_at(NOW + DAY);
    store.remember_remote(&"localhost:5000/later".parse().unwrap(), &[blob]).unwrap();
    assert_eq!(store.mount_candidates("localhost:5000", &blob).unwrap(), ["later", "app"]);
    assert_eq!(store.mount_candidates("ghcr.io", &blob).unwrap(), [""; 0]);
}

#[test]
fn an_unpacked_root_appears_whole_and_a_second_one_gives_way() {
    let place = Place::new();
    let store = place.open();
    let id = Digest::of(b"layer");
    for text in ["first", "second"] {
        let staging = store.begin_root(&id).unwrap();
        fs_err::write(staging.path().join("file"), text).unwrap();
        let tree = staging.commit().unwrap();
        assert_eq!(store.root(&id).unwrap().unwrap(), tree);
        assert_eq!(fs_err::read_to_string(tree.join("file")).unwrap(), "first");
    }
    drop(store.begin_root(&id).unwrap());
    drop(store);
    assert!(files_below(&place.path().join("staging")).is_empty());
}

#[test]
fn a_directory_with_other_things_and_a_newer_store_are_left_alone() {
    let place = Place::new();
    fs_err::create_dir_all(place.path().join("blobs")).unwrap();
    fs_err::write(place.path().join("blobs/thesis.tex"), "x").unwrap();
    assert!(matches!(Store::open(&place.path(), NOW), Err(StoreError::NotAStore { .. })));
    assert_eq!(files_below(&place.path()), [place.path().join("blobs/thesis.tex")]);

    let place = Place::new();
    drop(place.open());
    fs_err::write(place.path().join("format"), "imagewright store 2\n").unwrap();
    let error = Store::open(&place.path(), NOW).unwrap_err();
    assert!(matches!(&error, StoreError::Version { found, .. } if found == "2"), "{error}");
    assert!(error.hint().is_some());
}

#[test]
fn different_facts_of_one_digest_live_under_their_keys() {
    let place = Place::new();
    let store = place.open();
    let first = put_plain(&store, "one", b"same");
    let second = put_plain(&store, "two", b"same");
    assert_eq!(first.digest, second.digest);
    let LayerFacts { kind, .. } = store.layer_by_key(&key("two")).unwrap().unwrap().facts;
    assert_eq!(kind, "python");
    assert!(read_all(&store, &first.digest).is_some());
}
