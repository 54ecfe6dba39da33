//! The wire form of `pylock.toml` (PEP 751), as far as uv writes and the lock needs it.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Deserialize;

#[derive(Debug, Deserialize)]
pub(super) struct Pylock {
    #[serde(default)]
    pub(super) packages: Vec<Package>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Package {
    pub(super) name: String,
    /// Absent for a source whose version is dynamic.
    pub(super) version: Option<String>,
    #[serde(default)]
    pub(super) wheels: Vec<File>,
    /// A wheel that was named by URL or path.
    pub(super) archive: Option<File>,
}

#[derive(Debug, Deserialize)]
pub(super) struct File {
    pub(super) name: Option<String>,
    pub(super) url: Option<String>,
    pub(super) path: Option<PathBuf>,
    pub(super) size: Option<u64>,
    #[serde(default)]
    pub(super) hashes: BTreeMap<String, String>,
}

impl File {
    /// The last component of the location, when the file states no name.
    pub(super) fn filename(&self) -> Option<String> {
        let of_url = |url: &String| {
            let path = url.split(['?', '#']).next()?.rsplit('/').next()?;
            Some(percent_encoding::percent_decode_str(path).decode_utf8().ok()?.into_owned())
        };
        let of_path = |path: &PathBuf| Some(path.file_name()?.to_str()?.to_owned());
        self.name
            .clone()
            .or_else(|| self.url.as_ref().and_then(of_url))
            .or_else(|| self.path.as_ref().and_then(of_path))
    }
}
