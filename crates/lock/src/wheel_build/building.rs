use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use futures_util::FutureExt as _;
use futures_util::future::LocalBoxFuture;
use imagewright_debian::{Architecture, DebianLock, DebianName};
use imagewright_pypa::{PackageName, TargetPython, Version};
use imagewright_spec::ProjectLock;

use super::wheels::{Place, Wheels};
use super::{BuildRoot, BuiltWheel, Project, SourceError, SourceFetcher, SourcePin, WheelBuild};
use crate::LockError;
use crate::completion::complete;
use crate::debian::Purpose;
use crate::document::{BaseLock, InterpreterSource};
use crate::locker::Locker;
use crate::python::{
    Asked, ChosenPackage, Finding, Index, IndexPages, Lacking, LockedPackage, LockedProject, Origin,
    ProjectPin, ProjectPins, PythonError, PythonRequest, PythonResolution, Requirement, SourceRequirement,
    WheelSource, holds, pins, resolve, sdist,
};

/// Resolves packages, and builds those that have no wheel.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Building<'a> {
    pub(crate) locker: &'a Locker<'a>,
    pub(crate) root: BuildRoot<'a>,
    pub(crate) target: &'a TargetPython,
    /// A Python that uv may ask for its own bearings where this machine has none.
    pub(crate) bearings: Option<&'a Path>,
    /// What was pinned before.
    pub(crate) previous: &'a [LockedPackage],
}

/// Whether a distribution only says that another one was meant.
fn is_misnomer(error: &PythonError, wanted: &PackageName) -> bool {
    let PythonError::Unresolvable { findings, .. } = error else { return false };
    findings.iter().any(|finding| matches!(finding, Finding::Misnomer { name, .. } if name == wanted))
}

/// The sources that are being built, the outermost first.
type Stack = Vec<String>;

impl<'a> Building<'a> {
    /// The packages of an image.
    pub(crate) async fn resolve(
        &self,
        mut asked: Asked,
        installed: &[(PackageName, Version)],
    ) -> Result<PythonResolution, LockError> {
        let Some(project) = asked.project.take() else {
            return self.resolved(asked, installed, self.previous, &Stack::new()).await;
        };
        let mut locked = self.locked(&project, &asked, installed).await?;
        let of_wheels = locked.packages.iter().map(|package| (package.name.clone(), package.version.clone()));
        let fixed: BTreeMap<PackageName, Version> = of_wheels.chain(locked.kept.iter().cloned()).collect();
        // What the lock has, it has of pip, too.
        asked
            .requirements
            .retain(|it| !it.is_implied() || it.name().is_none_or(|name| !fixed.contains_key(&name)));
        if asked.requirements.is_empty() && asked.with.is_empty() {
            return Ok(locked);
        }
        let origin = project.path.display().to_string();
        let lines = fixed.iter().map(|(name, version)| format!("{name}=={version}"));
        asked.constraints.extend(lines.map(|line| Requirement::of_field(&line, &origin)));
        // What the lock has is there, wherever it is from; the base may be told to count for nothing.
        let is_ignored = std::mem::take(&mut asked.options.ignore_installed);
        let others = installed.iter().filter(|(name, _)| !is_ignored && !fixed.contains_key(name)).cloned();
        let there: Vec<(PackageName, Version)> = others.chain(fixed.clone()).collect();
        let mut further = self.resolved(asked, &there, self.previous, &Stack::new()).await?;
        further.packages.retain(|package| !fixed.contains_key(&package.name));
        further.kept.retain(|(name, _)| !fixed.contains_key(name));
        locked.extend(further);
        locked.packages.sort_by(|a, b| a.name.cmp(&b.name));
        locked.kept.sort();
        Ok(locked)
    }

