//! Wheels that a lock pins, and that the store does not have any more, or that are to be built anew.

use futures_util::FutureExt as _;
use futures_util::future::LocalBoxFuture;
use imagewright_lock::python::{LockedPackage, WheelSource};
use imagewright_lock::{BuildRoot, Lock};
use imagewright_plan::{Content, Plan};

use super::WheelMaker;
use crate::BuildError;
use crate::job::{Inputs, Job};
use crate::produce::Producer;

impl Job<'_> {
    /// Builds the wheels that a layer is to be made of and the store does not have any more.
    pub(crate) async fn restore_wheels_of(
        &self,
        inputs: &Inputs,
        plan: &Plan,
        lock: &Lock,
        producer: &Producer,
    ) -> Result<(), BuildError> {
        for definition in &plan.layers {
            let Content::Wheels(group) = &definition.content else { continue };
            let is_built = |package: &LockedPackage| matches!(package.source, WheelSource::Built(_));
            if group.packages.iter().any(is_built) && producer.kept(definition).await?.is_none() {
                self.restore_wheels(inputs, plan, lock, &group.packages).await?;
            }
        }
        Ok(())
    }

    /// Builds what of `packages` is built and is not in the store any more.
    pub(crate) async fn restore_wheels(
        &self,
        inputs: &Inputs,
        plan: &Plan,
        lock: &Lock,
        packages: &[LockedPackage],
    ) -> Result<(), BuildError> {
        let platform = &plan.platform;
        let pinned = lock.platform(platform);
        let pinned = pinned.ok_or_else(|| BuildError::NoPlatform { platform: platform.clone() })?;
        let maker = self.wheel_maker(inputs, lock.epoch);
        maker.restore(BuildRoot { platform, lock: pinned, base: &plan.base }, packages).await
    }
}

impl WheelMaker<'_> {
    /// Builds what of `packages` is built and is not at hand, from what the lock says.
    pub(crate) fn restore<'s>(
        &'s self,
        root: BuildRoot<'s>,
        packages: &'s [LockedPackage],
    ) -> LocalBoxFuture<'s, Result<(), BuildError>> {
        async move {
            for package in packages {
                let WheelSource::Built(build) = &package.source else { continue };
                // A frozen lock has the wheel itself, which a build that is not reproducible would not make again.
                let is_taken = self.job.request.frozen || self.may_take(&package.sha256);
                if is_taken && self.machine.store.artifact(&package.sha256)?.is_some() {
                    continue;
                }
                let wheel = self.built(root, build).await?;
                if wheel.sha256 != package.sha256 {
                    return Err(BuildError::OtherWheel {
                        filename: package.filename.to_string(),
                        source_name: build.to_string(),
                        pinned: package.sha256,
                        built: wheel.sha256,
                    });
                }
            }
            Ok(())
        }
        .boxed_local()
    }
}
