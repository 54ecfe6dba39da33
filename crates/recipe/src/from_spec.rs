use std::path::Path;

use imagewright_pypa::PythonVersion;
use imagewright_spec::{BaseImage, ImageSpec, Layout};

use crate::copies::copies;
use crate::step::{
    AptPackagesStep, CommandsStep, InterpreterStep, PackagesStep, Requirement, Step, UserRole, UserStep,
};
use crate::{Base, Recipe, RecipeError, Settings};

/// The user that flytekit's images run tasks as.
const USER: &str = "flytekit";
/// The user that Flyte 2's images have, if they have one.
const FLYTE_USER: &str = "flyte";

/// Lowers a spec; `fallback` is the Python of an image for which neither spec nor base names one.
///
/// Fields that the native builder does not do are errors, never passed over.
pub fn lower(spec: &ImageSpec, fallback: PythonVersion) -> Result<Recipe, RecipeError> {
    spec.check_supported().map_err(|source| RecipeError::Unsupported { source })?;
    let mut steps = vec![Step::User(user(spec)), Step::Interpreter(interpreter(spec, fallback))];
    steps.extend(apt_packages(spec).map(Step::AptPackages));
    steps.push(Step::Packages(packages(spec)));
    steps.extend(copies(spec).map(Step::Copy));
    steps.extend(commands(spec).map(Step::Commands));
    Ok(Recipe { base: base(spec), platforms: spec.platforms.clone(), steps, settings: settings(spec) })
}

/// What a front end knows of an image that its spec does not say.
#[derive(Clone, Copy, Debug, Default)]
pub struct FrontEnd<'a> {
    /// Further requirements, as texts.
    pub with: &'a [String],
    /// The wheel of its own part in the image.
    pub client: Option<&'a Path>,
    /// What a running task knows its image by, where it is not the spec's id.
    pub image_id: Option<&'a str>,
}

impl Recipe {
    /// The same for a front end.
    #[must_use]
    pub fn for_front_end(mut self, front_end: &FrontEnd<'_>) -> Self {
        for step in &mut self.steps {
            if let Step::Packages(packages) = step {
                packages.with = requirements("with", front_end.with);
                packages.client = front_end.client.map(Path::to_owned);
            }
        }
        if let Some(id) = front_end.image_id {
            id.clone_into(&mut self.settings.image_id);
        }
        self
    }
}

fn base(spec: &ImageSpec) -> Base {
    match &spec.base_image {
        None => Base::Debian,
        Some(BaseImage::Registry(reference)) => Base::Image(reference.clone()),
        Some(BaseImage::Local(image)) => Base::Local(image.clone()),
        Some(BaseImage::Spec(_)) => Base::Spec,
    }
}

fn user(spec: &ImageSpec) -> UserStep {
    let options = &spec.builder_options;
    let (name, role) = match (&options.user, options.layout) {
        (Some(name), _) => (name.as_str(), UserRole::Runs),
        (None, Layout::Flytekit) => (USER, UserRole::Runs),
        (None, Layout::Flyte) => (FLYTE_USER, UserRole::Owns),
    };
    UserStep { name: name.to_owned(), role }
}

fn interpreter(spec: &ImageSpec, fallback: PythonVersion) -> InterpreterStep {
    InterpreterStep { version: spec.python_version, fallback, path: spec.python_exec.clone() }
}

fn apt_packages(spec: &ImageSpec) -> Option<AptPackagesStep> {
    let packages = requirements("apt_packages", &spec.apt_packages);
    (!packages.is_empty()).then_some(AptPackagesStep { packages })
}

fn requirements(field: &str, texts: &[String]) -> Vec<Requirement> {
    let named = |(index, text): (usize, &String)| Requirement {
        text: text.clone(),
        origin: format!("{field}[{index}]"),
    };
    texts.iter().enumerate().map(named).collect()
}

fn packages(spec: &ImageSpec) -> PackagesStep {
    PackagesStep {
        packages: requirements("packages", &spec.packages),
        requirements_file: spec.requirements.clone(),
        install_project: spec.builder_options.install_project,
        index: spec.pip_index.clone(),
        extra_indexes: spec.pip_extra_index_url.clone(),
        extra_arguments: spec.pip_extra_args.clone(),
        with: Vec::new(),
        client: None,
        bytecode: spec.builder_options.bytecode,
    }
}

fn commands(spec: &ImageSpec) -> Option<CommandsStep> {
    let separate = spec.builder_options.separate_commands;
    (!spec.commands.is_empty()).then(|| CommandsStep { commands: spec.commands.clone(), separate })
}

fn settings(spec: &ImageSpec) -> Settings {
    Settings {
        environment: spec.env.iter().map(|(name, value)| (name.clone(), value.clone())).collect(),
        entrypoint: spec.entrypoint.clone(),
        layout: spec.builder_options.layout,
        working_directory: spec.builder_options.working_directory.clone(),
        image_id: spec.id(),
    }
}
