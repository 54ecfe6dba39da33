//! A store that was made by the first version of format 1 can still be read, and others are refused by number.

use std::io::Read;

use imagewright_layer::LayerKey;
use imagewright_oci::{DiffId, Digest, Platform};
use imagewright_store::{BlobState, Depth, Store, StoreError};
use rusqlite::Connection;

use crate::fixture::{NOW, Place, facts, put_plain, read_all};

const ARTIFACT: &str = "The artifact of a store of format 1: plain text, so that it can be read here.\n";
const MANIFEST: &str = "{\"schemaVersion\":2}";

/// `[one]`, bytes 35 to 78 of the artifact, `[two]`, bytes 4 to 12 of it; then the table and the footer.
const SPLICED: &str = "\
    5b6f6e655d5b74776f5d0192d73cee96dc0c58d2853da017d5db9a7796fb\
    d99130ec5376329c5ea7d2d2f90400000501462b00000501930108d7ea1b\
    b59eab8d4be1b7c3aea7aabec6f1f72f0e0398feae66c419d0808e16020a\
    000000000000002f000000000000003d00000000000000495753504c4943\
    31";

const SPLICED_DIGEST: &str = "d10a67c60033a5389ce28fd5491b0b604408ab8367dda35fd501fb118d3d1f78";

fn store_1() -> Place {
    let place = Place::new();
    let root = place.path();
    for folder in ["artifacts", "blobs"] {
        fs_err::create_dir_all(root.join(folder)).unwrap();
    }
    fs_err::write(root.join("format"), "imagewright store 1\n").unwrap();
    fs_err::write(root.join("artifacts").join(Digest::of(ARTIFACT.as_bytes()).hex()), ARTIFACT).unwrap();
    fs_err::write(root.join("blobs").join(Digest::of(MANIFEST.as_bytes()).hex()), MANIFEST).unwrap();
    let spliced: Vec<u8> = (0..SPLICED.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&SPLICED[at..at + 2], 16).unwrap())
        .collect();
    fs_err::write(root.join(format!("blobs/{SPLICED_DIGEST}.spliced")), spliced).unwrap();
    let index = Connection::open(root.join("index.db")).unwrap();
    index.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(())).unwrap();
    index.execute_batch(include_str!("store-1/index.sql")).unwrap();
    index.pragma_update(None, "user_version", 1).unwrap();
    place
}

#[test]
fn a_store_of_format_1_is_read() {
    let place = store_1();
    let store = place.open();
    let record = store.layer_by_key(&LayerKey(Digest::of(b"key"))).unwrap().unwrap();
    assert_eq!(record.digest.hex(), SPLICED_DIGEST);
    assert_eq!((record.blob, record.diff_id), (BlobState::Present, DiffId(Digest::of(b"tar"))));
    assert_eq!(record.facts.details, serde_json::json!({"packages": ["artifact==1.0"]}));
    let mut text = String::new();
    store.blob(&record.digest).unwrap().unwrap().verified().read_to_string(&mut text).unwrap();
    assert_eq!(text, "[one]: plain text, so that it can be read here.\n[two]artifact");

    let remote = store.layer_by_key(&LayerKey(Digest::of(b"remote"))).unwrap().unwrap();
    assert_eq!((remote.blob, remote.uncompressed_size), (BlobState::Remote, None));
    let reference = "localhost:5000/app:v1".parse().unwrap();
    let tag = store.tag(&reference, &[Platform::linux_amd64()]).unwrap().unwrap();
    assert_eq!(tag.declared, Digest::of(b"declared"));
    assert_eq!(read_all(&store, &tag.manifest).unwrap(), MANIFEST.as_bytes());
    assert!(store.facts::<serde_json::Value>(&Digest::of(b"base")).unwrap().is_some());
    assert_eq!(store.mount_candidates("localhost:5000", &tag.manifest).unwrap(), ["app"]);

    let report = store.check(Depth::Digests).unwrap();
    assert!(report.is_clean() && report.garbage.is_empty(), "{report:?}");
    assert_eq!((report.artifacts.count, report.blobs.count, report.layers), (1, 2, 2));
    assert_eq!(put_plain(&store, "new", b"bytes").facts, facts());
}

#[test]
fn another_version_of_the_tables_is_refused() {
    let place = store_1();
    let index = Connection::open(place.path().join("index.db")).unwrap();
    index.pragma_update(None, "user_version", 2).unwrap();
    drop(index);
    let error = Store::open(&place.path(), NOW).unwrap_err();
    assert!(matches!(&error, StoreError::Version { found, .. } if found == "2"), "{error}");
}