    /// The packages of a project, as they are locked.
    async fn locked(
        &self,
        project: &LockedProject,
        asked: &Asked,
        installed: &[(PackageName, Version)],
    ) -> Result<PythonResolution, LockError> {
        let Locker { store, .. } = self.locker;
        let (cache, scratch, wheels) = (store.cache("uv")?, store.scratch_directory()?, Wheels::new(store)?);
        let python = self.python_for(project).await;
        let request = PythonRequest {
            interpreter: python.as_deref(),
            ..self.request(asked, installed, self.previous, &wheels, (&cache, scratch.path()))
        };
        let ProjectPins { pins, warnings } = pins(self.locker.uv().await, &request, project).await?;
        let mut resolution = PythonResolution { warnings, ..PythonResolution::default() };
        let mut lines: Vec<(Option<Index>, Vec<Requirement>)> = Vec::new();
        for pin in pins {
            match pin {
                ProjectPin::Wheel(package) => resolution.packages.push(*package),
                ProjectPin::Kept(name, version) => resolution.kept.push((name, version)),
                ProjectPin::Line(requirement, index) => {
                    match lines.iter_mut().find(|(known, _)| *known == index) {
                        Some((_, lines)) => lines.push(requirement),
                        None => lines.push((index, vec![requirement])),
                    }
                }
                ProjectPin::Source(requirement) => resolution.packages.push(self.source(requirement).await?),
            }
        }
        for (index, requirements) in lines {
            let found = self.pinned(index, requirements, asked, installed).await?;
            resolution.extend(found);
        }
        resolution.packages.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(resolution)
    }

    /// The Python that uv is told of to hold a lock against its project: it has to be one that the project is for, which
    /// that of the image is, and that of this machine need not be.
    async fn python_for(&self, project: &LockedProject) -> Option<PathBuf> {
        if self.bearings.is_some() || project.lock != ProjectLock::Uv || project.choice.unchecked {
            return self.bearings.map(Path::to_owned);
        }
        // Where it is not to be had, uv looks for another, and what it then does not check is told.
        self.locker.builder.python(self.root).await.ok().flatten()
    }

    /// The packages that these lines are about, each from the index that has it.
    async fn pinned(
        &self,
        index: Option<Index>,
        requirements: Vec<Requirement>,
        asked: &Asked,
        installed: &[(PackageName, Version)],
    ) -> Result<PythonResolution, LockError> {
        let mut indexes = asked.indexes.clone();
        if let Some(index) = index {
            (indexes.default, indexes.no_index) = (Some(index), false);
            indexes.additional.clear();
        }
        let origin = Origin::Field { name: "requirements".to_owned() };
        let options = asked.options.clone().without_dependencies(origin);
        let asked = Asked { requirements, options, indexes, ..Asked::default() };
        self.resolved(asked, installed, self.previous, &Stack::new()).await
    }

    /// The wheel that is built for a requirement of a lock.
    async fn source(&self, requirement: Requirement) -> Result<ChosenPackage, LockError> {
        let wanted = requirement.source(self.locker.host)?;
        let wanted = wanted.ok_or(PythonError::NeedsBuild { requirement })?;
        let (BuiltWheel { filename, sha256, size }, build) = self.built(&wanted, &Stack::new()).await?;
        Ok(ChosenPackage {
            name: filename.name().clone(),
            version: filename.version().clone(),
            filename,
            source: WheelSource::Built(Box::new(build)),
            sha256: Some(sha256),
            size: Some(size),
            allowed: Vec::new(),
            requested: true,
            required_by: Vec::new(),
        })
    }

    async fn resolved(
        &self,
        mut asked: Asked,
        installed: &[(PackageName, Version)],
        previous: &[LockedPackage],
        stack: &Stack,
    ) -> Result<PythonResolution, LockError> {
        let Locker { store, host, .. } = *self.locker;
        let mut wheels = Wheels::new(store)?;
        for requirement in std::mem::take(&mut asked.requirements) {
            let wanted = match requirement.source(host)? {
                None => requirement,
                Some(source) if !self.is_wanted(&source, &wheels).await? => continue,
                Some(source) => self.direct(&source, &mut wheels, stack).await?,
            };
            asked.requirements.push(wanted);
        }
        let (further, there) = asked.take_further(self.target, installed);
        for requirement in further {
            let wanted = match requirement.source(host)? {
                None => requirement,
                Some(source) => self.direct(&source, &mut wheels, stack).await?,
            };
            asked.requirements.push(wanted);
        }
        let links = asked.indexes.find_links.clone();
        loop {
            asked.indexes.find_links = links.iter().cloned().chain(wheels.index()).collect();
            let error = match self.ask(&asked, installed, previous, &wheels).await? {
                Ok(mut resolution) => {
                    let packages = std::mem::take(&mut resolution.packages);
                    resolution.packages = packages.into_iter().map(|package| wheels.told(package)).collect();
                    resolution.there = there;
                    return Ok(resolution);
                }
                Err(error) => error,
            };
            let PythonError::Unresolvable { lacking, .. } = &error else { return Err(error.into()) };
            let is_open = |one: &&Lacking| {
                let is_tried = wheels.names().contains(&one.name) || is_misnomer(&error, &one.name);
                !is_tried && asked.options.may_be_built(&one.name)
            };
            let lacking: Vec<&Lacking> = lacking.iter().filter(is_open).collect();
            let mut is_new = false;
            for one in lacking {
                is_new |= self.archived(one, &asked, previous, &mut wheels, stack).await?;
            }
            if !is_new {
                return Err(error.into());
            }
        }
    }

