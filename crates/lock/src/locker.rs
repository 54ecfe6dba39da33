//! Makes the lock of one platform: base, interpreter, environment, packages, in this order.

use std::path::{Path, PathBuf};

use imagewright_debian::{Architecture, Suite};
use imagewright_oci::{ImageReference, Platform};
use imagewright_pypa::{Libc, PackageName, PythonMinor, StatedVersion, TargetPython, Version};
use imagewright_recipe::{Base, Recipe};
use imagewright_registry::Client;
use imagewright_store::Store;
use tokio::sync::SetOnce;

use crate::LockError;
use crate::archive::PythonMirror;
use crate::assembled::{accounts_package, assembled_base, has_fitting_python};
use crate::base::{load_base, load_local_base};
use crate::base_image::{BaseImage, BuiltBase};
use crate::choice::{InterpreterChoice, choose};
use crate::completion::complete;
use crate::debian::{DebianResolver, Purpose, debian_artifact};
use crate::document::{BaseLock, CompilerLock, Distribution, PlatformLock};
use crate::download::Downloads;
use crate::facts::Installed;
use crate::implied::implied;
use crate::python::{Asked, LockedPackage, PythonResolution, PythonWarning, Refresh};
use crate::results::Results;
use crate::threshold::{LEAST_THRESHOLD, copy_layers, threshold};
use crate::upgrade::Upgrade;
use crate::uv::{Host, Uv};
use crate::wheel_build::{BuildRoot, Building, WheelBuilder};

/// What resolving needs of the machine.
#[derive(Clone, Debug)]
pub struct Locker<'a> {
    /// For base images.
    pub client: &'a Client,
    /// For what is known already.
    pub store: &'a Store,
    /// For wheels.
    pub downloads: &'a Downloads,
    /// The resolver of Python packages, once it is found: what is pinned before them does not wait for that.
    pub uv: &'a SetOnce<Uv>,
    /// The machine.
    pub host: &'a Host,
    /// What is asked for in Python packages, and the indexes for it.
    pub asked: &'a Asked,
    /// Debian's archive.
    pub debian: DebianResolver<'a>,
    /// The base, when another spec makes it.
    pub built_base: Option<&'a BuiltBase>,
    /// The repositories that may have it and its layers; see [`locked_base`].
    pub homes: &'a [ImageReference],
    /// What of the previous lock is chosen anew.
    pub upgrade: &'a Upgrade,
    /// Where archives of interpreters are.
    pub python_mirror: &'a PythonMirror,
    /// Builds what has no wheel.
    pub builder: &'a dyn WheelBuilder,
    /// Files that are about the image and not of it: they are no part of a project that is built.
    pub left_out: &'a [PathBuf],
    /// How old an index page may be.
    pub refresh: Refresh,
    /// Whether only what is in caches may be used.
    pub offline: bool,
}

/// What the Python packages of an image are installed on: base, interpreter and compiler, pinned.
#[derive(Clone, Debug)]
pub struct Ground {
    base: BaseImage,
    choice: InterpreterChoice,
    /// What is pinned so far.
    root: PlatformLock,
    /// What of an earlier lock is kept where it still serves.
    previous: Option<PlatformLock>,
}

impl Ground {
    /// The compiler of bytecode, when there will be any.
    pub fn compiler(&self) -> Option<&CompilerLock> {
        self.root.compiler.as_ref()
    }
}

/// What was pinned, and what was learnt on the way.
#[derive(Clone, Debug)]
pub struct Locked {
    /// What is pinned.
    pub lock: PlatformLock,
    /// The base that it pins.
    pub base: BaseImage,
    /// Of what a front end asks for, what the spec or its base brings.
    pub there: Vec<PackageName>,
    /// What the user should know.
    pub warnings: Vec<PythonWarning>,
}

/// The packages of an earlier lock.
#[derive(Clone, Copy, Debug)]
struct Earlier<'a> {
    packages: &'a [LockedPackage],
    is_over_this_base: bool,
}

/// Layers that an image may have beside the base's and those of packages and copies: Debian's three, removal, skeleton.
const OWN_LAYERS: usize = 5;

