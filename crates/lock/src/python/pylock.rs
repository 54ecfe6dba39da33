//! The wire form of `pylock.toml` (PEP 751), as far as uv writes and the lock needs it.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Deserialize;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Pylock {
    pub(super) requires_python: Option<String>,
    #[serde(default)]
    pub(super) extras: Vec<String>,
    #[serde(default)]
    pub(super) dependency_groups: Vec<String>,
    #[serde(default)]
    pub(super) default_groups: Vec<String>,
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
    /// What it is for; everything without.
    pub(super) marker: Option<String>,
    /// A wheel or an archive of source that was named by URL or path.
    pub(super) archive: Option<File>,
    /// An archive of source.
    pub(super) sdist: Option<File>,
    pub(super) directory: Option<Directory>,
    pub(super) vcs: Option<Repository>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Directory {
    pub(super) path: PathBuf,
    pub(super) subdirectory: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Repository {
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) url: Option<String>,
    pub(super) path: Option<PathBuf>,
    pub(super) commit_id: String,
    pub(super) subdirectory: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct File {
    pub(super) name: Option<String>,
    pub(super) url: Option<String>,
    pub(super) path: Option<PathBuf>,
    pub(super) size: Option<u64>,
    pub(super) subdirectory: Option<String>,
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
