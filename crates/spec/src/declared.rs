//! All that the user wrote and every local file it reaches, as one digest (design D10).

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use imagewright_oci::{Digest, Hasher, canonical_json};
use imagewright_pypa::PackageName;
use serde::{Deserialize, Serialize};

use crate::project_lock::Locked;
use crate::requirements::{
    self, Environment, LineKind, OptionValue, RequirementLine, Requirements, RequirementsError, distribution,
    editable_target, local_path, split_options,
};
use crate::served::{PYTHON, PYTHON_BY_DEFAULT, WITH};
use crate::source_tree::{folder_files, read_chunks};
use crate::sources::{Source, SourceEntry, SourceTree, Sources, clean, project, sources};
use crate::{BaseImage, Field, ImageSpec, LocalFormat, LocalImage, ProjectLock, SpecError};

/// What a spec reaches beside its text, and where from.
#[derive(Clone, Copy, Debug)]
pub struct DeclaredContext<'a> {
    /// What relative paths are relative to.
    pub directory: &'a Path,
    /// The Python that an image without `python_version` and without a base gets.
    pub python: Option<DeclaredPython<'a>>,
    /// Further requirements, which a front end asks for; those of what the spec asks for itself count for nothing.
    pub with: &'a [String],
    /// For `${NAME}` in requirements files.
    pub environment: &'a Environment,
    /// Files that are about the image and not of it, its lock: they are not copied with the folder they are in.
    pub left_out: &'a [PathBuf],
}

/// A Python minor such as `3.12`, and whether an image that has another one does not serve.
#[derive(Clone, Copy, Debug)]
pub enum DeclaredPython<'a> {
    /// Somebody chose it.
    Chosen(&'a str),
    /// It is the machine's, for want of a choice.
    ByDefault(&'a str),
}

/// The digest of all inputs of an image that are written down or on this machine, and of each of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Declared {
    /// Of the canonical JSON of `inputs`.
    pub digest: Digest,
    /// By a name that a user knows it by: `spec`, `python`, `requirements/base.txt`, …
    pub inputs: BTreeMap<String, Digest>,
}

/// What the image of `spec` depends on, before anything is resolved, and what of it is copied.
///
/// Equal on every machine that has the same spec and files: names of files are relative to the working directory,
/// where they are below it. Left out is what does not change the image: how the package secrets are mounted, the
/// builder, packages installed at run time, the credentials' file, and where an equal source root is.
pub fn declared(spec: &ImageSpec, context: &DeclaredContext<'_>) -> Result<(Declared, Sources), SpecError> {
    let (mut inputs, sources) = reached(spec, context)?;
    inputs.with()?;
    let digest = Digest::of(&canonical_json(&inputs.digests));
    Ok((Declared { digest, inputs: inputs.digests }, sources))
}

/// What a spec and its base reach.
fn reached<'a>(
    spec: &ImageSpec,
    context: &'a DeclaredContext<'a>,
) -> Result<(Inputs<'a>, Sources), SpecError> {
    let mut inputs = Inputs::new(context);
    inputs.spec(spec)?;
    let sources = sources(spec, context.directory, context.left_out)?;
    let trees = sources.iter().map(|(name, Source { tree, .. })| (name.clone(), tree.digest()));
    inputs.digests.extend(trees);
    Ok((inputs, sources))
}

struct Inputs<'a> {
    context: &'a DeclaredContext<'a>,
    digests: BTreeMap<String, Digest>,
    /// What has which name, of files and folders.
    places: BTreeMap<String, PathBuf>,
    /// The distributions that are asked for, of the base too; without those that a marker may leave out.
    asked: BTreeSet<PackageName>,
}

impl<'a> Inputs<'a> {
    fn new(context: &'a DeclaredContext<'a>) -> Self {
        Self { context, digests: BTreeMap::new(), places: BTreeMap::new(), asked: BTreeSet::new() }
    }