impl Locker<'_> {
    /// Pins what comes before the packages that `recipe` asks for on `platform`; what `previous` has is kept where it
    /// still serves.
    pub async fn ground(
        &self,
        recipe: &Recipe,
        platform: &Platform,
        previous: Option<&PlatformLock>,
    ) -> Result<Ground, LockError> {
        let kept = previous.filter(|_| self.refresh == Refresh::WhenOld);
        let kept = kept.map(|previous| self.upgrade.released(previous));
        let previous = kept.as_ref();
        let pinned = self.pin_base(recipe, platform, previous).await?;
        let directory = self.host.working_directory();
        let base = locked_base(self.client, &self.debian, &pinned, platform, directory, self.homes).await?;
        let choice = choose(recipe.interpreter(), &base.facts, base.path_variable())?;
        let interpreter = self.interpreter(&choice, &pinned, &base, platform, previous).await?;
        let compiler = if recipe.packages().bytecode {
            Some(self.compiler(&interpreter, previous).await?)
        } else {
            None
        };
        let root = PlatformLock {
            base: pinned,
            interpreter,
            compiler,
            environment: choice.environment(&base.facts),
            packages: Vec::new(),
            kept: Vec::new(),
            replaced: Vec::new(),
            threshold: LEAST_THRESHOLD,
            // What is built may need what apt has chosen before.
            results: previous.map(|previous| previous.results.clone()).unwrap_or_default(),
        };
        Ok(Ground { base, choice, root, previous: kept })
    }

    /// Pins the packages on top of `ground`, and with them everything that `recipe` asks for on `platform`.
    pub async fn lock(
        &self,
        recipe: &Recipe,
        platform: &Platform,
        ground: Ground,
    ) -> Result<Locked, LockError> {
        let Ground { base, choice, root, previous } = ground;
        let earlier = previous.as_ref().map(|previous| Earlier {
            packages: &previous.packages,
            is_over_this_base: previous.base.is_of_same_name(&root.base),
        });
        let resolution = self.resolve(platform, &base, &choice, &root, earlier).await?;
        let PythonResolution { packages, kept, there, warnings } = resolution;
        let packages = complete(self.downloads, packages).await?;
        let replaced = choice.owned(&base.facts);
        let is_new = |name: &PackageName| packages.iter().any(|package| package.name == *name);
        let sizes: Vec<u64> = packages.iter().map(|package| package.size).collect();
        let lock = PlatformLock {
            threshold: threshold(
                &sizes,
                base.layers.len() + OWN_LAYERS + copy_layers(recipe.copies().count()),
            ),
            replaced: replaced
                .into_iter()
                .filter(|installed| is_new(&installed.name))
                .map(|installed| Distribution {
                    name: installed.name.clone(),
                    version: installed.version.clone(),
                })
                .collect(),
            kept: kept
                .into_iter()
                .map(|(name, version)| Distribution { name, version: version.to_string() })
                .collect(),
            packages,
            results: Results::default(),
            ..root
        };
        Ok(Locked { lock, base, there, warnings })
    }

    /// The resolver of Python packages; waits until it is found.
    pub(crate) async fn uv(&self) -> &Uv {
        self.uv.wait().await
    }

    /// Pins the base: at what the previous lock has, while the spec still asks for the same.
    async fn pin_base(
        &self,
        recipe: &Recipe,
        platform: &Platform,
        previous: Option<&PlatformLock>,
    ) -> Result<BaseLock, LockError> {
        let previous =
            previous.map(|previous| &previous.base).filter(|base| !self.upgrade.includes_base(base));
        match &recipe.base {
            Base::Image(wanted) => {
                let pinned = previous.and_then(|base| match base {
                    BaseLock::Image { reference, digest } if reference == wanted => Some(*digest),
                    _ => None,
                });
                let base = load_base(self.client, self.store, wanted, platform, pinned, self.homes).await?;
                let origin = base.origin.expect("an image in a registry has an origin");
                Ok(BaseLock::Image { reference: wanted.clone(), digest: origin.digest() })
            }
            Base::Local(image) => {
                let directory = self.host.working_directory();
                let base = load_local_base(self.store, image, directory, platform, None).await?;
                let origin = base.origin.expect("an image on this machine has an origin");
                Ok(BaseLock::Local { image: image.clone(), digest: origin.digest() })
            }
            Base::Spec => {
                let BuiltBase { reference, digest } =
                    self.built_base.expect("the base's spec is built before the lock is made");
                let pinned = Some(*digest);
                let base =
                    load_base(self.client, self.store, reference, platform, pinned, self.homes).await?;
                let origin = base.origin.expect("an image that was built has an origin");
                Ok(BaseLock::Image { reference: reference.clone(), digest: origin.digest() })
            }
            Base::Debian => {
                let version = recipe.interpreter().version.unwrap_or(recipe.interpreter().fallback);
                let suite = Suite::for_python(version.minor);
                if let Some(BaseLock::Debian { packages }) = previous
                    && packages.suite == suite
                    && has_fitting_python(packages, version)
                {
                    return Ok(BaseLock::Debian { packages: packages.clone() });
                }
                let architecture = Architecture::try_from(platform)?;
                let own = suite.python() == version.minor;
                let purpose = if own { Purpose::Python } else { Purpose::Userland };
                let mut packages = self.debian.solve(suite, architecture, purpose).await?;
                if !has_fitting_python(&packages, version) {
                    packages = self.debian.solve(suite, architecture, Purpose::Userland).await?;
                }
                Ok(BaseLock::Debian { packages })
            }
        }
    }

    async fn resolve(
        &self,
        platform: &Platform,
        base: &BaseImage,
        choice: &InterpreterChoice,
        root: &PlatformLock,
        earlier: Option<Earlier<'_>>,
    ) -> Result<PythonResolution, LockError> {
        let (interpreter, minor) = (&root.interpreter, root.interpreter.minor);
        let target = target(platform, minor, interpreter.full.as_ref(), base.facts.libc)?;
        let mut asked = self.asked.clone();
        let (installed, odd) = installed(&choice.visible(&base.facts));
        let is_given = |name: &PackageName| {
            let is_kept = !asked.options.ignore_installed && installed.iter().any(|(it, _)| it == name);
            is_kept || asked.constraints.iter().any(|it| it.name().as_ref() == Some(name))
        };
        let implied = implied(&asked.requirements, minor, is_given);
        asked.requirements.extend(implied);
        // uv asks some Python for its bearings; the compiler is one, when it is there.
        let bearings = match &root.compiler {
            Some(lock) => self.store.root(&lock.root_id())?.map(|root| lock.program(&root)),
            None => None,
        };
        let previous = earlier.map_or_else(Vec::new, |earlier| earlier.preferred(&installed));
        let building = Building {
            locker: self,
            root: BuildRoot { platform, lock: root, base },
            target: &target,
            bearings: bearings.as_deref(),
            previous: &previous,
        };
        let mut resolution = building.resolve(asked, &installed).await?;
        resolution.warnings.extend(odd);
        Ok(resolution)
    }
}

