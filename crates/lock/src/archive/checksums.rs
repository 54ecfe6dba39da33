use std::collections::BTreeMap;

use imagewright_oci::Digest;
use imagewright_store::{DocumentKind, Store};

use super::PythonMirror;
use crate::LockError;
use crate::download::{Downloads, Wanted};

/// The digests of a release, by the release's name; a release never changes.
const CHECKSUMS: DocumentKind = DocumentKind("python-archive-checksums");
/// The list that a release has of its files.
const LIST: &str = "SHA256SUMS";

/// The digests of files of one release, by name.
pub(super) type Checksums = BTreeMap<String, Digest>;

/// What a release says of its files: of all of them, where it has the list, and else of `file_name`, which
/// releases before 2025 have a file for.
pub(super) async fn checksums(
    store: &Store,
    downloads: &Downloads,
    mirror: &PythonMirror,
    release: &str,
    file_name: &str,
) -> Result<Checksums, LockError> {
    let key = Digest::of(release.as_bytes());
    let known: Checksums = store.document(CHECKSUMS, &key)?.unwrap_or_default();
    if known.contains_key(file_name) {
        return Ok(known);
    }
    let url = mirror.url(&format!("{release}/{LIST}"));
    let wanted = Wanted { url: &url, file_name: LIST, digest: None };
    let list = document(downloads, &wanted).await?;
    let mut found = list.map(|text| parse(&text)).unwrap_or_default();
    if !found.contains_key(file_name) {
        let name = format!("{file_name}.sha256");
        let url = mirror.url(&format!("{release}/{name}"));
        let wanted = Wanted { url: &url, file_name: &name, digest: None };
        let text = document(downloads, &wanted).await?;
        let digest = text.as_deref().and_then(|text| digest(text.split_whitespace().next()?));
        let missing = || LockError::NoChecksum { file_name: file_name.to_owned(), mirror: mirror.clone() };
        found.insert(file_name.to_owned(), digest.ok_or_else(missing)?);
    }
    let merged: Checksums = known.into_iter().chain(found).collect();
    store.put_document(CHECKSUMS, &key, &merged)?;
    Ok(merged)
}

async fn document(downloads: &Downloads, wanted: &Wanted<'_>) -> Result<Option<String>, LockError> {
    let bytes = downloads.document(wanted).await.map_err(|source| LockError::Archive {
        file_name: wanted.file_name.to_owned(),
        source: Box::new(source),
    })?;
    Ok(bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
}

/// Lines as sha256sum(1) writes them.
fn parse(text: &str) -> Checksums {
    text.lines()
        .filter_map(|line| {
            let (hex, name) = line.split_once(' ')?;
            Some((name.trim_start_matches([' ', '*']).to_owned(), digest(hex)?))
        })
        .collect()
}

fn digest(hex: &str) -> Option<Digest> {
    format!("sha256:{hex}").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_list() {
        let hex = "0".repeat(64);
        let text = format!("{hex}  a+1.tar.gz\n{hex} *b.tar.gz\nshort  c\n\n");
        assert_eq!(parse(&text).into_keys().collect::<Vec<_>>(), ["a+1.tar.gz", "b.tar.gz"]);
        assert!(parse("<html>not found</html>").is_empty());
    }
}
