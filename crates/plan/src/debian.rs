use imagewright_debian::{BASE_FORMAT, DebianLock, DebianPackage, PackageGroup};
use imagewright_lock::{BaseLock, WheelBuild};

use crate::definition::{Content, DebianGroup, LayerDefinition, LayerKind};
use crate::planner::Scope;

/// The layers of an assembled base, lowest first: userland, the suite's Python, what the package manager knows.
///
/// Each depends on its packages only, so that images which share packages share layers.
pub(crate) fn debian_layers(scope: &Scope<'_>) -> Vec<LayerDefinition> {
    let BaseLock::Debian { packages: lock } = &scope.lock.base else { return Vec::new() };
    let groups =
        lock.groups().into_iter().map(|(group, packages)| group_layer(scope, lock, group, &packages));
    groups.chain([database_layer(scope, lock)]).collect()
}

fn group_layer(
    scope: &Scope<'_>,
    lock: &DebianLock,
    group: PackageGroup,
    packages: &[&DebianPackage],
) -> LayerDefinition {
    let (kind, because) = if group == PackageGroup::Python {
        (LayerKind::Interpreter, scope.python_because())
    } else {
        (LayerKind::Userland, "the spec names no base image".to_owned())
    };
    let title = format!("Debian {} {} ({} packages)", lock.suite, group.as_str(), packages.len());
    let packages: Vec<DebianPackage> = packages.iter().map(|package| (*package).clone()).collect();
    let inputs = inputs(scope, lock, &packages);
    let group = DebianGroup { suite: lock.suite, architecture: lock.architecture, packages };
    LayerDefinition::new(kind, title, inputs, vec![because], Content::Debian(group))
}

/// What building from source needs of Debian above an assembled base; in no image.
pub(crate) fn tools_layer(scope: &Scope<'_>, build: &WheelBuild) -> Option<LayerDefinition> {
    let lock = build.tools.as_ref()?;
    let title = format!("Debian {} tools ({} packages), to build", lock.suite, lock.packages.len());
    let packages = lock.packages.clone();
    let needs = |name: &str| packages.iter().any(|package| package.name.as_str() == name);
    let reasons = [("gcc", "may need a compiler"), ("git", "reads its version from git")];
    let because =
        reasons.iter().filter(|(name, _)| needs(name)).map(|(_, reason)| format!("{build} {reason}"));
    let because = because.collect();
    let inputs = inputs(scope, lock, &packages);
    let group = DebianGroup { suite: lock.suite, architecture: lock.architecture, packages };
    Some(LayerDefinition::new(LayerKind::Userland, title, inputs, because, Content::Debian(group)))
}

fn database_layer(scope: &Scope<'_>, lock: &DebianLock) -> LayerDefinition {
    let inputs = inputs(scope, lock, &lock.packages);
    let title = format!("Debian {} package database", lock.suite);
    let because = vec!["the spec names no base image".to_owned()];
    let content = Content::DebianDatabase(lock.packages.clone());
    LayerDefinition::new(LayerKind::PackageDatabase, title, inputs, because, content)
}

fn inputs(
    scope: &Scope<'_>,
    lock: &DebianLock,
    packages: &[DebianPackage],
) -> std::collections::BTreeMap<String, String> {
    let mut inputs = scope.common_inputs(imagewright_layer::TREE_FORMAT);
    inputs.insert("base format".to_owned(), BASE_FORMAT.to_string());
    inputs.insert("suite".to_owned(), format!("{} {}", lock.suite, lock.architecture));
    for package in packages {
        inputs.insert(format!("package {}", package.name), format!("{} {}", package.version, package.sha256));
    }
    inputs
}
