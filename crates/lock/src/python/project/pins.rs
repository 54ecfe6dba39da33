use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use imagewright_pypa::{Marker, MarkerEnvironment, PackageName, Version, WheelFilename};
use imagewright_spec::ProjectLock;

use super::error::PackageProblem;
use super::export::export;
use super::{LockedProject, ProjectError, local, poetry, repository};
use crate::python::pylock::{Directory, File, Package, Pylock, Repository};
use crate::python::select::Selection;
use crate::python::{ChosenPackage, Index, PythonError, PythonRequest, PythonWarning, Requirement};
use crate::uv::Uv;

/// What of a lock is for the target.
#[derive(Debug, Default)]
pub struct ProjectPins {
    /// One for each package.
    pub pins: Vec<ProjectPin>,
    /// What the user should know.
    pub warnings: Vec<PythonWarning>,
}

/// How a package of a lock is to be had.
#[derive(Debug)]
pub enum ProjectPin {
    /// As this wheel.
    Wheel(Box<ChosenPackage>),
    /// The base has it.
    Kept(PackageName, Version),
    /// It is built from this.
    Source(Requirement),
    /// It satisfies this, with none of what it depends on; where an index is named, it is from there.
    Line(Requirement, Option<Index>),
}

/// The packages of a lock that are for the target of a request.
pub async fn pins(
    uv: &Uv,
    request: &PythonRequest<'_>,
    project: &LockedProject,
) -> Result<ProjectPins, PythonError> {
    let (pylock, warning) = match project.lock {
        ProjectLock::Uv => export(uv, request, project).await?,
        ProjectLock::Poetry => {
            let pins = poetry::pins(project, request.host, request.target)?;
            return Ok(ProjectPins { pins, warnings: Vec::new() });
        }
        ProjectLock::Pylock => (read(request, project)?, None),
    };
    let environment = project.environment(request.target, &pylock)?;
    let picking = Picking { request, project, environment };
    picking.check_python(&pylock)?;
    let mut pins = Vec::new();
    let mut seen = BTreeSet::new();
    for package in &pylock.packages {
        if !picking.is_meant(package)? {
            continue;
        }
        let name: PackageName = package.name.parse().map_err(|error| picking.project.malformed(error))?;
        if !seen.insert(name.clone()) {
            return Err(picking.project.wrong(name, PackageProblem::Twice));
        }
        pins.push(picking.pin(name, package)?);
    }
    Ok(ProjectPins { pins, warnings: warning.into_iter().collect() })
}

/// The packages of a `pylock.toml`.
fn read(request: &PythonRequest<'_>, project: &LockedProject) -> Result<Pylock, PythonError> {
    let path = request.host.absolute(&project.path);
    let text = fs_err::read_to_string(&path).map_err(|source| PythonError::File { path, source })?;
    toml::from_str(&text).map_err(|source| {
        let (path, source) = (project.path.clone(), Box::new(source));
        ProjectError::Malformed { path, source }.into()
    })
}

struct Picking<'a> {
    request: &'a PythonRequest<'a>,
    project: &'a LockedProject,
    environment: MarkerEnvironment<'a>,
}