    async fn ask(
        &self,
        asked: &Asked,
        installed: &[(PackageName, Version)],
        previous: &[LockedPackage],
        wheels: &Wheels,
    ) -> Result<Result<PythonResolution, PythonError>, LockError> {
        let store = self.locker.store;
        let scratch = store.scratch_directory()?;
        let cache = store.cache("uv")?;
        let request = self.request(asked, installed, previous, wheels, (&cache, scratch.path()));
        Ok(resolve(self.locker.uv().await, &request).await)
    }

    fn request<'r>(
        &'r self,
        asked: &'r Asked,
        installed: &'r [(PackageName, Version)],
        previous: &'r [LockedPackage],
        wheels: &'r Wheels,
        (cache, scratch): (&'r Path, &'r Path),
    ) -> PythonRequest<'r> {
        PythonRequest {
            asked,
            target: self.target,
            installed,
            previous,
            built: wheels.names(),
            refresh: self.locker.refresh,
            offline: self.locker.offline,
            interpreter: self.bearings,
            cache,
            scratch,
            host: self.locker.host,
        }
    }

    /// Whether a requirement is one for the target: nothing is built for another.
    async fn is_wanted(&self, source: &SourceRequirement, wheels: &Wheels) -> Result<bool, LockError> {
        let Some(marker) = &source.marker else { return Ok(true) };
        let store = self.locker.store;
        let (cache, scratch) = (store.cache("uv")?, store.scratch_directory()?);
        let asked = Asked { indexes: self.locker.asked.indexes.clone(), ..Asked::default() };
        let request = self.request(&asked, &[], &[], wheels, (&cache, scratch.path()));
        Ok(holds(self.locker.uv().await, &request, marker).await?)
    }

    /// Builds what a requirement names; it is about the wheel then.
    async fn direct(
        &self,
        wanted: &SourceRequirement,
        wheels: &mut Wheels,
        stack: &Stack,
    ) -> Result<Requirement, LockError> {
        let (wheel, build) = self.built(wanted, stack).await?;
        let name = wheel.filename.name().clone();
        let path = wheels.add(self.locker.store, Place::Direct, &wheel, build)?;
        Ok(wanted.on_wheel(&name, &path))
    }

    async fn built(
        &self,
        wanted: &SourceRequirement,
        stack: &Stack,
    ) -> Result<(BuiltWheel, WheelBuild), LockError> {
        let pin = match self.known(wanted) {
            Some(pin) => pin,
            None => self.fetcher().pin(wanted).await?,
        };
        let (wheel, build) = self.build(pin, wanted.subdirectory.clone(), stack).await?;
        let name = wheel.filename.name().clone();
        if let Some(asked) = wanted.requirement.name().filter(|asked| *asked != name) {
            let source_name = build.source.to_string();
            return Err(SourceError::OtherName { source_name, found: name, wanted: asked }.into());
        }
        Ok((wheel, build))
    }

    /// Builds the archive that an index has of a distribution without a wheel; whether it has any.
    async fn archived(
        &self,
        lacking: &Lacking,
        asked: &Asked,
        previous: &[LockedPackage],
        wheels: &mut Wheels,
        stack: &Stack,
    ) -> Result<bool, LockError> {
        let Locker { store, downloads, .. } = self.locker;
        let (cache, scratch) = (store.cache("uv")?, store.scratch_directory()?);
        let request = self.request(asked, &[], previous, wheels, (&cache, scratch.path()));
        let pages = IndexPages { store, downloads };
        let Some(found) = sdist(self.locker.uv().await, &request, pages, lacking).await? else {
            return Ok(false);
        };
        let pin = self.fetcher().pin(&found).await?;
        let (wheel, build) = self.build(pin, None, stack).await?;
        wheels.add(store, Place::Index, &wheel, build)?;
        Ok(true)
    }

    /// The wheel of a source, and all that it was built from. Boxed, because what a build needs may have to be built.
    fn build<'s>(
        &'s self,
        source: SourcePin,
        subdirectory: Option<String>,
        stack: &'s Stack,
    ) -> LocalBoxFuture<'s, Result<(BuiltWheel, WheelBuild), LockError>> {
        async move {
            let mut stack = stack.clone();
            let identity = format!("{} {}", source.identity(), subdirectory.as_deref().unwrap_or_default());
            if stack.contains(&identity) {
                return Err(SourceError::Circle { source_name: source.to_string() }.into());
            }
            stack.push(identity);
            // What was pinned before needs no source as long as its wheel is there.
            let is_same = |known: &&WheelBuild| known.source == source && known.subdirectory == subdirectory;
            if let Some(known) = self.builds().find(is_same)
                && let Some(wheel) =
                    self.locker.builder.known(self.root, known).map_err(LockError::builder)?
            {
                return Ok((wheel, known.clone()));
            }
            let mut build = WheelBuild { source, subdirectory, requirements: Vec::new(), tools: None };
            let project = {
                let laid_out = self.fetcher().lay_out(&build).await?;
                Project::read(&laid_out, &build)?
            };
            build.tools = self.tools(&project, &build.source).await?;
            let (root, builder) = (self.root, self.locker.builder);
            build.requirements = self.requirements(&project.requires, &build, &stack).await?;
            let further = builder.requirements(root, &build).await.map_err(LockError::builder)?;
            if !further.is_empty() {
                let all = [project.requires, further].concat();
                build.requirements = self.requirements(&all, &build, &stack).await?;
            }
            let wheel = builder.wheel(root, &build).await.map_err(LockError::builder)?;
            Ok((wheel, build))
        }
        .boxed_local()
    }

    /// Pins what a build needs: wheels, for the interpreter of the image.
    async fn requirements(
        &self,
        texts: &[String],
        build: &WheelBuild,
        stack: &Stack,
    ) -> Result<Vec<LockedPackage>, LockError> {
        if texts.is_empty() {
            return Ok(Vec::new());
        }
        let origin = format!("the build of {build}");
        let asked = Asked {
            requirements: texts.iter().map(|text| Requirement::of_field(text, &origin)).collect(),
            indexes: self.locker.asked.indexes.clone(),
            options: self.locker.asked.options.of_builds(),
            ..Asked::default()
        };
        let is_same = |other: &&WheelBuild| {
            other.source.identity() == build.source.identity() && other.subdirectory == build.subdirectory
        };
        let previous = self.builds().find(is_same).map_or(&[][..], |other| &other.requirements);
        let resolution = self.resolved(asked, &[], previous, stack).await?;
        complete(self.locker.downloads, resolution.packages).await
    }

    /// What a project needs of the system, for a base that is Debian's packages; any other has its own: a compiler and
    /// the headers of the interpreter, and git where there is a history to read.
    async fn tools(&self, project: &Project, source: &SourcePin) -> Result<Option<DebianLock>, LockError> {
        let BaseLock::Debian { packages } = &self.root.lock.base else { return Ok(None) };
        let architecture = Architecture::try_from(self.root.platform)?;
        let is_debians = matches!(self.root.lock.interpreter.source, InterpreterSource::Debian);
        let compiler = if is_debians { Purpose::ToolsForPython } else { Purpose::Tools };
        let reads_history = project.reads_history && matches!(source, SourcePin::Git { .. });
        let mut known: BTreeSet<DebianName> = packages.packages.iter().map(|it| it.name.clone()).collect();
        let mut tools: Option<DebianLock> = None;
        for (purpose, is_needed) in [(compiler, project.is_compiled), (Purpose::Git, reads_history)] {
            if is_needed {
                let mut further = self.locker.debian.solve(packages.suite, architecture, purpose).await?;
                further.packages.retain(|package| known.insert(package.name.clone()));
                match &mut tools {
                    Some(tools) => tools.packages.extend(further.packages),
                    None => tools = Some(further),
                }
            }
        }
        Ok(tools)
    }

    /// What was pinned before for the same words, so that a branch stays where it was.
    fn known(&self, wanted: &SourceRequirement) -> Option<SourcePin> {
        self.builds().map(|build| &build.source).find(|pin| wanted.is_git_of(pin)).cloned()
    }

    fn builds(&self) -> impl Iterator<Item = &'a WheelBuild> {
        self.previous.iter().filter_map(|package| match &package.source {
            WheelSource::Built(build) => Some(&**build),
            WheelSource::Url(_) | WheelSource::Path(_) => None,
        })
    }

    fn fetcher(&self) -> SourceFetcher<'_> {
        let Locker { store, downloads, host, left_out, offline, .. } = *self.locker;
        SourceFetcher { store, downloads, indexes: &self.locker.asked.indexes, host, left_out, offline }
    }
}