    /// What a front end asks for besides. A version is part of the name, so that it can be told; an address may have a
    /// password in it.
    fn with(&mut self) -> Result<(), SpecError> {
        let mut further = Inputs::new(self.context);
        for text in self.context.with {
            let name = distribution(text);
            if name.as_ref().is_some_and(|name| self.asked.contains(name)) {
                continue;
            }
            if local_path(text).is_some() {
                further.local(Field::Packages, text)?;
                continue;
            }
            let is_plain = !text.contains(['@', '/', ':']);
            let shown = if is_plain { Some(text.clone()) } else { name.map(|name| name.to_string()) };
            let shown = shown.unwrap_or_else(|| "an address".to_owned());
            let numbered = (2..).map(|count| format!("{shown} ({count})"));
            let free =
                std::iter::once(shown.clone()).chain(numbered).find(|it| !further.digests.contains_key(it));
            further.text(&free.expect("there is always another number"), text);
        }
        self.digests
            .extend(further.digests.into_iter().map(|(name, digest)| (format!("{WITH}{name}"), digest)));
        Ok(())
    }

    fn spec(&mut self, spec: &ImageSpec) -> Result<(), SpecError> {
        let mut identity = spec.identity.without(Field::RegistryConfig).without(Field::SourceRoot);
        if let Some(BaseImage::Spec(base)) = &spec.base_image {
            let (base, _) = reached(base, self.context)?;
            identity = identity.without(Field::BaseImage);
            if continues_base(spec) {
                self.asked.extend(base.asked);
            }
            let named =
                base.digests.into_iter().map(|(name, digest)| (format!("base_image: {name}"), digest));
            self.digests.extend(named);
        }
        self.text("spec", &identity.to_python().to_string());
        if let (None, None, Some(python)) = (&spec.python_version, &spec.base_image, self.context.python) {
            let (name, minor) = match python {
                DeclaredPython::Chosen(minor) => (PYTHON, minor),
                DeclaredPython::ByDefault(minor) => (PYTHON_BY_DEFAULT, minor),
            };
            self.text(name, minor);
        }
        if let Some(BaseImage::Local(image)) = &spec.base_image {
            self.local_image(image)?;
        }
        self.packages(spec)
    }

    /// Of a layout its index, which has the digests of all that is in it; of an archive all bytes.
    fn local_image(&mut self, image: &LocalImage) -> Result<(), SpecError> {
        let path = image.index_file();
        if image.format != LocalFormat::OciLayout {
            return self.file(Field::BaseImage, &path);
        }
        let index = fs_err::read(self.context.directory.join(&path)).map_err(|source| SpecError::File {
            field: Field::BaseImage,
            path,
            source,
        })?;
        let name = self.name(&image.path);
        self.digests.insert(name, image.declared_in(&index));
        Ok(())
    }

    fn packages(&mut self, spec: &ImageSpec) -> Result<(), SpecError> {
        if let Some(path) = &spec.requirements {
            if let Some(lock) = ProjectLock::of(path) {
                self.project(lock, path, spec)?;
            } else {
                let read = requirements::read(path, self.context.directory, self.context.environment);
                self.requirements(read.map_err(|error| match error {
                    RequirementsError::Read { file, source } => {
                        SpecError::file(Field::Requirements, file, source)
                    }
                    source => SpecError::Requirements { source },
                })?)?;
            }
        }
        for package in &spec.packages {
            // What is wrong with a line is the resolver's to say.
            let lines = requirements::parse(package, Path::new(""), self.context.environment);
            for line in lines.unwrap_or_default() {
                self.line(Field::Packages, &line)?;
            }
        }
        self.arguments(spec.pip_extra_args.as_deref().unwrap_or_default())
    }

