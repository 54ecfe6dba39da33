//! Which distributions share a layer (design D2): sizeable ones have their own, the rest go to sixteen buckets.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use imagewright_lock::python::{LockedPackage, Requirement, WheelSource};
use imagewright_lock::{BUCKETS, PlatformLock, SourcePin, is_implied};
use imagewright_oci::Digest;
use imagewright_pypa::PackageName;
use imagewright_spec::clean;
use imagewright_spec::requirements::{distribution, editable_target, local_path};

use crate::definition::{Content, LayerDefinition, LayerKind, WheelGroup};
use crate::planner::Scope;

/// The layers of all packages: the sizeable by name, then the buckets by number.
pub(crate) fn package_layers(scope: &Scope<'_>) -> Vec<LayerDefinition> {
    let lock: &PlatformLock = scope.lock;
    let (own, small): (Vec<_>, Vec<_>) =
        lock.packages.iter().partition(|package| package.size >= lock.threshold);
    let mut buckets: BTreeMap<u64, Vec<&LockedPackage>> = BTreeMap::new();
    for package in small {
        buckets.entry(bucket(package)).or_default().push(package);
    }
    let own = own.into_iter().map(|package| {
        let title = format!("{} {}", package.name, package.version);
        layer(scope, LayerKind::Package, title, &[package])
    });
    let shared = buckets.into_iter().map(|(number, packages)| {
        let title = format!("small packages ({} of {BUCKETS})", number + 1);
        layer(scope, LayerKind::Packages, title, &packages)
    });
    own.chain(shared).collect()
}

/// The bucket of a distribution depends on its name alone, so that another distribution never moves it.
fn bucket(package: &LockedPackage) -> u64 {
    let digest = Digest::of(package.name.as_str().as_bytes());
    let first = digest.as_bytes().first_chunk::<8>().expect("a sha256 has 32 bytes");
    u64::from_be_bytes(*first) % BUCKETS
}

fn layer(scope: &Scope<'_>, kind: LayerKind, title: String, packages: &[&LockedPackage]) -> LayerDefinition {
    let minor = scope.lock.interpreter.minor;
    let mut inputs = scope.common_inputs(imagewright_layer::WHEEL_FORMAT);
    inputs.insert("environment".to_owned(), scope.lock.environment.prefix.clone());
    inputs.insert("python".to_owned(), minor.to_string());
    inputs.insert("bytecode".to_owned(), scope.bytecode_input());
    for package in packages {
        inputs.insert(format!("package {}", package.name), wheel(package));
    }
    let because = packages.iter().map(|package| because(scope, package)).collect();
    let origins = packages.iter().filter_map(|package| {
        let origin = package.requested.then(|| asker(scope, package).to_string())?;
        Some((format!("package {}", package.name), origin))
    });
    let origins = origins.collect();
    let group = WheelGroup {
        prefix: scope.lock.environment.prefix.clone(),
        minor,
        packages: packages.iter().map(|package| (*package).clone()).collect(),
        compiler: scope.lock.compiler.clone(),
    };
    LayerDefinition::new(kind, title, inputs, because, Content::Wheels(group)).with_origins(origins)
}

fn wheel(package: &LockedPackage) -> String {
    format!("{} {}", package.version, package.sha256)
}

fn because(scope: &Scope<'_>, package: &LockedPackage) -> String {
    let LockedPackage { name, version, required_by, .. } = package;
    let built = built(scope, package);
    if package.requested {
        return match asker(scope, package) {
            Asker::EveryEnvironment => format!("{} has {name} {version}{built}", Asker::EveryEnvironment),
            Asker::User { place } => format!("{place} asks for {name} {version}{built}"),
        };
    }
    let names: Vec<&str> = required_by.iter().map(PackageName::as_str).collect();
    match names[..] {
        [] => format!("{name} {version} is needed by another package{built}"),
        _ => format!("{name} {version} is needed by {}{built}", names.join(", ")),
    }
}

/// What a distribution is built from, and why, when it is.
fn built(scope: &Scope<'_>, package: &LockedPackage) -> String {
    let WheelSource::Built(build) = &package.source else { return String::new() };
    let is_asked = match &build.source {
        SourcePin::Git { .. } | SourcePin::Folder { .. } => true,
        SourcePin::File { .. } | SourcePin::Archive { .. } => named(scope, package).is_some(),
    };
    let because = if is_asked { "" } else { ", because no wheel of it fits" };
    format!("; it is built from {build}{because}")
}

/// The place in the spec that names the source of a distribution that is built.
fn named<'a>(scope: &'a Scope<'_>, package: &LockedPackage) -> Option<&'a str> {
    let WheelSource::Built(build) = &package.source else { return None };
    let names = |text: &str| match &build.source {
        SourcePin::Git { url, .. } | SourcePin::Archive { url, .. } => text.contains(url.path()),
        SourcePin::Folder { path, .. } | SourcePin::File { path, .. } => {
            let target = text.trim().strip_prefix("-e").or(text.trim().strip_prefix("--editable"));
            let target = target.map_or_else(|| text.to_owned(), editable_target);
            let named = local_path(&target);
            named.is_some_and(|named| named == *path || Path::new(&clean(&named)) == path)
        }
    };
    let asked = scope.recipe.packages().packages.iter().find(|asked| names(&asked.text))?;
    Some(&asked.origin)
}

/// Who asks for a distribution that no other brings.
#[derive(Debug, PartialEq, Eq)]
enum Asker {
    /// The user, in a field of the spec or in a file that the spec names.
    User { place: String },
    /// Nobody: an environment always has it.
    EveryEnvironment,
}

impl fmt::Display for Asker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User { place } => f.write_str(place),
            Self::EveryEnvironment => f.write_str("every environment"),
        }
    }
}

fn asker(scope: &Scope<'_>, package: &LockedPackage) -> Asker {
    let name = &package.name;
    let step = scope.recipe.packages();
    let asks = |asked: &&imagewright_recipe::Requirement| {
        Requirement::of_field(&asked.text, &asked.origin).name().as_ref() == Some(name)
    };
    if let Some(asked) = step.packages.iter().find(asks) {
        return Asker::User { place: asked.origin.clone() };
    }
    if let Some(place) = named(scope, package) {
        return Asker::User { place: place.to_owned() };
    }
    if let Some(asked) = step.with.iter().find(asks) {
        return Asker::User { place: asked.origin.clone() };
    }
    let client = step.client.as_ref().and_then(|client| client.file_name()?.to_str());
    if client.and_then(distribution).as_ref() == Some(name) {
        return Asker::User { place: "client".to_owned() };
    }
    match &step.requirements_file {
        _ if is_implied(name.as_str(), scope.lock.interpreter.minor) => Asker::EveryEnvironment,
        Some(file) => Asker::User { place: file.display().to_string() },
        None => Asker::User { place: "pip_extra_args".to_owned() },
    }
}
