//! Makes the layers of each platform, sends each as soon as it is there, and puts the image together: the index last,
//! when there are several platforms.

use std::sync::Arc;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use imagewright_lock::Lock;
use imagewright_lock::facts::Installed;
use imagewright_oci::{Descriptor, ImageReference};
use imagewright_plan::Plan;

use crate::BuildError;
use crate::event::LayerSource;
use crate::image::{FinishedLayer, Image, assemble, index};
use crate::job::{Inputs, Job};
use crate::lookup::Shelves;
use crate::obtain::{Obtaining, There};
use crate::overlap::overlaps;
use crate::produce::{Places, Producer};
use crate::provenance::Provenance;
use crate::push::Pusher;
use crate::report::{LayerReport, PartReport};
use crate::step::execute::Executor;

/// An image that was made.
#[derive(Clone, Debug)]
pub(crate) struct Made {
    /// What is under the tag: a manifest, or an index.
    pub(crate) descriptor: Descriptor,
    /// What was made for each platform, in the order of the plans.
    pub(crate) parts: Vec<PartReport>,
}

impl Job<'_> {
    /// Makes the image; one that is pushed gets its lock attached. What it was made from is told with it: a lock with
    /// results, where that which was asked for had none.
    pub(crate) async fn make(
        &self,
        inputs: &Inputs,
        plans: &[Plan],
        lock: &Lock,
    ) -> Result<(Made, Lock, Vec<Plan>), BuildError> {
        let machine = self.machine;
        let pusher = self.request.push.then_some(Pusher {
            client: &machine.client,
            store: &machine.store,
            target: &self.target,
            reporter: &machine.reporter,
        });
        let pusher = pusher.as_ref();
        let mut producer = self.producer(self.shelves(), inputs, lock.epoch);
        let executors: Vec<Executor<'_>> = plans.iter().map(|plan| self.executor(plan, inputs)).collect();
        // What cannot be executed here is said before anything is made.
        for executor in &executors {
            executor.check(&mut producer).await?;
        }
        let (mut lock, mut settled, mut there) = (lock.clone(), Vec::new(), There::new());
        for (plan, executor) in plans.iter().zip(&executors) {
            let obtaining = Obtaining { machine, plan, producer: &producer, pusher, executor };
            let part = self.settle(inputs, lock, obtaining).await?;
            lock = part.lock;
            there.extend(part.there);
            settled.push(part.plan);
        }
        for plan in &settled {
            self.restore_wheels_of(inputs, plan, &lock, &producer).await?;
        }
        let executors: Vec<Executor<'_>> =
            settled.iter().zip(&executors).map(|(plan, executor)| executor.with_plan(plan)).collect();
        let provenance = self.provenance(&lock);
        let part = Part { job: self, producer: &producer, provenance: &provenance, pusher, there: &there };
        let made = self.make_and_push(part, &executors, &settled);
        let made = match pusher.filter(|_| machine.attach_lock) {
            None => made.await?,
            Some(pusher) => {
                // The lock is known by now, so it goes beside the layers; nobody waits for it before the tag.
                let sent = async { Ok(pusher.send_lock(&lock).await) };
                let (made, sent) = tokio::try_join!(made, sent)?;
                pusher.attach(&made.descriptor, sent).await;
                made
            }
        };
        Ok((made, lock, settled))
    }

    async fn make_and_push(
        &self,
        part: Part<'_>,
        executors: &[Executor<'_>],
        plans: &[Plan],
    ) -> Result<Made, BuildError> {
        // Commands have the machine for themselves, and each other's caches.
        let executes = |plan: &Plan| plan.layers.iter().any(|layer| layer.execution().is_some());
        let at_once = if plans.iter().any(executes) { 1 } else { plans.len() };
        // The tag of several is their index's.
        let name = &(if plans.len() == 1 { self.target.clone() } else { self.target.name_only() });
        let parts = plans.iter().zip(executors).map(|(plan, executor)| part.make(plan, executor, name));
        let parts: Vec<(Image, Vec<LayerReport>)> =
            stream::iter(parts).buffered(at_once).try_collect().await?;
        let images: Vec<&Image> = parts.iter().map(|(image, _)| image).collect();
        let descriptor = match &images[..] {
            [image] => image.descriptor.clone(),
            images => part.list(images).await?,
        };
        let parts = parts.into_iter().map(|(image, layers)| PartReport::new(&image, layers)).collect();
        Ok(Made { descriptor, parts })
    }

    /// What runs the executions of a plan.
    pub(crate) fn executor<'b>(&'b self, plan: &'b Plan, inputs: &Inputs) -> Executor<'b> {
        Executor::of(self.machine, &self.target, plan, Arc::clone(&inputs.secrets), self.network())
    }

    /// What makes layers, and takes those that are on `shelves`.
    pub(crate) fn producer(&self, shelves: Shelves, inputs: &Inputs, epoch: u64) -> Producer {
        let machine = self.machine;
        Producer {
            shelves,
            store: machine.store.clone(),
            downloads: inputs.downloads.clone(),
            mirrors: machine.mirrors.clone(),
            python_mirror: machine.python_mirror.clone(),
            threads: machine.threads,
            epoch,
            reporter: machine.reporter.clone(),
            places: Places::of(&self.sources),
            workplace: machine.workplace.clone(),
            no_cache: self.request.no_cache,
        }
    }

    /// Says what is not needed here: the images of tools are for Docker.
    pub(crate) fn warn_of_unused(&self) {
        let keys: Vec<String> =
            self.request.spec.builder_config.keys().map(|key| format!("`{key}`")).collect();
        if !keys.is_empty() {
            let what = format!("builder_config: the native builder does not use {}", keys.join(" and "));
            let hint = "it has its tools from this machine; images of tools are for `builder: docker`";
            self.machine.reporter.warn(what, Some(hint.to_owned()));
        }
    }

    /// Says what variables of the image refer to in vain.
    pub(crate) fn warn_of_unset(&self, plan: &Plan) {
        for unset in &plan.unset {
            let hint = "a dollar sign that is to stay is written `\\$`";
            self.machine.reporter.warn(unset.to_string(), Some(hint.to_owned()));
        }
    }
}

