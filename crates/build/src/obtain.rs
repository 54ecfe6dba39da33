//! Layers that are there: found, made by the producer or by a command, and sent as soon as they are.

use std::collections::BTreeMap;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use imagewright_layer::LayerKey;
use imagewright_plan::{AptAccess, AptVersions, Content, Execution, LayerDefinition, Plan};
use imagewright_registry::RegistryError;
use imagewright_store::LayerRecord;
use tokio::sync::SetOnce;

use crate::BuildError;
use crate::event::{Event, LayerSource};
use crate::image::FinishedLayer;
use crate::mend::discard_damaged;
use crate::native::Machine;
use crate::produce::{Obtained, Producer};
use crate::push::Pusher;
use crate::report::LayerReport;
use crate::step::execute::Executor;

/// How many layers are made at once; each uses its own threads, so this bounds memory, not cores.
const LAYERS_AT_ONCE: usize = 4;

/// A layer, once it is there.
type Slot = SetOnce<(FinishedLayer, LayerReport)>;

/// Layers that are there, by their keys.
pub(crate) type There = BTreeMap<LayerKey, (FinishedLayer, LayerReport)>;

/// What obtains the layers of one plan.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Obtaining<'a> {
    pub(crate) machine: &'a Machine,
    pub(crate) plan: &'a Plan,
    pub(crate) producer: &'a Producer,
    /// Where the layers go, when they go to a registry.
    pub(crate) pusher: Option<&'a Pusher<'a>>,
    /// What runs commands.
    pub(crate) executor: &'a Executor<'a>,
}

impl Obtaining<'_> {
    /// All layers, lowest first; those of `there` are not obtained again.
    pub(crate) async fn layers(self, there: &There) -> Result<Vec<(FinishedLayer, LayerReport)>, BuildError> {
        let slot = |definition: &LayerDefinition| Slot::new_with(there.get(&definition.key).cloned());
        let slots: Vec<Slot> = self.plan.layers.iter().map(slot).collect();
        tokio::try_join!(self.unexecuted(&slots), self.executed(&slots, slots.len()))?;
        Ok(slots.into_iter().map(|slot| slot.into_inner().expect("every layer is there")).collect())
    }

    /// The layers below the one at `end`, and all that no command makes.
    pub(crate) async fn layers_before(self, end: usize) -> Result<There, BuildError> {
        let slots: Vec<Slot> = self.plan.layers.iter().map(|_| Slot::new()).collect();
        tokio::try_join!(self.unexecuted(&slots), self.executed(&slots, end))?;
        let slots = self.plan.layers.iter().zip(slots);
        Ok(slots.filter_map(|(definition, slot)| Some((definition.key, slot.into_inner()?))).collect())
    }

    /// Layers that no command makes depend on no other, and are made beside each other.
    async fn unexecuted(&self, slots: &[Slot]) -> Result<(), BuildError> {
        let layers = self.plan.layers.iter().zip(slots);
        stream::iter(layers.filter(|(definition, _)| definition.execution().is_none()))
            .map(|(definition, slot)| self.fill(slot, definition, &[]))
            .buffer_unordered(LAYERS_AT_ONCE)
            .try_collect()
            .await
    }

    /// A command runs when everything below it is there.
    async fn executed(&self, slots: &[Slot], end: usize) -> Result<(), BuildError> {
        let layers = &self.plan.layers[..end];
        let Some(last) = layers.iter().rposition(|layer| layer.execution().is_some()) else {
            return Ok(());
        };
        let mut below = Vec::new();
        for (definition, slot) in layers.iter().zip(slots).take(last + 1) {
            if definition.execution().is_some() {
                self.fill(slot, definition, &below).await?;
            }
            below.push(&slot.wait().await.0);
        }
        Ok(())
    }

    async fn fill(
        &self,
        slot: &Slot,
        definition: &LayerDefinition,
        below: &[&FinishedLayer],
    ) -> Result<(), BuildError> {
        if slot.initialized() {
            return Ok(());
        }
        let layer = self.obtain_and_push(definition, below).await?;
        slot.set(layer).expect("a layer is obtained once");
        Ok(())
    }

    async fn obtain_and_push(
        &self,
        definition: &LayerDefinition,
        below: &[&FinishedLayer],
    ) -> Result<(FinishedLayer, LayerReport), BuildError> {
        let (mut layer, mut source) = self.obtain(definition, below).await?;
        if let Some(pusher) = self.pusher {
            let is_mounted = match pusher.push_layer(&layer).await {
                Err(error) if self.is_discarded(&error, &layer).await? => {
                    (layer, source) = self.obtain(definition, below).await?;
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
        definition: &LayerDefinition,
        below: &[&FinishedLayer],
    ) -> Result<(FinishedLayer, LayerSource), BuildError> {
        // Boxed, because a command in a sandbox is a large future.
        let make = Box::pin(self.make(definition, below));
        let Obtained { record, installed, was_made } = self.producer.obtain(definition, make).await?;
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
            Content::Execution(Execution {
                apt: Some(AptAccess { versions: AptVersions::Chosen(packages), .. }),
                ..
            }) => packages.iter().map(|one| format!("{} {}", one.full_name(), one.version)).collect(),
            _ => installed.iter().map(|one| format!("{} {}", one.name, one.version)).collect(),
        };
        let layer = FinishedLayer {
            key: record.key,
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

    async fn make(
        &self,
        definition: &LayerDefinition,
        below: &[&FinishedLayer],
    ) -> Result<LayerRecord, BuildError> {
        match definition.execution() {
            Some(execution) => self.executor.layer(self.producer, definition, execution, below).await,
            None => self.producer.make(definition).await,
        }
    }
}
