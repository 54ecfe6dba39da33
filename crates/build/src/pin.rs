//! Pins the inputs of an image: from a lock that covers them, else anew, with what an earlier lock has preferred.

use std::collections::BTreeSet;

use imagewright_lock::python::Refresh;
use imagewright_lock::uv::{Uv, UvSearch, locate};
use imagewright_lock::{Lock, Locked, LockedInputs, Locker, Pin, PlatformLock, Results, Upgrade};
use imagewright_oci::{Digest, Platform};
use imagewright_pypa::{PackageName, WheelFilename};
use imagewright_spec::{Outcome, as_locked};
use tokio::sync::SetOnce;

use crate::BuildError;
use crate::event::Stage;
use crate::job::{Inputs, Job};
use crate::last_build::LastBuild;
use crate::native::{BuildRequest, GivenLock, Machine};

/// What is installed when this machine has none.
const UV: &str = "uv, which resolves Python packages";

/// A lock whose pins are kept where they still serve.
struct Previous {
    lock: Lock,
    /// Where it is, for messages.
    place: String,
    /// What changed since it was made, when that is known.
    changed: Vec<String>,
    /// Whether it came with an image in a registry: from whoever may push there.
    is_foreign: bool,
}

impl Job<'_> {
    /// The lock of the image; `made_from` is the digest of the one that the image at the tag was made from.
    ///
    /// A given lock that covers the spec is taken as it is, so that nothing moves while it stands; one that covers all
    /// but the copied files is taken with these, unless it is frozen. One that does not, else the one attached to the
    /// image, else that of the last build, is preferred: a new package moves no other.
    ///
    /// A lock without results has those of the last build that was made from it, or from the like of it, unless it is
    /// frozen: then it says all, on every machine.
    pub(crate) async fn lock(&self, inputs: &Inputs, made_from: Option<Digest>) -> Result<Lock, BuildError> {
        let lock = self.pinned(inputs, made_from).await?;
        let is_new = !self.prefers_earlier() || self.request.upgrade != Upgrade::Nothing;
        if is_new || self.request.frozen || self.recipe.apt_packages().is_none() {
            return Ok(lock);
        }
        let last = LastBuild::of(&self.machine.store, &self.target)?;
        Ok(last.map_or_else(|| lock.clone(), |last| lock.with_results_of(&last.lock)))
    }

    async fn pinned(&self, inputs: &Inputs, made_from: Option<Digest>) -> Result<Lock, BuildError> {
        let request = self.request;
        let wanted = self.locked_inputs();
        let previous = if let Some(GivenLock { lock, place }) = &request.lock {
            let changed = lock.uncovered(&wanted, &self.recipe.platforms);
            let is_kept = self.may_keep_given() && !self.lacks_client(lock);
            if changed.is_empty() && (request.frozen || is_kept) {
                self.machine.reporter.started(Stage::Lock, place.clone());
                // Nothing is resolved, but wheels may be fetched with these settings.
                for warning in &inputs.asked.indexes.warnings {
                    self.machine.reporter.warn(warning.to_string(), None);
                }
                return Ok(lock.clone());
            }
            let renewed = lock.with_sources(&wanted);
            if is_kept && renewed.uncovered(&wanted, &self.recipe.platforms).is_empty() {
                self.machine
                    .reporter
                    .started(Stage::Lock, format!("{place}, for copied files as they are now"));
                return Ok(renewed);
            }
            Some(Previous { lock: lock.clone(), place: place.clone(), changed, is_foreign: false })
        } else {
            self.earlier(made_from).await?
        };
        if let Some(Previous { lock, .. }) = &previous {
            request.upgrade.check(lock, &inputs.asked.requirements)?;
        }
        let LockedInputs { digests, sources } = wanted;
        let mut lock = Lock {
            version: Lock::VERSION,
            epoch: request.epoch,
            inputs: digests,
            sources,
            platforms: [].into(),
        };
        // Boxed, because to resolve may be to build, and that is a large future.
        let there = Box::pin(self.resolve(inputs, &mut lock, previous.as_ref())).await?;
        lock.inputs = as_locked(&lock.inputs, |name| outcome(name, &there, &lock));
        if previous.is_none() {
            // All of it is new, so that only the result can tell a mistyped name.
            request.upgrade.check(&lock, &inputs.asked.requirements)?;
        }
        Ok(lock)
    }

    /// The lock that is preferred when none was given.
    async fn earlier(&self, made_from: Option<Digest>) -> Result<Option<Previous>, BuildError> {
        let last = LastBuild::of(&self.machine.store, &self.target)?;
        // The last build of this machine made the image at the tag, as a rule.
        let is_last = |digest: &Digest| last.as_ref().is_some_and(|last| last.lock.digest() == *digest);
        if let Some(digest) = made_from.filter(|digest| !is_last(digest))
            && let Some(lock) = self.attached_lock(digest).await
        {
            let place = format!("the lock attached to {}", self.name);
            return Ok(Some(Previous { lock, place, changed: Vec::new(), is_foreign: true }));
        }
        let place = "the last build".to_owned();
        Ok(last.map(|last| Previous { lock: last.lock, place, changed: Vec::new(), is_foreign: false }))
    }

    /// Whether anything that was pinned before is kept.
    pub(crate) fn prefers_earlier(&self) -> bool {
        self.request.refresh == Refresh::WhenOld && self.request.upgrade != Upgrade::Everything
    }

    /// Whether a given lock that covers the spec is taken as it is. One whose base had to be built again pins what is
    /// not there any more.
    fn may_keep_given(&self) -> bool {
        let BuildRequest { upgrade, refresh, .. } = self.request;
        *upgrade == Upgrade::Nothing && *refresh == Refresh::WhenOld && self.built_base.is_none()
    }

    /// Whether a lock was made without the wheel of the front end, which no digest says.
    fn lacks_client(&self, lock: &Lock) -> bool {
        let client = self.request.client.as_ref().and_then(|path| path.file_name()?.to_str());
        // What is called otherwise is no wheel, which who installs it says.
        let Some(client) = client.and_then(|name| name.parse::<WheelFilename>().ok()) else { return false };
        let has = |platform: &Platform| {
            let Some(PlatformLock { packages, kept, .. }) = lock.platform(platform) else { return false };
            let mut names = packages.iter().map(|it| &it.name).chain(kept.iter().map(|it| &it.name));
            names.any(|name| name == client.name())
        };
        !self.recipe.platforms.iter().all(has)
    }

    /// Resolves for each platform. What of a front end's packages is there already on all of them is told.
    async fn resolve(
        &self,
        inputs: &Inputs,
        lock: &mut Lock,
        previous: Option<&Previous>,
    ) -> Result<BTreeSet<PackageName>, BuildError> {
        let (machine, request) = (self.machine, self.request);
        let uv = SetOnce::new();
        let finding = async {
            let found = machine.uv().await?;
            uv.set(found).expect("it is found once");
            Ok::<_, BuildError>(())
        };
        let builder = self.wheel_maker(inputs, lock.epoch);
        let locker = Locker {
            client: &machine.client,
            store: &machine.store,
            downloads: &inputs.downloads,
            uv: &uv,
            host: &inputs.host,
            asked: &inputs.asked,
            debian: self.debian(inputs),
            python_mirror: &machine.python_mirror,
            built_base: self.built_base.as_ref(),
            homes: &self.homes,
            upgrade: &request.upgrade,
            builder: &builder,
            left_out: &request.left_out,
            refresh: request.refresh,
            offline: request.offline,
        };
        // A base is looked into while uv is installed.
        let ((), there) = tokio::try_join!(finding, self.resolve_with(inputs, &locker, lock, previous))?;
        Ok(there)
    }

    /// Resolves for each platform with what `locker` has.
    async fn resolve_with(
        &self,
        inputs: &Inputs,
        locker: &Locker<'_>,
        lock: &mut Lock,
        previous: Option<&Previous>,
    ) -> Result<BTreeSet<PackageName>, BuildError> {
        let (machine, request) = (self.machine, self.request);
        let (earlier, previous) = (previous, previous.filter(|_| self.prefers_earlier()));
        let keeping = previous.map(Previous::keeping).unwrap_or_default();
        let mut everywhere: Option<BTreeSet<PackageName>> = None;
        for platform in &self.recipe.platforms {
            machine
                .reporter
                .started(Stage::Resolve, format!("{} for {platform}{keeping}", request.spec.name));
            let pinned = previous.and_then(|previous| Some((previous, previous.lock.platform(platform)?)));
            let upgrade = match pinned {
                Some((Previous { is_foreign: true, place, .. }, pinned)) => {
                    request.upgrade.with(self.unconfirmed(locker, pinned, place).await)
                }
                _ => request.upgrade.clone(),
            };
            let locker = Locker { upgrade: &upgrade, ..locker.clone() };
            let pinned =
                pinned.map(
                    |(previous, pinned)| {
                        if previous.is_foreign { pinned.without_commits() } else { pinned.clone() }
                    },
                );
            let pinned = pinned.as_ref();
            let ground = locker.ground(&self.recipe, platform, pinned).await?;
            if let Some(compiler) = ground.compiler().filter(|_| self.compiles(inputs)) {
                self.producer(self.shelves(), inputs, lock.epoch).unpack_ahead(compiler);
            }
            let resolution = machine.workplace.resolutions.begin().await;
            // Boxed, because it is a large future.
            let Locked { lock: mut pinned, there, warnings, .. } =
                Box::pin(locker.lock(&self.recipe, platform, ground)).await?;
            drop(resolution);
            everywhere = Some(match everywhere {
                None => there.into_iter().collect(),
                Some(mut others) => {
                    others.retain(|name| there.contains(name));
                    others
                }
            });
            pinned.results = self.results(earlier, platform);
            for warning in &warnings {
                machine.reporter.warn(warning.to_string(), None);
            }
            lock.platforms.insert(platform.to_string(), pinned);
        }
        Ok(everywhere.unwrap_or_default())
    }

    /// Whether there will be something to compile, as far as that can be told before it is known what.
    fn compiles(&self, inputs: &Inputs) -> bool {
        self.is_made_here && !inputs.asked.requirements.is_empty()
    }

    /// What steps came to before, but for what is to be chosen anew.
    fn results(&self, earlier: Option<&Previous>, platform: &Platform) -> Results {
        let earlier = earlier.and_then(|earlier| earlier.lock.platform(platform));
        let Some(PlatformLock { results, .. }) = earlier.filter(|_| self.recipe.apt_packages().is_some())
        else {
            return Results::default();
        };
        match (self.request.refresh, &self.request.upgrade) {
            // This build chooses anew, and what it comes to is as good as what there was.
            (Refresh::Always, Upgrade::Nothing) => results.unsettled(),
            (_, upgrade) => results.released(upgrade),
        }
    }

    /// What of a foreign lock is chosen anew: what its source does not have, or where that cannot be found out,
    /// everything but the packages, which are looked for in their indexes anyway.
    async fn unconfirmed(&self, locker: &Locker<'_>, foreign: &PlatformLock, place: &str) -> Vec<Pin> {
        let reporter = &self.machine.reporter;
        match locker.unconfirmed(&self.recipe, foreign).await {
            Ok(pins) => {
                for pin in &pins {
                    let what = format!("{place} pins {pin} otherwise than they are to be had now");
                    reporter.warn(format!("{what}: they are chosen anew"), None);
                }
                pins
            }
            Err(error) => {
                let what = format!("whether what {place} pins is to be had is unknown: {error}");
                reporter.warn(format!("{what}; only versions of packages are kept"), error.hint());
                vec![Pin::Base, Pin::Debian, Pin::Python]
            }
        }
    }
}