/// What makes the image of one platform.
#[derive(Clone, Copy, Debug)]
struct Part<'a> {
    job: &'a Job<'a>,
    producer: &'a Producer,
    provenance: &'a Provenance,
    pusher: Option<&'a Pusher<'a>>,
    /// Layers that are there already.
    there: &'a There,
}

impl Part<'_> {
    /// Makes it, and puts it under `name` when it is pushed.
    async fn make(
        self,
        plan: &Plan,
        executor: &Executor<'_>,
        name: &ImageReference,
    ) -> Result<(Image, Vec<LayerReport>), BuildError> {
        let Self { job, producer, provenance, pusher, there } = self;
        let machine = job.machine;
        let layers = Obtaining { machine, plan, producer, pusher, executor }.layers(there);
        let base = async {
            match pusher {
                Some(pusher) => pusher.push_base(&plan.base).await,
                None => machine.keep_local_base(&plan.base).await,
            }
        };
        let (layers, ()) = tokio::try_join!(layers, base)?;
        let (finished, reports): (Vec<FinishedLayer>, Vec<LayerReport>) = layers.into_iter().unzip();
        let installed: Vec<&Installed> = finished.iter().flat_map(|layer| &layer.installed).collect();
        for overlap in overlaps(&installed) {
            machine.reporter.warn(overlap.to_string(), None);
        }
        job.warn_of_unset(plan);
        let image = assemble(plan, &finished, provenance);
        if let Some(pusher) = pusher {
            pusher.commit(&image, name, &finished).await?;
        }
        machine.keep(&image)?;
        Ok((image, base_reports(plan).chain(reports).collect()))
    }

    /// Makes the index of the images, which are there, and puts it under the tag when it is pushed.
    async fn list(self, images: &[&Image]) -> Result<Descriptor, BuildError> {
        let (descriptor, bytes) = index(images, self.provenance);
        self.job.machine.store.put_blob(&bytes)?;
        if let Some(pusher) = self.pusher {
            pusher.commit_index(bytes).await?;
        }
        Ok(descriptor)
    }
}

fn base_reports(plan: &Plan) -> impl Iterator<Item = LayerReport> + '_ {
    plan.base.layers.iter().map(|layer| LayerReport {
        digest: layer.descriptor.digest,
        diff_id: layer.diff_id,
        size: layer.descriptor.size,
        kind: None,
        packages: Vec::new(),
        source: LayerSource::Base,
    })
}
