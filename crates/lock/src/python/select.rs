//! One wheel for each distribution of uv's answer.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};

use imagewright_oci::Digest;
use imagewright_pypa::{PackageName, TargetPython, Version, WheelFilename, WheelPreference};
use url::Url;

use super::pylock::{File, Package};
use super::{ChosenPackage, PythonError, WheelSource, local_wheel};

/// What the choice depends on, besides the files.
#[derive(Debug)]
pub(super) struct Selection<'a> {
    pub(super) target: &'a TargetPython,
    pub(super) preference: WheelPreference,
    /// What relative paths in uv's answer start from.
    pub(super) folder: &'a Path,
    /// The hashes that the user allows, for distributions with any.
    pub(super) hashes: &'a BTreeMap<PackageName, Vec<Digest>>,
    /// Whether a distribution without a written hash is an error.
    pub(super) require_hashes: bool,
    /// Distributions that need no written hash even then: the user does not ask for them.
    pub(super) implied: &'a BTreeSet<PackageName>,
}

impl Selection<'_> {
    /// The name and version of a distribution of the answer.
    pub(super) fn identity(package: &Package) -> Result<(PackageName, Version), PythonError> {
        let answer = |explanation: String| PythonError::Answer { explanation };
        let name: PackageName = package.name.parse().map_err(|error| answer(format!("{error}")))?;
        let version = match &package.version {
            Some(text) => text.parse().map_err(|error| answer(format!("{error}")))?,
            // A URL or path: its file name says the version.
            None => files(package)
                .first()
                .map(|(filename, _)| filename.version().clone())
                .ok_or_else(|| answer(format!("{name} has no version")))?,
        };
        Ok((name, version))
    }

    /// Whether the target runs one of the wheels.
    pub(super) fn has_wheel(&self, package: &Package) -> bool {
        let available = files(package);
        self.preference.best(available.iter().map(|(filename, _)| filename)).is_some()
    }

    /// The wheel that an installer would choose.
    pub(super) fn choose(
        &self,
        name: PackageName,
        version: Version,
        package: &Package,
    ) -> Result<ChosenPackage, PythonError> {
        let available = files(package);
        let allowed = self.hashes.get(&name).cloned().unwrap_or_default();
        if allowed.is_empty() && self.require_hashes && !self.implied.contains(&name) {
            return Err(PythonError::HashMissing { name, version });
        }
        let fitting = self.fitting(&available, &allowed, &name, &version)?;
        let Some(best) = self.preference.best(fitting.iter().map(|(filename, _)| filename)) else {
            return Err(PythonError::NoWheel {
                name,
                version,
                target: Box::new(self.target.clone()),
                available: available.into_iter().map(|(filename, _)| filename).collect(),
            });
        };
        let (filename, file) = &fitting[best];
        let source = self.source(file)?;
        let (sha256, size) = match &source {
            WheelSource::Url(_) | WheelSource::Built(_) => (sha256(file), file.size),
            WheelSource::Path(path) => {
                let (digest, size) = local_wheel::digest(path)
                    .map_err(|source| PythonError::File { path: path.clone(), source })?;
                (Some(digest), Some(size))
            }
        };
        let filename = filename.clone();
        Ok(ChosenPackage {
            name,
            version,
            filename,
            source,
            sha256,
            size,
            allowed,
            requested: false,
            required_by: Vec::new(),
        })
    }

    /// The files with an allowed hash; one whose index states none is let through, and checked when it has come.
    fn fitting<'f>(
        &self,
        available: &[(WheelFilename, &'f File)],
        allowed: &[Digest],
        name: &PackageName,
        version: &Version,
    ) -> Result<Vec<(WheelFilename, &'f File)>, PythonError> {
        let fits =
            |file: &File| allowed.is_empty() || sha256(file).is_none_or(|digest| allowed.contains(&digest));
        let fitting: Vec<_> = available.iter().filter(|(_, file)| fits(file)).cloned().collect();
        let runs = |files: &[(WheelFilename, &File)]| {
            self.preference.best(files.iter().map(|(filename, _)| filename)).is_some()
        };
        if runs(available) && !runs(&fitting) {
            return Err(PythonError::HashMismatch {
                name: name.clone(),
                version: version.clone(),
                allowed: allowed.to_vec(),
                found: available.iter().filter_map(|(_, file)| sha256(file)).collect(),
            });
        }
        Ok(fitting)
    }

    fn source(&self, file: &File) -> Result<WheelSource, PythonError> {
        if let Some(path) = &file.path {
            return Ok(WheelSource::Path(normal(&self.folder.join(path))));
        }
        let text = file.url.as_deref().unwrap_or_default();
        let bad =
            |problem: String| PythonError::Answer { explanation: format!("the URL of a wheel: {problem}") };
        let mut url = Url::parse(text).map_err(|error| bad(error.to_string()))?;
        if url.scheme() == "file" {
            return url
                .to_file_path()
                .map(WheelSource::Path)
                .map_err(|()| bad("not a local file".to_owned()));
        }
        url.set_fragment(None);
        url.set_username("").and_then(|()| url.set_password(None)).map_err(|()| bad("no host".to_owned()))?;
        Ok(WheelSource::Url(url))
    }
}

fn files(package: &Package) -> Vec<(WheelFilename, &File)> {
    let files = package.wheels.iter().chain(&package.archive);
    files.filter_map(|file| Some((file.filename()?.parse().ok()?, file))).collect()
}

fn sha256(file: &File) -> Option<Digest> {
    Digest::from_hex(file.hashes.get("sha256")?).ok()
}

/// Without `.` and `..`, and without asking the file system, so that a link stays as the user wrote it.
fn normal(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for component in path.components() {
        match component {
            Component::ParentDir => {
                normal.pop();
            }
            Component::CurDir => {}
            other => normal.push(other),
        }
    }
    normal
}
