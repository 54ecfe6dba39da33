//! What is only known when something has run: versions that apt chooses. They are chosen before anything is installed, and
//! become part of the lock; from there on all is as if they had been there from the start (design D10).

use imagewright_lock::{Lock, SystemPackage};
use imagewright_plan::{AptVersions, LayerDefinition, Plan};

use crate::BuildError;
use crate::event::Stage;
use crate::forecast::with_causes;
use crate::image::FinishedLayer;
use crate::job::{Inputs, Job, Planned};
use crate::obtain::{Obtaining, There};

/// A lock with results, its plan, and the layers that were needed for them.
#[derive(Debug)]
pub(crate) struct Settled {
    pub(crate) lock: Lock,
    pub(crate) plan: Plan,
    pub(crate) there: There,
}

impl Job<'_> {
    /// The lock with the versions that apt chooses, where it has none yet. Nothing is made for that but what apt runs
    /// in.
    pub(crate) async fn settle_lock(&self, inputs: &Inputs, mut lock: Lock) -> Result<Lock, BuildError> {
        for platform in &self.recipe.platforms {
            let Planned { plan, .. } = self.plan(inputs, platform, &lock).await?;
            let Some(open) = plan.layers.iter().position(is_open) else { continue };
            let plan = Plan { layers: plan.layers[..=open].to_vec(), ..plan };
            lock = match self.settle_alone(inputs, &lock, &plan).await {
                Ok(settled) => settled,
                Err(error @ (BuildError::NoSandbox { .. } | BuildError::ForeignPlatform { .. })) => {
                    let what = format!("versions of apt_packages for {platform} are not in the lock");
                    let hint =
                        "`build` chooses them, and fails with `--frozen`: lock where they can be chosen";
                    let message = format!("{what}: {}", with_causes(&error));
                    self.machine.reporter.warn(message, Some(hint.to_owned()));
                    lock
                }
                Err(error) => return Err(error),
            };
        }
        Ok(lock)
    }

    async fn settle_alone(&self, inputs: &Inputs, lock: &Lock, plan: &Plan) -> Result<Lock, BuildError> {
        let mut producer = self.producer(self.shelves(), inputs, lock.epoch);
        let executor = self.executor(plan, inputs);
        executor.check(&mut producer).await?;
        let (machine, executor) = (self.machine, &executor);
        let obtaining = Obtaining { machine, plan, producer: &producer, pusher: None, executor };
        // Boxed, because a command in a sandbox is a large future.
        Ok(Box::pin(self.settle(inputs, lock.clone(), obtaining)).await?.lock)
    }

    /// Lets apt choose the versions that a lock has not, or those of a layer that has to be made, where the lock may
    /// give way.
    pub(crate) async fn settle(
        &self,
        inputs: &Inputs,
        lock: Lock,
        obtaining: Obtaining<'_>,
    ) -> Result<Settled, BuildError> {
        let Obtaining { plan, producer, executor, .. } = obtaining;
        let apt =
            |layer: &LayerDefinition| layer.execution().is_some_and(|execution| execution.apt.is_some());
        let as_it_is = |lock| Ok(Settled { lock, plan: plan.clone(), there: There::new() });
        let Some(at) = plan.layers.iter().position(apt) else { return as_it_is(lock) };
        let definition = &plan.layers[at];
        let Some((execution, access)) = definition.execution().and_then(|it| Some((it, it.apt.as_ref()?)))
        else {
            return as_it_is(lock);
        };
        let is_kept = match access.versions {
            AptVersions::Chosen(_) => self.request.frozen || producer.kept(definition).await?.is_some(),
            AptVersions::Preferred(_) => false,
        };
        if is_kept {
            return as_it_is(lock);
        }
        let there = obtaining.layers_before(at).await?;
        let below: Vec<&FinishedLayer> =
            plan.layers[..at].iter().filter_map(|layer| there.get(&layer.key)).map(|it| &it.0).collect();
        self.machine.reporter.started(Stage::Resolve, &definition.title);
        let chosen = executor.choose(producer, definition, execution, &below).await?;
        if let AptVersions::Chosen(before) = &access.versions {
            self.warn_of_moved(&definition.title, before, &chosen);
        }
        let lock = lock.with_apt_result(&plan.platform, access.of, chosen);
        let Planned { plan, .. } = self.plan(inputs, &plan.platform, &lock).await?;
        Ok(Settled { lock, plan, there })
    }

    /// Says which versions are to be had no longer.
    fn warn_of_moved(&self, title: &str, before: &[SystemPackage], now: &[SystemPackage]) {
        let moved = before.iter().filter_map(|before| {
            let now = now.iter().find(|now| now.full_name() == before.full_name())?;
            let is_same = now.version.as_str() == before.version.as_str();
            (!is_same).then(|| format!("{} {} is now {}", before.full_name(), before.version, now.version))
        });
        let moved: Vec<String> = moved.collect();
        if !moved.is_empty() {
            let hint = "the lock's versions are to be had no longer; `--frozen` would fail";
            self.machine.reporter.warn(format!("{title}: {}", moved.join(", ")), Some(hint.to_owned()));
        }
    }
}

/// Whether a layer is one of apt's that has no versions.
pub(crate) fn is_open(layer: &LayerDefinition) -> bool {
    let apt = layer.execution().and_then(|execution| execution.apt.as_ref());
    apt.is_some_and(|access| matches!(access.versions, AptVersions::Preferred(_)))
}
