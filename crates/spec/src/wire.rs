//! A document to a spec: the one place where what was written becomes typed, with every problem collected.

use std::path::PathBuf;

use imagewright_pypa::{PythonMinor, PythonVersion};
use indexmap::IndexMap;

use crate::builder_config::builder_config;
use crate::builder_options::builder_options;
use crate::identity::Identity;
use crate::node::{Content, Key, Node, Scalar};
use crate::reader::{Reader, nearest};
use crate::secret::secret_mounts;
use crate::{
    BaseImage, BuilderName, FIELDS, Field, ImageSpec, Overrides, ParseOptions, Problem, ProblemKind,
    ProjectLock, PyValue, SourceCopyMode, Wanted, layers,
};
use crate::{platform, registry};

/// Which notation a document is in: Python's JSON carries an enumeration by its name, YAML can only hold a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Notation {
    Yaml,
    Json,
}

/// The spec that `node` describes, or all that is wrong with it.
pub(crate) fn image_spec(
    node: &Node,
    notation: Notation,
    options: &ParseOptions,
) -> Result<ImageSpec, Vec<Problem>> {
    let mut problems = Vec::new();
    let spec = Wire { notation, options, problems: &mut problems }.spec(node, "");
    match spec {
        Some(spec) if problems.is_empty() => Ok(spec),
        _ => Err(problems),
    }
}

struct Wire<'a> {
    notation: Notation,
    options: &'a ParseOptions,
    problems: &'a mut Vec<Problem>,
}

impl Wire<'_> {
    /// Nothing only when the node is no mapping; otherwise a spec, of use if no problem was added.
    fn spec(&mut self, node: &Node, path: &str) -> Option<ImageSpec> {
        let Content::Mapping(entries) = &node.content else {
            self.problems.push(Problem {
                path: path.trim_end_matches('.').to_owned(),
                position: node.position,
                kind: ProblemKind::WrongType { wanted: Wanted::Spec, got: node.describe(), written: None },
            });
            return None;
        };
        if layers::are_in(entries) {
            let content = Content::Mapping(layers::lower(entries, path, self.problems));
            return self.spec(&Node { position: node.position, content }, path);
        }
        let overridden =
            if path.is_empty() { overridden(entries, &self.options.overrides) } else { entries.clone() };
        let mut reader = Reader::new(path, &overridden, self.problems);
        let base_image = reader.node(Field::BaseImage);
        let spec = fields(&mut reader, self.notation, self.options);
        let Some(base) = base_image else { return Some(spec) };
        let (base_image, identity) = self.base_image(base, path);
        Some(ImageSpec { base_image, identity: spec.identity.with(Field::BaseImage, identity), ..spec })
    }

    /// The base, and what stands for it in the id.
    fn base_image(&mut self, node: &Node, path: &str) -> (Option<BaseImage>, PyValue) {
        let path = format!("{path}{}", Field::BaseImage);
        if let Content::Mapping(_) = node.content {
            let spec = self.spec(node, &format!("{path}."));
            let identity = spec.as_ref().map_or(PyValue::None, |spec| spec.identity.to_python());
            return (spec.map(|spec| BaseImage::Spec(Box::new(spec))), identity);
        }
        let kind = match node.as_str().map(base_image) {
            Some(Ok(base)) => return (base, node.python()),
            Some(Err(kind)) => kind,
            None => ProblemKind::WrongType {
                wanted: Wanted::ReferenceOrSpec,
                got: node.describe(),
                written: None,
            },
        };
        self.problems.push(Problem { path, position: node.position, kind });
        (None, PyValue::None)
    }
}

/// The entries, with those of the command line in the place of the written ones.
pub(crate) fn overridden(entries: &[(Key, Node)], overrides: &Overrides) -> Vec<(Key, Node)> {
    let mut entries = entries.to_vec();
    for (field, value) in [
        (Field::Name, &overrides.name),
        (Field::Registry, &overrides.registry),
        (Field::Platform, &overrides.platform),
        (Field::Builder, &overrides.builder),
    ] {
        let Some(value) = value else { continue };
        let node = Node { position: None, content: Content::Scalar(Scalar::string(value)) };
        match entries.iter_mut().find(|(key, _)| key.scalar.text == field.name()) {
            Some((_, existing)) => *existing = node,
            None => entries.push((Key { position: None, scalar: Scalar::string(field.name()) }, node)),
        }
    }
    entries
}

