//! Makes the layers of a plan, sends each as soon as it is there, and puts the image together.

use std::sync::Arc;

use imagewright_lock::Lock;
use imagewright_lock::facts::Installed;
use imagewright_plan::Plan;

use crate::BuildError;
use crate::event::LayerSource;
use crate::execute::Executor;
use crate::image::{FinishedLayer, Image, assemble};
use crate::job::{Inputs, Job};
use crate::lookup::Shelves;
use crate::obtain::Obtaining;
use crate::overlap::overlaps;
use crate::produce::{Memory, Places, Producer};
use crate::provenance::Provenance;
use crate::push::Pusher;
use crate::report::LayerReport;

impl Job<'_> {
    /// Makes the image; one that is pushed gets its lock attached.
    pub(crate) async fn make(
        &self,
        inputs: &Inputs,
        plan: &Plan,
        lock: &Lock,
    ) -> Result<(Image, Vec<LayerReport>), BuildError> {
        let machine = self.machine;
        let pusher = self.request.push.then_some(Pusher {
            client: &machine.client,
            store: &machine.store,
            target: &self.target,
            reporter: &machine.reporter,
        });
        let made = self.make_and_push(inputs, plan, lock, pusher.as_ref());
        let Some(pusher) = pusher.as_ref().filter(|_| machine.attach_lock) else { return made.await };
        // The lock is known first of all, so it goes beside the layers; nobody waits for it before the tag.
        let sent = async { Ok(pusher.send_lock(lock).await) };
        let (made, sent) = tokio::try_join!(made, sent)?;
        pusher.attach(&made.0, sent).await;
        Ok(made)
    }

    async fn make_and_push(
        &self,
        inputs: &Inputs,
        plan: &Plan,
        lock: &Lock,
        pusher: Option<&Pusher<'_>>,
    ) -> Result<(Image, Vec<LayerReport>), BuildError> {
        let machine = self.machine;
        let mut producer = self.producer(self.shelves(), inputs, lock);
        let executor = Executor::of(machine, plan, Arc::clone(&inputs.secrets));
        executor.check(&mut producer).await?;
        let obtaining = Obtaining { machine, plan, producer: &producer, pusher, executor: &executor };
        let layers = obtaining.layers();
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
        self.warn_of_unset(plan);
        let provenance = Provenance {
            inputs: self.declared.inputs.clone(),
            declared: self.declared.digest,
            lock: Some(lock.digest()),
        };
        let image = assemble(plan, &finished, &provenance);
        if let Some(pusher) = pusher {
            pusher.commit(&image, &finished).await?;
        }
        Ok((image, base_reports(plan).chain(reports).collect()))
    }

    /// What makes layers, and takes those that are on `shelves`.
    pub(crate) fn producer(&self, shelves: Shelves, inputs: &Inputs, lock: &Lock) -> Producer {
        let machine = self.machine;
        Producer {
            shelves,
            store: machine.store.clone(),
            downloads: inputs.downloads.clone(),
            mirrors: machine.mirrors.clone(),
            python_mirror: machine.python_mirror.clone(),
            threads: machine.threads,
            epoch: lock.epoch,
            reporter: machine.reporter.clone(),
            places: Places::of(&self.sources),
            memory: Memory::default(),
            no_cache: self.request.no_cache,
        }
    }

    /// Says what is not needed here: the images of tools are for Docker.
    pub(crate) fn warn_of_unused(&self) {
        let keys: Vec<String> =
            self.request.spec.builder_config.keys().map(|key| format!("`{key}`")).collect();
        if !keys.is_empty() {
            let what = format!("builder_config: {} changes nothing", keys.join(" and "));
            let hint = "it is for the docker builder; the native one has its tools from this machine";
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
