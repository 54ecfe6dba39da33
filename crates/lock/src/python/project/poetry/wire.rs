//! The wire form of `poetry.lock`, and of the project beside it.

use std::collections::BTreeMap;
use std::path::Path;

use imagewright_pypa::{PackageName, Version};
use serde::Deserialize;
use toml::{Table, Value};

use crate::python::PythonError;

#[derive(Debug, Deserialize)]
pub(super) struct Lock {
    #[serde(default)]
    pub(super) package: Vec<Package>,
    #[serde(default)]
    pub(super) extras: BTreeMap<String, Vec<String>>,
    pub(super) metadata: Metadata,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Metadata {
    lock_version: String,
    pub(super) python_versions: String,
    pub(super) content_hash: String,
    /// The files of all packages, in locks of before 1.2 of Poetry.
    #[serde(default)]
    files: BTreeMap<String, Vec<File>>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Package {
    pub(super) name: PackageName,
    pub(super) version: Version,
    #[serde(default)]
    pub(super) groups: Vec<String>,
    pub(super) markers: Option<Markers>,
    files: Option<Vec<File>>,
    #[serde(default)]
    pub(super) dependencies: BTreeMap<String, Value>,
    #[serde(default)]
    pub(super) extras: BTreeMap<String, Vec<String>>,
    pub(super) source: Option<Source>,
}

/// For which environments a package is.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum Markers {
    /// In whatever group.
    All(String),
    /// By group.
    Groups(BTreeMap<String, String>),
}

#[derive(Debug, Deserialize)]
pub(super) struct File {
    pub(super) hash: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct Source {
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) url: String,
    pub(super) reference: Option<String>,
    pub(super) resolved_reference: Option<String>,
    pub(super) subdirectory: Option<String>,
}

impl Lock {
    pub(super) fn parse(text: &str) -> Result<Self, toml::de::Error> {
        toml::from_str(text)
    }

    /// The files that a package may be.
    pub(super) fn files<'a>(&'a self, package: &'a Package) -> &'a [File] {
        let known = || {
            let is_of = |name: &str| name.parse::<PackageName>().is_ok_and(|name| name == package.name);
            self.metadata.files.iter().find(|(name, _)| is_of(name)).map(|(_, files)| files)
        };
        package.files.as_ref().or_else(known).map_or(&[], |files| files)
    }
}

impl Metadata {
    /// The version of the format.
    pub(super) fn version(&self) -> Option<(u64, u64)> {
        let (major, minor) = self.lock_version.split_once('.')?;
        Some((major.parse().ok()?, minor.parse().ok()?))
    }
}

/// `pyproject.toml`, of which Poetry reads some sections.
#[derive(Debug)]
pub(super) struct Pyproject(Table);

impl Pyproject {
    pub(super) fn read(path: &Path) -> Result<Self, PythonError> {
        let text = fs_err::read_to_string(path)
            .map_err(|source| PythonError::File { path: path.to_owned(), source })?;
        text.parse()
            .map(Self)
            .map_err(|source| PythonError::Configuration { path: path.to_owned(), source: Box::new(source) })
    }

    /// A section, by the names that lead to it.
    pub(super) fn table(&self, path: &[&str]) -> Option<&Table> {
        path.iter().try_fold(&self.0, |table, name| table.get(*name)?.as_table())
    }

    fn text(&self, path: &[&str], name: &str) -> Option<&str> {
        self.table(path)?.get(name)?.as_str()
    }

    /// What the project is called, unless it is none that can be installed.
    pub(super) fn package_name(&self) -> Option<&str> {
        let mode = self.table(&["tool", "poetry"]).and_then(|table| table.get("package-mode"));
        let name = self.text(&["project"], "name").or_else(|| self.text(&["tool", "poetry"], "name"));
        name.filter(|_| mode.and_then(Value::as_bool) != Some(false))
    }

    /// The sources of packages, each with its name and address.
    pub(super) fn sources(&self) -> Vec<(String, String)> {
        let sources = self.table(&["tool", "poetry"]).and_then(|table| table.get("source")?.as_array());
        let text = |table: &Value, name: &str| Some(table.get(name)?.as_str()?.to_owned());
        let named = |table: &Value| Some((text(table, "name")?, text(table, "url")?));
        sources.into_iter().flatten().filter_map(named).collect()
    }
}