/// Everything but the base image.
fn fields(reader: &mut Reader<'_, '_>, notation: Notation, options: &ParseOptions) -> ImageSpec {
    let name =
        reader.node(Field::Name).map_or_else(|| Some("flytekit".to_owned()), |_| reader.text(Field::Name));
    let name = reader.check(Field::Name, name, |text| registry::name(&text)).unwrap_or_default();
    let registry = reader.non_empty_text(Field::Registry);
    let registry = reader.check(Field::Registry, registry, |text| registry::registry(&text));
    let platforms = platforms(reader, registry.as_deref(), options);
    let source_root = reader.non_empty_text(Field::SourceRoot).map(PathBuf::from);
    let source_copy_mode = source_copy_mode(reader);
    let builder = reader.non_empty_text(Field::Builder);
    let builder = reader.check(Field::Builder, builder, |text| builder_name(&text)).unwrap_or_default();
    let python_version = reader.text_or_number(Field::PythonVersion);
    let spec = ImageSpec {
        identity: Identity::new(reader, notation, &name, registry.as_deref(), &platforms.1),
        name,
        python_version: reader.check(Field::PythonVersion, python_version, |text| python(&text)),
        builder,
        source_root,
        env: env(reader),
        registry,
        packages: reader.texts(Field::Packages),
        conda_packages: reader.texts(Field::CondaPackages),
        conda_channels: reader.texts(Field::CondaChannels),
        requirements: reader.non_empty_text(Field::Requirements).map(PathBuf::from),
        apt_packages: reader.texts(Field::AptPackages),
        cuda: reader.text_or_number(Field::Cuda),
        cudnn: reader.text_or_number(Field::Cudnn),
        base_image: None,
        platforms: platforms.0,
        states_platforms: reader.node(Field::Platform).is_some(),
        pip_index: reader.non_empty_text(Field::PipIndex),
        pip_extra_index_url: reader.texts(Field::PipExtraIndexUrl),
        pip_secret_mounts: secret_mounts(reader),
        pip_extra_args: reader.non_empty_text(Field::PipExtraArgs),
        registry_config: reader.non_empty_text(Field::RegistryConfig).map(PathBuf::from),
        entrypoint: reader.node(Field::Entrypoint).map(|_| reader.texts(Field::Entrypoint)),
        commands: reader.texts(Field::Commands),
        tag_format: reader.non_empty_text(Field::TagFormat),
        source_copy_mode,
        loaded_modules: None,
        copy: copy(reader),
        python_exec: reader.non_empty_text(Field::PythonExec),
        runtime_packages: reader.texts(Field::RuntimePackages),
        builder_options: builder_options(reader, builder),
        builder_config: builder_config(reader, builder),
    };
    check_together(reader, &spec);
    spec
}

fn check_together(reader: &mut Reader<'_, '_>, spec: &ImageSpec) {
    if spec.source_copy_mode != SourceCopyMode::NoCopy && spec.source_root.is_none() {
        reader.problem(Field::SourceCopyMode, ProblemKind::NoSourceRoot);
    }
    if spec.project_lock().is_some() && !spec.packages.is_empty() {
        let reason = "add the packages to the project that the lock is of, and lock it again";
        reader.problem(Field::Packages, ProblemKind::Conflict { other: Field::Requirements, reason });
    }
    if spec.builder_options.install_project && !spec.project_lock().is_some_and(ProjectLock::has_project) {
        reader.problem_at(Field::BuilderOptions, ".install_project", None, ProblemKind::NoProject);
    }
    for (field, values) in
        [(Field::CondaPackages, &spec.conda_packages), (Field::CondaChannels, &spec.conda_channels)]
    {
        if spec.python_exec.is_some() && !values.is_empty() {
            let reason = "conda packages bring a Python of their own: leave one of the two out";
            reader.problem(field, ProblemKind::Conflict { other: Field::PythonExec, reason });
        }
    }
}

/// The platforms, and the text that flytekit has for them.
fn platforms(
    reader: &mut Reader<'_, '_>,
    registry: Option<&str>,
    options: &ParseOptions,
) -> (Vec<imagewright_oci::Platform>, String) {
    let text = match reader.node(Field::Platform) {
        Some(_) => reader.text(Field::Platform),
        None => Some(platform::default(registry, options.host).to_owned()),
    };
    let text = text.unwrap_or_default();
    if text.is_empty() {
        return (Vec::new(), text);
    }
    let platforms = reader.check(Field::Platform, Some(text.as_str()), platform::parse_list);
    (platforms.unwrap_or_default(), text)
}

