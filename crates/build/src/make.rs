//! Makes the layers of a plan, sends each as soon as it is there, and puts the image together.

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use imagewright_lock::Lock;
use imagewright_lock::facts::Installed;
use imagewright_plan::{Content, LayerDefinition, Plan};
use imagewright_registry::RegistryError;

use crate::BuildError;
use crate::event::{Event, LayerSource};
use crate::image::{FinishedLayer, Image, assemble};
use crate::job::{Inputs, Job};
use crate::mend::discard_damaged;
use crate::native::Machine;
use crate::overlap::overlaps;
use crate::produce::{Memory, Obtained, Places, Producer};
use crate::provenance::Provenance;
use crate::push::Pusher;
use crate::report::LayerReport;

/// How many layers are made at once; each uses its own threads, so this bounds memory, not cores.
const LAYERS_AT_ONCE: usize = 4;

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
        let producer = Producer {
            shelves: self.shelves(),
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
        };
        let layers = stream::iter(&plan.layers)
            .map(|definition| self.obtain_and_push(&producer, pusher, definition))
            .buffered(LAYERS_AT_ONCE)
            .try_collect::<Vec<_>>();
        let base = async {
            match pusher {
                Some(pusher) => pusher.push_base(&plan.base).await,
                None => Ok(()),
            }
        };
        let (layers, ()) = tokio::try_join!(layers, base)?;
        let (finished, reports): (Vec<FinishedLayer>, Vec<LayerReport>) = layers.into_iter().unzip();
        let installed: Vec<&Installed> = finished.iter().flat_map(|layer| &layer.installed).collect();
        for overlap in overlaps(&installed) {
            machine.reporter.warn(overlap.to_string(), None);
        }
        for unset in &plan.unset {
            let hint = "a dollar sign that is to stay is written `\\$`";
            machine.reporter.warn(unset.to_string(), Some(hint.to_owned()));
        }
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

    async fn obtain_and_push(
        &self,
        producer: &Producer,
        pusher: Option<&Pusher<'_>>,
        definition: &LayerDefinition,
    ) -> Result<(FinishedLayer, LayerReport), BuildError> {
        let (mut layer, mut source) = self.obtain(producer, definition).await?;
        if let Some(pusher) = pusher {
            let is_mounted = match pusher.push_layer(&layer).await {
                Err(error) if self.is_discarded(&error, &layer).await? => {
                    (layer, source) = self.obtain(producer, definition).await?;
                    pusher.push_layer(&layer).await?
                }
                outcome => outcome?,
            };
            // One that was made now cost that, whatever the registry has.
            if is_mounted && source == LayerSource::Cached {
                source = LayerSource::Mounted;
            }
        }
        let report = LayerReport {
            digest: layer.digest,
            diff_id: layer.diff_id,
            size: layer.size,
            kind: Some(layer.kind),
            packages: layer.packages.clone(),
            source,
        };
        Ok((layer, report))
    }

    /// Whether a layer could not be sent because it was damaged in the store, where it is gone now.
    async fn is_discarded(&self, error: &BuildError, layer: &FinishedLayer) -> Result<bool, BuildError> {
        let Machine { store, reporter, .. } = self.machine;
        match error {
            BuildError::Registry(RegistryError::Source { .. }) => {
                discard_damaged(store, reporter, layer.digest, &layer.title).await
            }
            _ => Ok(false),
        }
    }

    async fn obtain(
        &self,
        producer: &Producer,
        definition: &LayerDefinition,
    ) -> Result<(FinishedLayer, LayerSource), BuildError> {
        let Obtained { record, installed, was_made } = producer.obtain(definition).await?;
        let source = if was_made { LayerSource::Produced } else { LayerSource::Cached };
        self.machine.reporter.report(Event::Layer {
            title: definition.title.clone(),
            kind: definition.kind,
            digest: record.digest,
            size: record.size,
            source,
        });
        let packages: Vec<String> = match &definition.content {
            Content::Debian(group) => {
                group.packages.iter().map(|one| format!("{} {}", one.name, one.version)).collect()
            }
            _ => installed.iter().map(|one| format!("{} {}", one.name, one.version)).collect(),
        };
        let layer = FinishedLayer {
            key: definition.key,
            title: definition.title.clone(),
            digest: record.digest,
            diff_id: record.diff_id,
            size: record.size,
            media_type: record.facts.media_type.clone(),
            installed,
            kind: definition.kind,
            packages,
        };
        Ok((layer, source))
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
