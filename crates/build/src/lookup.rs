//! Looks whether the layers of a plan are there, and says why when they are not.

use imagewright_layer::LayerKey;
use imagewright_oci::ImageReference;
use imagewright_plan::LayerDefinition;
use imagewright_registry::Client;
use imagewright_store::{BlobState, LayerRecord, Store};
use serde::Serialize;

use crate::BuildError;
use crate::last_build::KnownLayer;
use crate::miss::{MissReason, reasons};

/// Whether a layer is there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum Lookup {
    /// It is.
    Hit {
        /// Where.
        place: Place,
        /// Compressed bytes.
        size: u64,
    },
    /// It has to be made.
    Miss {
        /// Why.
        reasons: Vec<MissReason>,
    },
}

/// Where a layer is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "in", rename_all = "snake_case")]
pub enum Place {
    /// In the store.
    Store,
    /// Not in the store, but in the repository that the image goes to.
    Registry {
        /// That repository.
        repository: String,
    },
}

/// The places where layers may be.
#[derive(Clone, Debug)]
pub(crate) struct Shelves {
    pub(crate) store: Store,
    /// The repository that the image goes to, when it goes to one.
    pub(crate) target: Option<(Client, ImageReference)>,
}

/// A layer that is there.
#[derive(Clone, Debug)]
pub(crate) struct OnShelf {
    pub(crate) record: LayerRecord,
    pub(crate) place: Place,
}

impl Shelves {
    /// The layer of a key. One whose bytes were lost is made again; one whose bytes were pruned serves only where
    /// the image's repository has it.
    pub(crate) async fn find(&self, key: &LayerKey) -> Result<Option<OnShelf>, BuildError> {
        let Some(record) = self.store.layer_by_key(key)? else { return Ok(None) };
        let place = match record.blob {
            BlobState::Present => Some(Place::Store),
            BlobState::Lost { .. } => None,
            BlobState::Remote => self.in_repository(&record).await?,
        };
        Ok(place.map(|place| OnShelf { record, place }))
    }

    async fn in_repository(&self, record: &LayerRecord) -> Result<Option<Place>, BuildError> {
        let Some((client, target)) = &self.target else { return Ok(None) };
        let repository = target.name_only();
        let is_there = client.has_blob(&repository, record.digest).await?;
        Ok(is_there.then(|| Place::Registry { repository: repository.to_string() }))
    }

    /// Whether a layer is there; `last` is what the last build of the image had.
    pub(crate) async fn look_up(
        &self,
        definition: &LayerDefinition,
        last: Option<&[KnownLayer]>,
    ) -> Result<Lookup, BuildError> {
        if let Some(OnShelf { record, place }) = self.find(&definition.key).await? {
            return Ok(Lookup::Hit { place, size: record.size });
        }
        let known = self.store.layer_by_key(&definition.key)?;
        Ok(Lookup::Miss { reasons: reasons(definition, last, known.as_ref().map(|record| record.blob)) })
    }
}