fn source_copy_mode(reader: &mut Reader<'_, '_>) -> SourceCopyMode {
    if reader.node(Field::SourceCopyMode).is_none() {
        let has_root = reader.node(Field::SourceRoot).is_some();
        return if has_root { SourceCopyMode::LoadedModules } else { SourceCopyMode::NoCopy };
    }
    let text = reader.text(Field::SourceCopyMode);
    let mode = reader.check(Field::SourceCopyMode, text, |text| {
        SourceCopyMode::parse(&text).ok_or(ProblemKind::SourceCopyMode { text })
    });
    mode.unwrap_or_default()
}

const BUILDERS: &[(&str, BuilderName)] = &[
    ("native", BuilderName::Native),
    ("imagewright", BuilderName::Native),
    ("default", BuilderName::Native),
    ("docker", BuilderName::Docker),
    ("envd", BuilderName::Envd),
    ("noop", BuilderName::Noop),
    ("remote", BuilderName::Remote),
];

fn builder_name(text: &str) -> Result<BuilderName, ProblemKind> {
    let known = BUILDERS.iter().find(|(name, _)| *name == text);
    known.map(|(_, builder)| *builder).ok_or_else(|| ProblemKind::Builder {
        name: text.to_owned(),
        nearest: nearest(text, BUILDERS.iter().map(|(name, _)| *name)),
    })
}

fn python(text: &str) -> Result<PythonVersion, ProblemKind> {
    let old = || ProblemKind::OldPython { text: text.to_owned(), oldest: "3.8" };
    match text.parse::<PythonVersion>() {
        Ok(version) if version.minor < PythonMinor(8) => Err(old()),
        Ok(version) => Ok(version),
        Err(_) if text.starts_with("2.") => Err(old()),
        Err(_) => Err(ProblemKind::PythonVersion { text: text.to_owned() }),
    }
}

/// The variables, their values as they are written: `1.10` stays `1.10`, `yes` stays `yes`.
fn env(reader: &mut Reader<'_, '_>) -> IndexMap<String, String> {
    let mut variables = IndexMap::new();
    for (key, value) in reader.mapping(Field::Env) {
        let name = key.scalar.text.clone();
        if !is_environment_name(&name) {
            reader.problem_at(Field::Env, "", key.position, ProblemKind::EnvironmentName { name });
            continue;
        }
        if let Some(text) = reader.scalar_text(Field::Env, &format!(".{name}"), value) {
            variables.insert(name, text);
        }
    }
    variables
}

/// Kubernetes' rule, which every container runtime can carry.
pub(crate) fn is_environment_name(name: &str) -> bool {
    let is_inner = |b: u8| b.is_ascii_alphanumeric() || b"_.-".contains(&b);
    !name.is_empty() && !name.as_bytes()[0].is_ascii_digit() && name.bytes().all(is_inner)
}

fn copy(reader: &mut Reader<'_, '_>) -> Vec<PathBuf> {
    let paths = reader.texts(Field::Copy);
    for (index, path) in paths.iter().enumerate() {
        if path.is_empty() {
            reader.problem_in(Field::Copy, index, ProblemKind::Empty);
        } else if let Some(why) = outside(path) {
            reader.problem_in(Field::Copy, index, ProblemKind::OutsidePath { path: path.clone(), why });
        }
    }
    paths.into_iter().map(PathBuf::from).collect()
}

/// Why a path is not one below the working directory.
pub(crate) fn outside(path: &str) -> Option<&'static str> {
    if path.starts_with('/') {
        Some("is absolute")
    } else if path.split('/').any(|part| part == "..") {
        Some("has a `..` in it")
    } else {
        None
    }
}

/// A base image by name; nothing when the text is empty, which flytekit takes for unset.
fn base_image(text: &str) -> Result<Option<BaseImage>, ProblemKind> {
    if text.is_empty() {
        return Ok(None);
    }
    if text.ends_with(':') {
        return Err(ProblemKind::Empty);
    }
    if let Ok(image) = text.parse() {
        return Ok(Some(BaseImage::Local(image)));
    }
    let reference = text.parse().map_err(|source| ProblemKind::BaseImage { source })?;
    Ok(Some(BaseImage::Registry(reference)))
}

/// The field of this name.
pub(crate) fn field(name: &str) -> Option<Field> {
    FIELDS.iter().find(|info| info.name == name).map(|info| info.field)
}
