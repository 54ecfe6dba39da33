//! `poetry.lock`, of all versions that are in use: 2.1 says of each package for which groups and environments it is;
//! older ones say what packages depend on, and what is needed is found from the project on ([`walk`]).
//!
//! The lock has names and hashes of files, and not where they are: each package becomes a requirement on its version,
//! with the hashes that are allowed and the index that it is from.

mod constraint;
mod fresh;
mod groups;
mod place;
mod walk;
mod wire;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use imagewright_pypa::{Marker, MarkerEnvironment, PackageName, TargetPython};
use imagewright_spec::ProjectLock;

use self::constraint::Constraint;
use self::groups::Groups;
use self::wire::{File, Lock, Markers, Package, Pyproject, Source};
use super::choice::Chosen;
use super::error::PackageProblem;
use super::{LockedProject, ProjectError, ProjectPin, local, repository};
use crate::python::{Index, IndexUrl, PythonError, Requirement};
use crate::uv::Host;

/// The first version of a lock whose packages say for what they are.
const WITH_GROUPS: (u64, u64) = (2, 1);

/// The hash that is compared.
const SHA256: &str = "sha256:";

/// What of a `poetry.lock` is for a target.
pub(super) fn pins(
    project: &LockedProject,
    host: &Host,
    target: &TargetPython,
) -> Result<Vec<ProjectPin>, PythonError> {
    let path = host.absolute(&project.path);
    let lock: Lock = read(&path, &project.path)?;
    let pyproject = Pyproject::read(&path.with_file_name("pyproject.toml"))?;
    if !project.choice.unchecked && !fresh::fits(&lock, &pyproject) {
        let (lock, path, explanation) = (ProjectLock::Poetry, project.path.clone(), String::new());
        return Err(ProjectError::Stale { lock, path, explanation }.into());
    }
    let reading = Reading { project, host, target, lock: &lock, pyproject: &pyproject };
    reading.check_python()?;
    let extras = reading.extras()?;
    let groups =
        Groups::of(&pyproject, &lock, &project.choice.words).map_err(|unknown| reading.unknown(unknown))?;
    let environment = MarkerEnvironment { extras, ..MarkerEnvironment::of(target) };
    let wanted = if lock.metadata.version() >= Some(WITH_GROUPS) {
        reading.stated(&groups, &environment)?
    } else {
        walk::needed(&reading, &groups, &environment)?
    };
    let mut seen = BTreeSet::new();
    let mut pins = Vec::new();
    for package in wanted {
        if !seen.insert(package.name.clone()) {
            return Err(reading.project.wrong(package.name.clone(), PackageProblem::Twice));
        }
        let is_local = package.source.as_ref().is_some_and(|source| source.kind == "directory");
        let is_left_out = project.choice.words.iter().any(|word| match word {
            Chosen::NoLocal => is_local,
            _ => false,
        });
        if !is_left_out {
            pins.push(reading.pin(package)?);
        }
    }
    pins.extend(reading.itself());
    Ok(pins)
}

/// The addresses of the sources of a project, with the passwords that Poetry has for them.
pub(super) fn sources(pyproject: &Path, host: &Host) -> Result<Vec<IndexUrl>, PythonError> {
    let pyproject = Pyproject::read(pyproject)?;
    let sources = pyproject.sources().into_iter();
    Ok(sources.map(|(name, url)| address(&name, &url, host)).collect())
}

/// A name of a group or an extra that a project does not have.
struct Unknown {
    kind: &'static str,
    name: String,
    known: Vec<String>,
}

struct Reading<'a> {
    project: &'a LockedProject,
    host: &'a Host,
    target: &'a TargetPython,
    lock: &'a Lock,
    pyproject: &'a Pyproject,
}

impl<'a> Reading<'a> {
    fn check_python(&self) -> Result<(), PythonError> {
        let text = &self.lock.metadata.python_versions;
        let wanted: Constraint = text.parse().map_err(|error| self.project.malformed(error))?;
        if wanted.allows(&self.target.full_version()) {
            return Ok(());
        }
        let (path, wanted, target) = (self.project.path.clone(), text.clone(), Box::new(self.target.clone()));
        Err(ProjectError::Python { path, wanted, target }.into())
    }

    fn extras(&self) -> Result<BTreeSet<PackageName>, PythonError> {
        let known = || self.lock.extras.keys().filter_map(|name| name.parse::<PackageName>().ok());
        let mut extras = BTreeSet::new();
        for word in &self.project.choice.words {
            match word {
                Chosen::AllExtras => extras.extend(known()),
                Chosen::Extra(text) => {
                    let name = text.parse().ok().filter(|name| known().any(|it| it == *name));
                    extras.insert(name.ok_or_else(|| {
                        let known = self.lock.extras.keys().cloned().collect();
                        self.unknown(Unknown { kind: "extra", name: text.clone(), known })
                    })?);
                }
                _ => {}
            }
        }
        Ok(extras)
    }