impl Picking<'_> {
    fn check_python(&self, pylock: &Pylock) -> Result<(), PythonError> {
        let Some(text) = &pylock.requires_python else { return Ok(()) };
        let wanted: imagewright_pypa::Specifiers =
            text.parse().map_err(|error| self.project.malformed(error))?;
        let target = self.request.target;
        if wanted.contains(&target.full_version()) {
            return Ok(());
        }
        let (path, wanted, target) =
            (self.project.path.clone(), wanted.to_string(), Box::new(target.clone()));
        Err(ProjectError::Python { path, wanted, target }.into())
    }

    fn is_meant(&self, package: &Package) -> Result<bool, PythonError> {
        let Some(text) = &package.marker else { return Ok(true) };
        let marker: Marker = text.parse().map_err(|error| self.project.malformed(error))?;
        Ok(marker.holds(&self.environment))
    }

    fn pin(&self, name: PackageName, package: &Package) -> Result<ProjectPin, PythonError> {
        let folder = self.project.folder(self.request.host);
        if let Some(source) = self.source(&name, package, &folder)? {
            return Ok(ProjectPin::Source(source));
        }
        let (_, version) = Selection::identity(package)?;
        let is_kept = !self.request.asked.options.ignore_installed
            && self.request.installed.iter().any(|(known, of)| *known == name && *of == version);
        if is_kept {
            return Ok(ProjectPin::Kept(name, version));
        }
        let (hashes, implied) = (BTreeMap::new(), BTreeSet::new());
        let selection = Selection {
            target: self.request.target,
            preference: self.request.target.preference(),
            folder: &folder,
            hashes: &hashes,
            require_hashes: false,
            implied: &implied,
        };
        let may_be_built = self.request.asked.options.may_be_built(&name);
        if let Some(archive) =
            package.sdist.as_ref().filter(|_| may_be_built && !selection.has_wheel(package))
        {
            let source = self.archive(&name, archive, &folder)?;
            return Ok(ProjectPin::Source(source));
        }
        let chosen = selection.choose(name, version, package)?;
        // Whoever locked it allows this file, and no other.
        let allowed = chosen.sha256.into_iter().collect();
        Ok(ProjectPin::Wheel(Box::new(ChosenPackage { requested: true, allowed, ..chosen })))
    }

    /// What is built, because there is no other way to have it.
    fn source(
        &self,
        name: &PackageName,
        package: &Package,
        folder: &Path,
    ) -> Result<Option<Requirement>, PythonError> {
        if let Some(Directory { path, subdirectory }) = &package.directory {
            let target = folder.join(path);
            return Ok(Some(self.requirement(name, &local::target(&target), &[], subdirectory.as_deref())));
        }
        if let Some(repository) = &package.vcs {
            let Repository { kind, url, path, commit_id, subdirectory } = repository;
            let local = path.as_ref().map(|path| local::address(&folder.join(path)));
            let url = url.clone().or(local).filter(|_| kind == "git");
            let url = url.ok_or_else(|| self.project.wrong(name.clone(), PackageProblem::Repository))?;
            let target = format!("git+{}@{commit_id}", repository::address(&url));
            return Ok(Some(self.requirement(name, &target, &[], subdirectory.as_deref())));
        }
        let is_wheel =
            |file: &File| file.filename().is_some_and(|name| name.parse::<WheelFilename>().is_ok());
        match &package.archive {
            Some(file) if !is_wheel(file) => self.archive(name, file, folder).map(Some),
            None if package.wheels.is_empty() && package.sdist.is_none() => {
                Err(self.project.wrong(name.clone(), PackageProblem::Nowhere))
            }
            Some(_) | None => Ok(None),
        }
    }

    fn archive(&self, name: &PackageName, file: &File, folder: &Path) -> Result<Requirement, PythonError> {
        let local = file.path.as_ref().map(|path| local::target(&folder.join(path)));
        let target = local.or_else(|| file.url.clone());
        let target = target.ok_or_else(|| self.project.wrong(name.clone(), PackageProblem::Nowhere))?;
        let hashes: Vec<String> =
            file.hashes.get("sha256").into_iter().map(|digits| format!("sha256:{digits}")).collect();
        Ok(self.requirement(name, &target, &hashes, file.subdirectory.as_deref()))
    }

    fn requirement(
        &self,
        name: &PackageName,
        target: &str,
        hashes: &[String],
        subdirectory: Option<&str>,
    ) -> Requirement {
        let target = target.split('#').next().unwrap_or(target);
        let subdirectory = subdirectory.map(|path| format!("#subdirectory={path}")).unwrap_or_default();
        let text = format!("{name} @ {target}{subdirectory}");
        let hashes = hashes.iter().map(|hash| format!(" --hash={hash}"));
        Requirement::new(&hashes.fold(text, |text, hash| text + &hash), self.project.origin())
    }
}
