use std::collections::BTreeMap;

use imagewright_lock::facts::{BaseFacts, Environment, Installed};
use imagewright_lock::{BaseImage, EnvironmentLock, MOST_LAYERS, PlatformLock};
use imagewright_oci::{ContainerConfig, Platform};
use imagewright_recipe::Recipe;
use imagewright_spec::SourceTree;

use crate::apt::apt_layer;
use crate::certificates::has_bundle;
use crate::container::{UnsetVariable, container_config};
use crate::copies::copied_layers;
use crate::debian::debian_layers;
use crate::definition::LayerDefinition;
use crate::error::PlanError;
use crate::execution::{command_layers, configuration_layer};
use crate::grouping::package_layers;
use crate::interpreter::{added_interpreter, interpreter_layer};
use crate::removal::removal_layer;
use crate::skeleton::{Account, skeleton_layer};

/// An image that is to be there: its layers and how a container of it starts.
#[derive(Clone, Debug)]
pub struct Plan {
    /// What it is for.
    pub platform: Platform,
    /// What is below our layers.
    pub base: BaseImage,
    /// Our layers, lowest first.
    pub layers: Vec<LayerDefinition>,
    /// How a container starts.
    pub container: ContainerConfig,
    /// What its variables refer to in vain.
    pub unset: Vec<UnsetVariable>,
    /// What is known of the image, but for the distributions that its layers say they have.
    pub facts: BaseFacts,
    /// The time of every file, in seconds since 1970.
    pub epoch: u64,
}

/// What the parts of a plan are made from.
pub(crate) struct Scope<'a> {
    pub(crate) recipe: &'a Recipe,
    pub(crate) lock: &'a PlatformLock,
    pub(crate) base: &'a BaseImage,
    pub(crate) sources: &'a BTreeMap<String, SourceTree>,
    pub(crate) epoch: u64,
}

/// Plans the image of `recipe` for `platform`, as `lock` pins it over `base`; `sources` are the pinned files that it
/// has copied.
pub fn plan(
    recipe: &Recipe,
    platform: &Platform,
    lock: &PlatformLock,
    base: &BaseImage,
    sources: &BTreeMap<String, SourceTree>,
    epoch: u64,
) -> Result<Plan, PlanError> {
    let scope = Scope { recipe, lock, base, sources, epoch };
    let account = Account::of(&base.facts, recipe.user());
    let mut layers = debian_layers(&scope);
    layers.extend(interpreter_layer(&scope));
    layers.extend(removal_layer(&scope));
    layers.push(skeleton_layer(&scope, &account));
    layers.extend(configuration_layer(&scope, &layers));
    layers.extend(apt_layer(&scope, &layers)?);
    layers.extend(package_layers(&scope));
    layers.extend(copied_layers(&scope, &account)?);
    let (container, unset) = container_config(&scope, &account);
    layers.extend(command_layers(&scope, &container, &layers));
    let count = base.layers.len() + layers.len();
    if count > MOST_LAYERS {
        return Err(PlanError::TooManyLayers { layers: count, most: MOST_LAYERS });
    }
    let facts = facts_after(&scope, &account);
    Ok(Plan { platform: platform.clone(), base: base.clone(), layers, container, unset, facts, epoch })
}

/// The base's facts, as the removal and skeleton layers change them.
fn facts_after(scope: &Scope<'_>, account: &Account) -> BaseFacts {
    let mut facts = scope.base.facts.clone();
    let replaced = scope.replaced();
    facts.installed.retain(|installed| !replaced.contains(&installed));
    facts.ca_bundle = has_bundle(scope);
    facts.interpreters.extend(added_interpreter(scope.lock));
    facts.accounts = account.added_to(&facts.accounts);
    let EnvironmentLock { prefix, continues } = &scope.lock.environment;
    if !continues {
        facts.environments.retain(|environment| environment.prefix != *prefix);
        facts.environments.push(Environment {
            prefix: prefix.clone(),
            minor: scope.lock.interpreter.minor,
            full: scope.lock.interpreter.full.clone(),
            system_site_packages: true,
        });
    }
    facts
}

impl Scope<'_> {
    /// What the bytes of every layer depend on, beside what it holds.
    pub(crate) fn common_inputs(&self, format: u32) -> BTreeMap<String, String> {
        BTreeMap::from([
            ("epoch".to_owned(), self.epoch.to_string()),
            ("format".to_owned(), format.to_string()),
        ])
    }

    /// The compiler, for the key of what it compiles.
    pub(crate) fn bytecode_input(&self) -> String {
        let compiler = self.lock.compiler.as_ref();
        compiler.map_or_else(|| "none".to_owned(), |compiler| compiler.identity.clone())
    }

    /// What the base is, for messages.
    pub(crate) fn system(&self) -> String {
        self.base.facts.system.clone().unwrap_or_else(|| "the base".to_owned())
    }

    /// What asks for the interpreter.
    pub(crate) fn python_because(&self) -> String {
        let asked = self.recipe.interpreter();
        match asked.version {
            Some(version) => format!("python_version asks for Python {version}"),
            None => format!("the spec names no Python, so it is {}", self.lock.interpreter.minor),
        }
    }

    /// Distributions of the base's environment that the lock replaces.
    pub(crate) fn replaced(&self) -> Vec<&Installed> {
        let prefix = format!("{}/", self.lock.environment.prefix.trim_start_matches('/'));
        self.base
            .facts
            .installed
            .iter()
            .filter(|installed| installed.site.starts_with(&prefix))
            .filter(|installed| self.lock.replaced.iter().any(|replaced| replaced.name == installed.name))
            .collect()
    }
}