    /// The packages that say of themselves that they are meant.
    fn stated(
        &self,
        groups: &Groups,
        environment: &MarkerEnvironment<'_>,
    ) -> Result<Vec<&'a Package>, PythonError> {
        let mut wanted = Vec::new();
        for package in &self.lock.package {
            let mut is_meant = false;
            for group in package.groups.iter().filter(|group| groups.has(group)) {
                let marker = match &package.markers {
                    None => None,
                    Some(Markers::All(text)) => Some(text),
                    Some(Markers::Groups(texts)) => texts.get(group),
                };
                is_meant |= self.holds(marker, environment)?;
            }
            if is_meant {
                wanted.push(package);
            }
        }
        Ok(wanted)
    }

    fn holds(
        &self,
        marker: Option<&String>,
        environment: &MarkerEnvironment<'_>,
    ) -> Result<bool, PythonError> {
        let Some(text) = marker else { return Ok(true) };
        let marker: Marker = text.parse().map_err(|error| self.project.malformed(error))?;
        Ok(marker.holds(environment))
    }

    fn pin(&self, package: &Package) -> Result<ProjectPin, PythonError> {
        let Package { name, version, source, .. } = package;
        let folder = self.project.folder(self.host);
        let subdirectory = source.as_ref().and_then(|source| source.subdirectory.as_ref());
        let subdirectory = subdirectory.map(|path| format!("#subdirectory={path}")).unwrap_or_default();
        let mut index = None;
        let text = match source {
            None => format!("{name}=={version}"),
            Some(Source { kind, url, reference, resolved_reference, .. }) => match kind.as_str() {
                "legacy" => {
                    let source = reference.as_deref().unwrap_or_default();
                    index = Some(Index::of_address(address(source, url, self.host)));
                    format!("{name}=={version}")
                }
                "git" => {
                    let commit = resolved_reference.as_ref().or(reference.as_ref());
                    let commit = commit.map(|commit| format!("@{commit}")).unwrap_or_default();
                    format!("{name} @ git+{}{commit}{subdirectory}", repository::address(url))
                }
                "directory" | "file" => {
                    format!("{name} @ {}{subdirectory}", local::target(&folder.join(url)))
                }
                "url" => format!("{name} @ {url}{subdirectory}"),
                _ => return Err(self.project.wrong(name.clone(), PackageProblem::Repository)),
            },
        };
        // Of old locks and of some indexes a file has another hash, which says nothing of the others.
        let files = self.lock.files(package);
        let known: Vec<&File> = files.iter().filter(|file| file.hash.starts_with(SHA256)).collect();
        let files = if known.is_empty() { files.iter().collect() } else { known };
        let text = files.iter().fold(text, |text, file| format!("{text} --hash={}", file.hash));
        Ok(ProjectPin::Line(Requirement::new(&text, self.project.origin()), index))
    }

    /// The project itself, where it is one that can be installed.
    fn itself(&self) -> Option<ProjectPin> {
        let name = self.pyproject.package_name().filter(|_| self.project.choice.project)?;
        let text = format!("{name} @ {}", local::target(&self.project.folder(self.host)));
        Some(ProjectPin::Line(Requirement::new(&text, self.project.origin()), None))
    }

    fn unknown(&self, unknown: Unknown) -> PythonError {
        let Unknown { kind, name, known } = unknown;
        ProjectError::Unknown { path: self.project.path.clone(), kind, name, known }.into()
    }
}

/// The text of a lock; `shown` is how the user calls it.
fn read(path: &Path, shown: &Path) -> Result<Lock, PythonError> {
    let text =
        fs_err::read_to_string(path).map_err(|source| PythonError::File { path: path.to_owned(), source })?;
    Lock::parse(&text).map_err(|source| {
        let (path, source) = (PathBuf::from(shown), Box::new(source));
        ProjectError::Malformed { path, source }.into()
    })
}

/// The address of a source with the user and password that the variables of Poetry, or of uv, have for it.
fn address(name: &str, url: &str, host: &Host) -> IndexUrl {
    let name = name.to_ascii_uppercase().replace(['-', '.'], "_");
    let variable = |what: &str| {
        let poetrys = host.variable(&format!("POETRY_HTTP_BASIC_{name}_{what}"));
        poetrys.or_else(|| host.variable(&format!("UV_INDEX_{name}_{what}")))
    };
    let Ok(mut parsed) = url::Url::parse(url) else { return IndexUrl::new(url) };
    if let Some(user) = variable("USERNAME").filter(|_| parsed.username().is_empty()) {
        // Only an address without a host takes no user; it needs none.
        let is_set = parsed.set_username(user).is_ok() && parsed.set_password(variable("PASSWORD")).is_ok();
        if is_set {
            return IndexUrl::new(parsed);
        }
    }
    IndexUrl::new(url)
}