impl Earlier<'_> {
    /// The versions to keep. What was chosen over another base was chosen without what this one has.
    fn preferred(&self, installed: &[(PackageName, Version)]) -> Vec<LockedPackage> {
        let is_kept = |package: &&LockedPackage| {
            self.is_over_this_base || installed.iter().all(|(name, _)| *name != package.name)
        };
        self.packages.iter().filter(is_kept).cloned().collect()
    }
}

/// What of the base the resolver is told of, and a warning of each distribution that it cannot be told of.
fn installed(visible: &[&Installed]) -> (Vec<(PackageName, Version)>, Vec<PythonWarning>) {
    let (mut known, mut odd) = (Vec::new(), Vec::new());
    for Installed { name, version, .. } in visible {
        match version.parse() {
            Ok(version) => known.push((name.clone(), version)),
            Err(_) => odd.push(PythonWarning::OddVersion { name: name.clone(), version: version.clone() }),
        }
    }
    (known, odd)
}

/// The base that a lock pins, with its facts; one on this machine is found from `directory`.
///
/// `homes` are the repositories that may have an image and its layers, the likeliest first: its own, unless it was
/// never pushed, and those of what it was built on.
pub async fn locked_base(
    client: &Client,
    debian: &DebianResolver<'_>,
    lock: &BaseLock,
    platform: &Platform,
    directory: &Path,
    homes: &[ImageReference],
) -> Result<BaseImage, LockError> {
    match lock {
        BaseLock::Local { image, digest } => {
            load_local_base(debian.store, image, directory, platform, Some(*digest)).await
        }
        BaseLock::Image { reference, digest } => {
            load_base(client, debian.store, reference, platform, Some(*digest), homes).await
        }
        BaseLock::Debian { packages } => {
            let accounts = accounts_package(packages).expect("every base has the essential packages");
            let file = debian_artifact(debian.downloads, debian.mirrors, accounts).await?;
            assembled_base(packages, platform, (accounts, file))
        }
    }
}

fn target(
    platform: &Platform,
    minor: PythonMinor,
    full: Option<&StatedVersion>,
    libc: Option<Libc>,
) -> Result<TargetPython, LockError> {
    let libc = libc.ok_or(LockError::NoLibc)?;
    let target = TargetPython::new(3, minor.0, platform.clone(), libc)
        .map_err(|source| LockError::NoWheels { source })?;
    let patch = full.and_then(|full| full.release().patch);
    Ok(match patch {
        Some(patch) => target.with_patch(patch),
        None => target,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_distribution_with_an_odd_version_is_named() {
        let of = |name: &str, version: &str| Installed {
            name: name.parse().unwrap(),
            version: version.to_owned(),
            site: String::new(),
            metadata: String::new(),
            roots: Vec::new(),
        };
        let (six, odd) = (of("six", "1.16.0"), of("vendor-tool", "2.0-final-build"));
        let (known, warnings) = installed(&[&six, &odd]);
        assert_eq!(known, [("six".parse().unwrap(), "1.16.0".parse().unwrap())]);
        let said: Vec<String> = warnings.iter().map(PythonWarning::to_string).collect();
        assert!(
            matches!(&said[..], [one] if one.contains("vendor-tool in the version `2.0-final-build`")),
            "{said:?}"
        );
    }
}
