//! Pins the inputs of an image: from a lock that covers them, else anew, with what an earlier lock has preferred.

use imagewright_lock::python::Refresh;
use imagewright_lock::uv::{Uv, UvSearch, locate};
use imagewright_lock::{Lock, Locked, LockedInputs, Locker, Upgrade};

use crate::BuildError;
use crate::event::Stage;
use crate::job::{Inputs, Job};
use crate::last_build::LastBuild;
use crate::native::GivenLock;

/// What is installed when this machine has none.
const UV: &str = "uv, which resolves Python packages";

impl Job<'_> {
    /// The lock of the image.
    ///
    /// A given lock that covers the spec is taken as it is, so that nothing moves while it stands; one that covers all
    /// but the copied files is taken with these, unless it is frozen. One that does not, or else that of the last build of the image, is preferred: a new package moves no other.
    pub(crate) async fn lock(&self, inputs: &Inputs) -> Result<Lock, BuildError> {
        let request = self.request;
        let wanted = self.locked_inputs();
        let mut keeping = String::new();
        let mut previous = None;
        if let Some(GivenLock { lock, place }) = &request.lock {
            let uncovered = lock.uncovered(&wanted, &self.recipe.platforms);
            let is_kept = request.upgrade == Upgrade::Nothing && request.refresh == Refresh::WhenOld;
            if uncovered.is_empty() && (request.frozen || is_kept) {
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
            keeping = preference(place, &uncovered);
            previous = Some(lock.clone());
        } else if let Some(last) = LastBuild::of(&self.machine.store, &self.target)? {
            keeping = preference("the last build", &[]);
            previous = Some(last.lock);
        }
        if request.refresh == Refresh::Always || request.upgrade == Upgrade::Everything {
            keeping.clear();
        }
        if let Some(previous) = &previous {
            request.upgrade.check(previous, &inputs.asked.requirements)?;
        }
        let LockedInputs { digests, sources } = wanted;
        let mut lock = Lock {
            version: Lock::VERSION,
            epoch: request.epoch,
            inputs: digests,
            sources,
            platforms: [].into(),
        };
        self.resolve(inputs, &mut lock, previous.as_ref(), &keeping).await?;
        if previous.is_none() {
            // All of it is new, so that only the result can tell a mistyped name.
            request.upgrade.check(&lock, &inputs.asked.requirements)?;
        }
        Ok(lock)
    }

    /// Resolves for each platform.
    async fn resolve(
        &self,
        inputs: &Inputs,
        lock: &mut Lock,
        previous: Option<&Lock>,
        keeping: &str,
    ) -> Result<(), BuildError> {
        let (machine, request) = (self.machine, self.request);
        let uv = self.uv().await?;
        let locker = Locker {
            client: &machine.client,
            store: &machine.store,
            downloads: &inputs.downloads,
            uv: &uv,
            host: &machine.host,
            asked: &inputs.asked,
            debian: self.debian(inputs),
            python_mirror: &machine.python_mirror,
            upgrade: &request.upgrade,
            refresh: request.refresh,
            offline: request.offline,
        };
        for platform in &self.recipe.platforms {
            self.machine
                .reporter
                .started(Stage::Resolve, format!("{} for {platform}{keeping}", request.spec.name));
            let previous = previous.and_then(|lock| lock.platform(platform));
            let Locked { lock: pinned, warnings, .. } = locker.lock(&self.recipe, platform, previous).await?;
            for warning in &warnings {
                machine.reporter.warn(warning.to_string(), None);
            }
            lock.platforms.insert(platform.to_string(), pinned);
        }
        Ok(())
    }

    async fn uv(&self) -> Result<Uv, BuildError> {
        let machine = self.machine;
        let search = UvSearch {
            explicit: machine.uv.as_deref(),
            beside: machine.program_folder.as_deref(),
            tools: &machine.store.tools(),
            host: &machine.host,
        };
        let mut is_new = false;
        let uv = locate(&search, || {
            is_new = true;
            machine.reporter.started(Stage::Install, UV);
        });
        let uv = uv.await?;
        if is_new {
            machine.reporter.ended(Stage::Install, UV);
        }
        Ok(uv)
    }
}

/// `, keeping what image.lock pins (packages changed since)`.
fn preference(place: &str, changed: &[String]) -> String {
    match changed {
        [] => format!(", keeping what {place} pins"),
        changed => format!(", keeping what {place} pins ({} changed since)", changed.join(", ")),
    }
}
