//! What the last build of a name was made of: why a layer has to be made again is told against it.

use std::collections::BTreeMap;

use imagewright_lock::Lock;
use imagewright_oci::{Digest, ImageReference, Platform};
use imagewright_plan::{LayerDefinition, LayerKind, Plan};
use imagewright_store::{DocumentKind, Store, StoreError};
use serde::{Deserialize, Serialize};

const LAST_BUILD: DocumentKind = DocumentKind("last-build");

/// The last build of an image on this machine, whatever its tag was.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct LastBuild {
    /// What was pinned.
    pub(crate) lock: Lock,
    /// Its layers, by platform.
    layers: BTreeMap<String, Vec<KnownLayer>>,
}

/// A layer of an earlier build.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct KnownLayer {
    pub(crate) key: Digest,
    pub(crate) kind: LayerKind,
    pub(crate) title: String,
    pub(crate) inputs: BTreeMap<String, String>,
}

impl LastBuild {
    /// What was built from `lock`.
    pub(crate) fn new(lock: &Lock, plans: &[Plan]) -> Self {
        let known = |layer: &LayerDefinition| KnownLayer {
            key: layer.key.0,
            kind: layer.kind,
            title: layer.title.clone(),
            inputs: layer.inputs.clone(),
        };
        let layers =
            plans.iter().map(|plan| (plan.platform.to_string(), plan.layers.iter().map(known).collect()));
        Self { lock: lock.clone(), layers: layers.collect() }
    }

    /// The layers for a platform; none when it was not built.
    pub(crate) fn layers(&self, platform: &Platform) -> &[KnownLayer] {
        self.layers.get(&platform.to_string()).map_or(&[], Vec::as_slice)
    }

    /// The last build of an image, by its name without the tag.
    pub(crate) fn of(store: &Store, image: &ImageReference) -> Result<Option<Self>, StoreError> {
        store.document(LAST_BUILD, &key(image))
    }

    /// Remembers this build as the last of an image.
    pub(crate) fn record(&self, store: &Store, image: &ImageReference) -> Result<(), StoreError> {
        store.put_document(LAST_BUILD, &key(image), self)
    }
}

fn key(image: &ImageReference) -> Digest {
    Digest::of(image.name_only().to_string().as_bytes())
}