    /// A lock, the description of its project, and what of this machine is installed with it.
    fn project(&mut self, lock: ProjectLock, path: &Path, spec: &ImageSpec) -> Result<(), SpecError> {
        let field = Field::Requirements;
        self.file(field, path)?;
        let pyproject = lock.pyproject(path);
        if let Some(pyproject) = &pyproject {
            self.file(field, pyproject)?;
        }
        let folder = path.parent().unwrap_or(Path::new(""));
        let shown = if folder.as_os_str().is_empty() { Path::new(SourceTree::TOP) } else { folder };
        if spec.builder_options.install_project {
            self.local_at(field, shown)?;
        }
        let text =
            |path: &Path| fs_err::read_to_string(self.context.directory.join(path)).unwrap_or_default();
        let locked = Locked::read(&text(path));
        if !self.context.with.is_empty() && !is_narrowed(spec) {
            self.asked.extend(locked.installed(pyproject.as_deref().map(text).as_deref()));
        }
        for source in locked.local_sources() {
            let source = folder.join(source);
            // What is not there may be in a group that is not installed; if it is, that is told later.
            if self.context.directory.join(&source).exists() {
                self.local_at(field, &source)?;
            }
        }
        Ok(())
    }

    fn requirements(&mut self, read: Requirements) -> Result<(), SpecError> {
        for file in read.files {
            let name = self.name(&file.path);
            self.digests.insert(name, file.digest);
        }
        for line in read.lines {
            // The lines of an included file are among them.
            if !matches!(line.kind, LineKind::Include { .. } | LineKind::Constraints { .. }) {
                self.line(Field::Requirements, &line)?;
            }
        }
        Ok(())
    }

    /// What a line of a requirements file, or of `packages`, reaches.
    fn line(&mut self, field: Field, line: &RequirementLine) -> Result<(), SpecError> {
        let (directory, environment) = (self.context.directory, self.context.environment);
        let read = match &line.kind {
            LineKind::Requirement { requirement, .. } => {
                if !line.constraint && !requirement.contains(';') {
                    self.asked.extend(distribution(requirement));
                }
                for (name, value) in &line.variables {
                    self.text(&format!("${{{name}}}"), value);
                }
                return self.local(field, requirement);
            }
            LineKind::Option(OptionValue { name, value: Some(value) }) if name == "--find-links" => {
                return self.links(field, value);
            }
            LineKind::Option(OptionValue { name, value: Some(value) }) if is_overrides(name) => {
                return self.overrides(value);
            }
            LineKind::Include { target } | LineKind::Constraints { target } if target.contains("://") => {
                return Ok(());
            }
            LineKind::Include { target } => requirements::read(Path::new(target), directory, environment),
            LineKind::Constraints { target } => {
                requirements::read_constraints(Path::new(target), directory, environment)
            }
            LineKind::Editable { target } => return self.local(field, &editable_target(target)),
            LineKind::Option(_) => return Ok(()),
        };
        self.requirements(read.map_err(|source| SpecError::Requirements { source })?)
    }

    /// Files that arguments of the installation name; what is wrong with the others is the resolver's to say.
    fn arguments(&mut self, text: &str) -> Result<(), SpecError> {
        for option in split_options(text).unwrap_or_default() {
            let Some(value) = option.value else { continue };
            let path = Path::new(&value);
            let read = match option.name.as_str() {
                _ if value.contains("://") => continue,
                "--find-links" => {
                    self.links(Field::PipExtraArgs, &value)?;
                    continue;
                }
                name if is_overrides(name) => {
                    self.overrides(&value)?;
                    continue;
                }
                "--constraint" => {
                    requirements::read_constraints(path, self.context.directory, self.context.environment)
                }
                "--requirement" => requirements::read(path, self.context.directory, self.context.environment),
                _ => continue,
            };
            self.requirements(read.map_err(|source| SpecError::Requirements { source })?)?;
        }
        Ok(())
    }

    /// The file of `--overrides`, once: a file may name itself. What is wrong with it is the resolver's to say.
    fn overrides(&mut self, value: &str) -> Result<(), SpecError> {
        let path = Path::new(value);
        let name = self.name(path);
        if value.contains("://") || self.digests.contains_key(&name) {
            return Ok(());
        }
        let read = requirements::read(path, self.context.directory, self.context.environment);
        self.requirements(read.unwrap_or_default())
    }

    /// A wheel or other archive of this machine, or a folder that is built.
    fn local(&mut self, field: Field, requirement: &str) -> Result<(), SpecError> {
        local_path(requirement).map_or(Ok(()), |path| self.local_at(field, &path))
    }

