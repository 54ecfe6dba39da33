//! An OCI image layout 1.1 in a directory, made or added to.

use std::io;
use std::path::Path;
use std::sync::atomic::Ordering;

use fs_err::File;
use serde_json::{Value, json};

use super::error::SinkError;
use super::freight::{Freight, IMAGE_NAME, REF_NAME};
use super::staged;
use crate::BuildError;

/// What the file `oci-layout` says.
pub(super) const VERSION: &str = r#"{"imageLayoutVersion":"1.0.0"}"#;
pub(super) const VERSION_FILE: &str = "oci-layout";
pub(super) const INDEX_FILE: &str = "index.json";
pub(super) const BLOBS: &str = "blobs/sha256";

/// Whether the directory is a layout, or can become one.
pub(super) fn check(directory: &Path) -> Result<(), SinkError> {
    let unusable = |source| SinkError::Target { path: directory.to_owned(), source };
    let entries = match fs_err::read_dir(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries.map_err(unusable)?,
    };
    let is_other = |entry: io::Result<fs_err::DirEntry>| Ok(!staged::is_staged(&entry?.file_name()));
    let is_used = entries.map(is_other).collect::<io::Result<Vec<bool>>>().map_err(unusable)?.contains(&true);
    if is_used && !directory.join(VERSION_FILE).is_file() {
        return Err(SinkError::NotALayout { path: directory.to_owned() });
    }
    Ok(())
}

/// Adds the image. What is unfinished is in `staging`, which is in the directory.
///
/// The index is the last, and a file at a time: whoever reads the layout meanwhile sees it without the image or with it.
pub(super) fn write(freight: &Freight, directory: &Path, staging: &Path) -> Result<(), BuildError> {
    let failed = |source| freight.unwritten(source);
    if !directory.join(VERSION_FILE).is_file() {
        replace(directory, staging, VERSION_FILE, VERSION.as_bytes()).map_err(failed)?;
    }
    let blobs = directory.join(BLOBS);
    fs_err::create_dir_all(&blobs).map_err(failed)?;
    for (digest, part) in freight.parts() {
        let path = blobs.join(digest.hex());
        if fs_err::metadata(&path).is_ok_and(|there| there.is_file() && there.len() == part.size()) {
            continue;
        }
        let staged = staging.join(digest.hex());
        let mut file = File::create(&staged).map_err(failed)?;
        freight.write(part, &mut file)?;
        file.sync_data().and_then(|()| fs_err::rename(&staged, &path)).map_err(failed)?;
        freight.written.fetch_add(part.size(), Ordering::Relaxed);
    }
    // Two processes may add to one layout.
    let turn = File::open(directory).map_err(failed)?;
    turn.file().lock().map_err(failed)?;
    let index = directory.join(INDEX_FILE);
    let text = match fs_err::read(&index) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => freight.index(),
        read => {
            let to_value = |entry| serde_json::to_value(entry).expect("a descriptor serialises");
            let entries = freight.entries().into_iter().map(to_value).collect();
            let text = with_entries(&read.map_err(failed)?, entries);
            text.map_err(|source| SinkError::LayoutIndex { path: index, source })?
        }
    };
    replace(directory, staging, INDEX_FILE, &text).map_err(failed)?;
    turn.sync_all().map_err(failed)
}

fn replace(directory: &Path, staging: &Path, name: &str, bytes: &[u8]) -> io::Result<()> {
    let staged = staging.join(name);
    fs_err::write(&staged, bytes)?;
    File::open(&staged)?.sync_data()?;
    fs_err::rename(&staged, directory.join(name))
}

/// The index with `entries` in the place of those of the same names. All else stays as it was written.
fn with_entries(index: &[u8], entries: Vec<Value>) -> serde_json::Result<Vec<u8>> {
    let mut index: serde_json::Map<String, Value> = serde_json::from_slice(index)?;
    let manifests = index.entry("manifests").or_insert_with(|| json!([]));
    let mut listed: Vec<Value> = serde_json::from_value(manifests.take())?;
    listed.retain(|other| !entries.iter().any(|entry| has_same_name(other, entry)));
    listed.extend(entries);
    *manifests = Value::Array(listed);
    serde_json::to_vec(&index)
}

/// By their full names; an entry that has none, as other tools write them, by the name that the specification knows.
fn has_same_name(one: &Value, other: &Value) -> bool {
    let name = |entry: &Value, key: &str| entry["annotations"][key].as_str().map(str::to_owned);
    if let Some(full) = name(one, IMAGE_NAME) {
        return Some(full) == name(other, IMAGE_NAME);
    }
    let reference = name(one, REF_NAME);
    reference.is_some() && reference == name(other, REF_NAME)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(full: Option<&str>, reference: &str, digest: &str) -> Value {
        let mut annotations = json!({ "org.opencontainers.image.ref.name": reference });
        if let Some(full) = full {
            annotations[IMAGE_NAME] = json!(full);
        }
        json!({ "digest": digest, "annotations": annotations, "urls": ["kept"] })
    }

    #[test]
    fn an_image_takes_its_own_place_and_no_other() {
        let others = [
            entry(None, "1", "foreign, same reference"),
            entry(None, "2", "foreign"),
            entry(Some("host/app:1"), "1", "the same"),
            entry(Some("host/tool:1"), "1", "same tag, other name"),
            json!({ "digest": "nameless" }),
        ];
        let index = json!({ "schemaVersion": 2, "manifests": others, "annotations": { "a": "b" } });
        let text =
            with_entries(index.to_string().as_bytes(), vec![entry(Some("host/app:1"), "1", "new")]).unwrap();
        let index: Value = serde_json::from_slice(&text).unwrap();
        let digests: Vec<&str> = index["manifests"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| one["digest"].as_str().unwrap())
            .collect();
        assert_eq!(digests, ["foreign", "same tag, other name", "nameless", "new"]);
        assert_eq!(index["annotations"]["a"], "b");
        assert_eq!(index["manifests"][0]["urls"][0], "kept");
        assert!(with_entries(b"[]", Vec::new()).is_err());
        assert!(with_entries(br#"{"manifests": 1}"#, Vec::new()).is_err());
    }
}
