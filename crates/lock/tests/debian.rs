//! Packages of Debian's archive, from a mirror that alters or drops them.

use imagewright_debian::{DebianPackage, DebianVersion, Mirrors, PackageGroup, Pocket};
use imagewright_lock::{DownloadError, LockError, debian_artifact};
use imagewright_oci::Digest;
use imagewright_store::StoreError;
use imagewright_testkit::index::TestIndex;

use crate::downloads::downloads;

/// What the lock pins.
const CONTENT: &[u8] = b"a package";

/// The size of the package that a mirror with this file gives; none is there without one.
async fn fetched(file: Option<&[u8]>) -> Result<u64, LockError> {
    let (folder, server) = (tempfile::tempdir().unwrap(), TestIndex::start());
    let package = DebianPackage {
        name: "bash".parse().unwrap(),
        version: DebianVersion::new("5.2.15-2"),
        architecture: "amd64".to_owned(),
        filename: "bash_5.2.15-2_amd64.deb".to_owned(),
        size: CONTENT.len() as u64,
        sha256: Digest::of(CONTENT),
        pocket: Pocket::Main,
        group: PackageGroup::Userland,
    };
    if let Some(bytes) = file {
        server.add_file(&package.filename, bytes);
    }
    let mirrors = Mirrors::new(&server.file_url(""), None).unwrap();
    let artifact = debian_artifact(&downloads(&folder), &mirrors, &package).await;
    artifact.map(|artifact| artifact.size)
}

#[tokio::test]
async fn a_package_is_what_the_lock_pins_or_refused() {
    assert_eq!(fetched(Some(CONTENT)).await.unwrap(), CONTENT.len() as u64);
    for altered in [&b"b package"[..], &CONTENT[1..], b"", b"a package and more"] {
        let error = fetched(Some(altered)).await.unwrap_err();
        let is_refused = matches!(
            &error,
            LockError::Download(DownloadError::Store(StoreError::Mismatch { expected, .. }))
                if *expected == Digest::of(CONTENT)
        );
        assert!(is_refused, "{altered:?}: {error:?}");
    }
}

#[tokio::test]
async fn a_package_that_the_mirror_dropped_has_a_successor() {
    let error = fetched(None).await.unwrap_err();
    assert!(matches!(&error, LockError::PackageGone { name, .. } if name == "bash"), "{error:?}");
    assert!(error.hint().unwrap().contains("lock --upgrade debian"));
}