    fn local_at(&mut self, field: Field, path: &Path) -> Result<(), SpecError> {
        if !self.context.directory.join(path).is_dir() {
            return self.file(field, path);
        }
        let Source { tree, .. } = project(field, path, self.context.directory, self.context.left_out)?;
        let name = clean(Path::new(&self.name(path)));
        self.digests.insert(format!("{name}/"), tree.digest());
        Ok(())
    }

    /// The archives in a folder of them, or a page that lists some.
    fn links(&mut self, field: Field, value: &str) -> Result<(), SpecError> {
        let path = Path::new(value);
        if value.contains("://") {
            return Ok(());
        }
        if !self.context.directory.join(path).is_dir() {
            return self.file(field, path);
        }
        let mut entries = BTreeMap::new();
        for file in folder_files(field, path, self.context.directory)? {
            let (digest, size) = read(field, &file.path, &file.path)?;
            entries.insert(file.relative, SourceEntry::File { executable: false, size, digest });
        }
        let name = self.name(path);
        self.digests.insert(name, SourceTree { entries }.digest());
        Ok(())
    }

    fn file(&mut self, field: Field, path: &Path) -> Result<(), SpecError> {
        let (digest, _) = read(field, path, &self.context.directory.join(path))?;
        let name = self.name(path);
        self.digests.insert(name, digest);
        Ok(())
    }

    fn text(&mut self, name: &str, text: &str) {
        self.digests.insert(name.to_owned(), Digest::of(text.as_bytes()));
    }

    /// The path below the working directory, or only the last part of it, so that machines agree on it. Of several
    /// with one name, the later ones in the spec are numbered.
    fn name(&mut self, path: &Path) -> String {
        let below =
            if path.is_absolute() { path.strip_prefix(self.context.directory).ok() } else { Some(path) };
        let shown = below.or_else(|| path.file_name().map(Path::new)).unwrap_or(path);
        let shown = shown.strip_prefix(".").unwrap_or(shown).display().to_string();
        let place = self.context.directory.join(path);
        let numbered = (2..).map(|count| format!("{shown} ({count})"));
        let is_free = |name: &String| match self.places.get(name) {
            Some(known) => *known == place,
            // Of what is not a file, such as the text of the spec.
            None => !self.digests.contains_key(name),
        };
        let name = std::iter::once(shown.clone()).chain(numbered).find(is_free);
        let name = name.expect("there is always another number");
        self.places.insert(name.clone(), place);
        name
    }
}

/// The digest and the size of the file at `place`, which `field` names `path`.
pub(crate) fn read(field: Field, path: &Path, place: &Path) -> Result<(Digest, u64), SpecError> {
    let (mut hasher, mut size) = (Hasher::new(), 0);
    let error = |source| SpecError::file(field, path.to_owned(), source);
    read_chunks(place, |bytes| {
        hasher.update(bytes);
        size += bytes.len() as u64;
    })
    .map_err(error)?;
    Ok((hasher.finish(), size))
}

/// Whether an option names a file of requirements that take the place of others.
fn is_overrides(option: &str) -> bool {
    matches!(option, "--override" | "--overrides")
}

/// Whether packages of the base are there for this spec's Python, as far as that can be told before the base is read.
fn continues_base(spec: &ImageSpec) -> bool {
    let arguments = spec.pip_extra_args.as_deref().unwrap_or_default();
    spec.python_version.is_none()
        && spec.python_exec.is_none()
        && !arguments.split_whitespace().any(|word| ["--ignore-installed", "-I"].contains(&word))
}

/// Whether arguments leave out of a locked project what is installed otherwise.
fn is_narrowed(spec: &ImageSpec) -> bool {
    const NARROWING: [&str; 4] = ["--only", "--without", "--package", "--no-install"];
    let arguments = spec.pip_extra_args.as_deref().unwrap_or_default();
    arguments.split_whitespace().any(|word| NARROWING.iter().any(|option| word.starts_with(option)))
}
