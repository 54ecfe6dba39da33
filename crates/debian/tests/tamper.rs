use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use imagewright_debian::openpgp::SignatureProblem;
use imagewright_debian::{
    Architecture, DebianError, DebianLock, Fetch, FetchError, Mirrors, Pocket, Releases, Suite,
};
use url::Url;

use crate::network::{CachingFetch, block_on, mirrors, now};

const DAY: Duration = Duration::from_hours(24);

/// Passes on what another client fetches, with a change to the files whose paths have `part`.
struct Altered<'a> {
    inner: &'a CachingFetch,
    part: &'static str,
    change: Change,
}

#[derive(Clone, Copy)]
enum Change {
    /// One byte is another.
    Flipped,
    /// The first byte is missing.
    Cut,
    /// The server has no such file.
    Gone,
}

impl Fetch for Altered<'_> {
    async fn get(&self, url: &Url) -> Result<Bytes, FetchError> {
        let bytes = self.inner.get(url).await?;
        match self.change {
            _ if !url.path().contains(self.part) => Ok(bytes),
            Change::Flipped => Ok(flipped(&bytes)),
            Change::Cut => Ok(bytes.slice(1..)),
            Change::Gone => Err(FetchError::NotFound),
        }
    }
}

/// Hexadecimal digits stay digits, so that it is the signature that has to notice.
fn flipped(bytes: &Bytes) -> Bytes {
    let mut bytes = bytes.to_vec();
    let middle = bytes.len() / 2;
    bytes[middle] = if bytes[middle] == b'1' { b'2' } else { b'1' };
    bytes.into()
}

/// Resolves a base through a client that alters what matches `part`.
fn with_change(mirrors: &Mirrors, part: &'static str, change: Change) -> Result<DebianLock, DebianError> {
    let inner = CachingFetch::new();
    let fetch = Altered { inner: &inner, part, change };
    block_on(async {
        let suite = Suite::Bookworm;
        let releases = Releases::fetch(&fetch, mirrors, suite, now()).await?;
        releases.fetch_packages(&fetch, mirrors, Architecture::Amd64).await?.read()?.base(None)
    })
}

#[test]
fn altered_indexes_are_refused() {
    let Some(mirrors) = mirrors() else { return };
    assert!(with_change(&mirrors, "nothing", Change::Flipped).is_ok());
    for part in ["dists/bookworm/InRelease", "bookworm-updates/InRelease", "bookworm-security/InRelease"] {
        let error = with_change(&mirrors, part, Change::Flipped).unwrap_err();
        assert!(
            matches!(&error, DebianError::Signature { problem: SignatureProblem::Bad { .. }, .. }),
            "{part}: {error}"
        );
    }
    let error = with_change(&mirrors, "dists/bookworm/main", Change::Flipped).unwrap_err();
    assert!(matches!(&error, DebianError::WrongDigest { .. }), "{error}");
    let error = with_change(&mirrors, "dists/bookworm/main", Change::Cut).unwrap_err();
    assert!(matches!(&error, DebianError::WrongSize { .. }), "{error}");
    let error = with_change(&mirrors, "dists/bookworm/InRelease", Change::Gone).unwrap_err();
    assert!(matches!(&error, DebianError::NoRelease { .. }), "{error}");
    // A mirror without files by hash serves all the same.
    assert!(with_change(&mirrors, "by-hash", Change::Gone).is_ok());
}

fn documents(mirrors: &Mirrors, suite: Suite) -> BTreeMap<&'static str, Bytes> {
    let fetch = CachingFetch::new();
    let get = |pocket: Pocket| {
        let url = mirrors.url(pocket, &format!("dists/{}/InRelease", pocket.codename(suite))).unwrap();
        block_on(fetch.get(&url)).unwrap()
    };
    BTreeMap::from([("main", get(Pocket::Main)), ("security", get(Pocket::Security))])
}

#[test]
fn indexes_are_judged_by_signer_name_and_age() {
    let Some(mirrors) = mirrors() else { return };
    let suite = Suite::Trixie;
    let documents = documents(&mirrors, suite);
    let verify =
        |suite, pocket, document: &Bytes, time| Releases::verify(suite, &[(pocket, document.clone())], time);
    let (main, security) = (&documents["main"], &documents["security"]);
    verify(suite, Pocket::Security, security, now()).unwrap();
    let later = now() + DAY * 60;
    let error = verify(suite, Pocket::Security, security, later).unwrap_err();
    assert!(matches!(error, DebianError::Expired { .. }), "{error}");
    let earlier = now() - DAY * 365;
    let error = verify(suite, Pocket::Security, security, earlier).unwrap_err();
    assert!(matches!(error, DebianError::NotYetValid { .. }), "{error}");
    let after_the_keys = now() + DAY * 365 * 40;
    let error = verify(suite, Pocket::Main, main, after_the_keys).unwrap_err();
    assert!(
        matches!(error, DebianError::Signature { problem: SignatureProblem::OutOfTime { .. }, .. }),
        "{error}"
    );
    let error = verify(Suite::Bookworm, Pocket::Main, main, now()).unwrap_err();
    assert!(matches!(error, DebianError::WrongRelease { .. }), "{error}");
    // The security archive's key does not speak for the archive, nor the other way round.
    let error = verify(suite, Pocket::Main, security, now()).unwrap_err();
    assert!(
        matches!(error, DebianError::Signature { problem: SignatureProblem::NoKnownSigner { .. }, .. }),
        "{error}"
    );
}

#[test]
fn text_beside_the_signed_text_is_refused() {
    let Some(mirrors) = mirrors() else { return };
    let documents = documents(&mirrors, Suite::Trixie);
    let document = String::from_utf8(documents["main"].to_vec()).unwrap();
    let begin = "-----BEGIN PGP SIGNED MESSAGE-----\n";
    let stripped = document.lines().filter(|line| !line.starts_with('-') && !line.starts_with("Hash: "));
    for forged in [
        format!("Codename: trixie\n{document}"),
        format!("{document}Codename: trixie\n"),
        document.replacen("Hash: SHA", "Suite: SHA", 1),
        document.replacen("Origin: Debian", "- Origin: Evil", 1),
        document.replacen("\n\nOrigin", "\n\nEvil: 1\nOrigin", 1),
        document.replacen("\nSHA256:", "\nSHA256:\n 00", 1),
        format!(
            "{begin}{}",
            document.replacen(begin, "", 1).replace("\nHash", "Hash").replace("Debian", "Evil")
        ),
        stripped.collect::<Vec<_>>().join("\n"),
        document.split("-----BEGIN PGP SIGNATURE").next().unwrap().to_owned(),
        String::new(),
    ] {
        let result = Releases::verify(Suite::Trixie, &[(Pocket::Main, forged.into())], now());
        let error = result.unwrap_err();
        assert!(matches!(error, DebianError::Signature { .. }), "{error}");
    }
    // Line ends and white space at the ends of lines are not part of what is signed.
    let rewritten = document.replace('\n', " \r\n");
    Releases::verify(Suite::Trixie, &[(Pocket::Main, rewritten.into())], now()).unwrap();
}
