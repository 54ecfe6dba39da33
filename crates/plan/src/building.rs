use imagewright_lock::python::LockedPackage;
use imagewright_lock::{BuildRoot, InterpreterSource, WheelBuild};
use imagewright_oci::{Digest, canonical_json};
use imagewright_recipe::Recipe;

use crate::PlanError;
use crate::apt::apt_layer;
use crate::container::container_config;
use crate::debian::{debian_layers, tools_layer};
use crate::definition::{Content, LayerDefinition, LayerKind, WheelGroup};
use crate::execution::{configuration_layer, variables};
use crate::interpreter::interpreter_layer;
use crate::planner::{Plan, Scope};
use crate::skeleton::{Account, skeleton_layer};

/// Where the environment of a build is, with its leading slash: beside that of the image, of which it sees nothing.
pub const BUILD_ENVIRONMENT: &str = "/opt/imagewright-build";

/// The root that a wheel is built in, and how its build starts.
#[derive(Clone, Debug)]
pub struct WheelPlan {
    /// The image without its Python packages, and above it the tools and requirements of the build.
    pub root: Plan,
    /// The interpreter of the image, with its leading slash.
    pub interpreter: String,
    /// `NAME=value`, all of them.
    pub environment: Vec<String>,
    /// Of all that the wheel depends on. It is the same for a source wherever it comes from.
    pub key: Digest,
}

/// Which version of the way in which wheels are built a key is of.
const BUILD_FORMAT: u32 = 2;

/// Plans the build of a wheel (PEP 517) in the image that `recipe` describes, as far as it is without Python packages: so
/// what the user asks of the system is there, with the variables that the image has.
pub fn plan_wheel(
    recipe: &Recipe,
    root: BuildRoot<'_>,
    build: &WheelBuild,
    epoch: u64,
) -> Result<WheelPlan, PlanError> {
    let BuildRoot { platform, lock, base } = root;
    let sources = [].into();
    let scope = Scope { recipe, lock, base, sources: &sources, epoch };
    let account = Account::of(&base.facts, recipe.user());
    let mut layers = debian_layers(&scope);
    layers.extend(interpreter_layer(&scope));
    layers.push(skeleton_layer(&scope, &account));
    if recipe.apt_packages().is_some() {
        layers.extend(configuration_layer(&scope, &layers));
        layers.extend(apt_layer(&scope, &layers)?);
    }
    layers.extend(tools_layer(&scope, build));
    layers.extend(build.requirements.iter().map(|package| requirement_layer(&scope, build, package)));
    let (container, unset) = container_config(&scope, &account);
    let environment = environment(&scope, &variables(&container), build);
    let base_layers: Vec<String> = base.layers.iter().map(|layer| layer.diff_id.to_string()).collect();
    // The user and the home say nothing to a build.
    let ours = layers.iter().filter(|layer| layer.kind != LayerKind::Skeleton);
    let ours: Vec<String> = ours.map(|layer| layer.key.to_string()).collect();
    let source = (build.source.identity(), &build.subdirectory);
    // A base may have several interpreters, of one minor release even.
    let interpreter = (&lock.interpreter.path, &lock.interpreter.full);
    let inputs = (BUILD_FORMAT, source, base_layers, ours, interpreter, &environment);
    let key = Digest::of(&canonical_json(&inputs));
    let root = Plan {
        platform: platform.clone(),
        base: base.clone(),
        layers,
        container,
        unset,
        facts: base.facts.clone(),
        epoch,
    };
    Ok(WheelPlan { root, interpreter: lock.interpreter.path.clone(), environment, key })
}

/// The image's variables, but for those that would lead the build out of its own environment.
fn environment(scope: &Scope<'_>, image: &[String], build: &WheelBuild) -> Vec<String> {
    let is_misleading = |variable: &String| {
        ["PYTHONPATH=", "PYTHONHOME=", "VIRTUAL_ENV=", "UV_PYTHON="]
            .iter()
            .any(|start| variable.starts_with(start))
    };
    let path = image.iter().rev().find_map(|variable| variable.strip_prefix("PATH=")).unwrap_or_default();
    let own = format!("{}/bin", scope.lock.environment.prefix);
    let path = path.split(':').filter(|folder| *folder != own).collect::<Vec<_>>().join(":");
    let mut variables: Vec<String> = image.iter().filter(|it| !is_misleading(it)).cloned().collect();
    // Where only the build has a compiler, it is found by the name that everything has for it.
    let is_archives = matches!(scope.lock.interpreter.source, InterpreterSource::Archive { .. });
    for (name, value) in [("CC", "gcc"), ("CXX", "g++")] {
        let is_set = variables.iter().any(|variable| variable.starts_with(&format!("{name}=")));
        if is_archives && build.tools.is_some() && !is_set {
            variables.push(format!("{name}={value}"));
        }
    }
    variables.extend([
        format!("PATH={BUILD_ENVIRONMENT}/bin:{path}"),
        format!("SOURCE_DATE_EPOCH={}", scope.epoch),
        "PYTHONHASHSEED=0".to_owned(),
        "LC_ALL=C.UTF-8".to_owned(),
    ]);
    variables
}

/// Something that the build needs, installed where the build has its environment.
fn requirement_layer(scope: &Scope<'_>, build: &WheelBuild, package: &LockedPackage) -> LayerDefinition {
    let minor = scope.lock.interpreter.minor;
    let mut inputs = scope.common_inputs(imagewright_layer::WHEEL_FORMAT);
    inputs.insert("environment".to_owned(), BUILD_ENVIRONMENT.to_owned());
    inputs.insert("python".to_owned(), minor.to_string());
    inputs.insert("bytecode".to_owned(), "none".to_owned());
    let wheel = format!("{} {}", package.version, package.sha256);
    inputs.insert(format!("package {}", package.name), wheel);
    let title = format!("{} {}, to build", package.name, package.version);
    let group = WheelGroup {
        prefix: BUILD_ENVIRONMENT.to_owned(),
        minor,
        packages: vec![package.clone()],
        compiler: None,
    };
    let because = vec![format!("{build} needs it to be built")];
    LayerDefinition::new(LayerKind::Package, title, inputs, because, Content::Wheels(group))
}