impl Machine {
    /// uv, installed if it is nowhere.
    pub(crate) async fn uv(&self) -> Result<Uv, BuildError> {
        self.workplace.uv.get_or_try_init(|| self.find_uv()).await.cloned()
    }

    async fn find_uv(&self) -> Result<Uv, BuildError> {
        let search = UvSearch {
            explicit: self.uv.as_deref(),
            beside: self.program_folder.as_deref(),
            tools: &self.store.tools(),
            host: &self.host,
        };
        let mut is_new = false;
        let uv = locate(&search, || {
            is_new = true;
            self.reporter.started(Stage::Install, UV);
        });
        let uv = uv.await?;
        if is_new {
            self.reporter.ended(Stage::Install, UV);
        }
        Ok(uv)
    }
}

/// What became of a distribution that a front end asks for; nothing where that is another thing on each platform.
fn outcome(name: &PackageName, there: &BTreeSet<PackageName>, lock: &Lock) -> Option<Outcome> {
    if there.contains(name) {
        return Some(Outcome::There);
    }
    let mut versions = lock.platforms.values().map(|pinned| {
        let mut packages = pinned.packages.iter();
        packages.find(|package| package.name == *name).map(|package| &package.version)
    });
    let first = versions.next()??;
    versions.all(|version| version == Some(first)).then(|| Outcome::Installed(first.clone()))
}

impl Previous {
    /// `, keeping what image.lock pins (packages changed since)`.
    fn keeping(&self) -> String {
        let Self { place, changed, .. } = self;
        match &changed[..] {
            [] => format!(", keeping what {place} pins"),
            changed => format!(", keeping what {place} pins ({} changed since)", changed.join(", ")),
        }
    }
}
