//! Looks whether the layers of a plan are there, and says why when they are not.

use imagewright_layer::LayerKey;
use imagewright_lock::facts::Installed;
use imagewright_oci::{Digest, ImageReference};
use imagewright_plan::LayerDefinition;
use imagewright_registry::Client;
use imagewright_store::{BlobState, LayerRecord, Store};
use serde::{Deserialize as _, Serialize};

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
    /// What the layers of steps may lack, because nothing better can be made here.
    pub(crate) lacking: Lacking,
}

/// A layer that is there.
#[derive(Clone, Debug)]
pub(crate) struct OnShelf {
    pub(crate) record: LayerRecord,
    /// The distributions in it.
    pub(crate) installed: Vec<Installed>,
    pub(crate) place: Place,
}

/// What became of a layer that is not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Absence {
    /// Nothing is known of it.
    Unknown,
    /// It was made before, and its bytes were pruned.
    Removed,
    /// Its bytes are damaged or gone, or what is in it cannot be read.
    Damaged,
}

impl Shelves {
    /// The layer of a key. One whose bytes were lost is made again, and so is one that does not say which
    /// distributions it has: the image's facts would lack them. One whose bytes were pruned serves only where the
    /// image's repository has it.
    pub(crate) async fn find(&self, key: &LayerKey) -> Result<Result<OnShelf, Absence>, BuildError> {
        let Some(record) = self.store.layer_by_key(key)? else { return Ok(Err(Absence::Unknown)) };
        let Ok(installed) = Vec::deserialize(&record.facts.details) else {
            return Ok(Err(Absence::Damaged));
        };
        let place = match record.blob {
            BlobState::Present => Ok(Place::Store),
            BlobState::Lost { .. } => Err(Absence::Damaged),
            BlobState::Remote => self.in_repository(&record).await?.ok_or(Absence::Removed),
        };
        Ok(place.map(|place| OnShelf { record, installed, place }))
    }

    /// The layer of a definition.
    pub(crate) async fn find_for(
        &self,
        definition: &LayerDefinition,
    ) -> Result<Result<OnShelf, Absence>, BuildError> {
        let whole = self.find(&definition.key).await?;
        if whole.is_ok() || definition.execution().is_none() {
            return Ok(whole);
        }
        for lacking in self.lacking.or_less() {
            let found = self.find(&lacking.key(&definition.key)).await?;
            if found.is_ok() {
                return Ok(found);
            }
        }
        Ok(whole)
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
        Ok(match self.find_for(definition).await? {
            Ok(OnShelf { record, place, .. }) => Lookup::Hit { place, size: record.size },
            Err(absence) => Lookup::Miss { reasons: reasons(definition, last, absence) },
        })
    }
}

/// What a step had to do without. What it made then is never taken for what it would have made with it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Lacking {
    /// A sandbox that keeps all owners.
    pub(crate) owners: bool,
    /// The network.
    pub(crate) network: bool,
}

impl Lacking {
    /// The key of what was made without these.
    pub(crate) fn key(self, key: &LayerKey) -> LayerKey {
        let lacking = match self {
            Self { owners: false, network: false } => return *key,
            Self { owners: true, network: false } => "some owners",
            Self { owners: false, network: true } => "network",
            Self { owners: true, network: true } => "some owners and network",
        };
        LayerKey(Digest::of(format!("{key} without {lacking}").as_bytes()))
    }

    /// All that lack something of this and nothing else, those with the network first.
    fn or_less(self) -> impl Iterator<Item = Self> {
        let kinds = [(true, false), (false, true), (true, true)];
        let kinds = kinds.map(|(owners, network)| Self { owners, network });
        kinds.into_iter().filter(move |it| self.owners >= it.owners && self.network >= it.network)
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroUsize;

    use imagewright_layer::{EncodeOptions, TreeEntry, TreePath, encode_tree};
    use imagewright_oci::MediaType;
    use imagewright_store::LayerFacts;
    use serde_json::{Value, json};

    use super::*;

    #[tokio::test]
    async fn a_layer_that_does_not_say_what_is_in_it_is_made_again() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path(), 1).unwrap();
        let key = LayerKey(Digest::of(b"six"));
        let shelves = Shelves { store: store.clone(), target: None, lacking: Lacking::default() };
        assert_eq!(shelves.find(&key).await.unwrap().unwrap_err(), Absence::Unknown);
        let put = |details: Value| {
            let mut staging = store.begin_layer().unwrap();
            let entries = vec![TreeEntry::file(TreePath::new("six.py").unwrap(), 0o644, b"x = 1".to_vec())];
            let options = EncodeOptions { epoch: 1, threads: NonZeroUsize::MIN };
            let layer = encode_tree(entries, &options, &mut staging).unwrap();
            let facts = LayerFacts { media_type: MediaType::OciLayerGzip, kind: "package".into(), details };
            staging.commit(&key, &layer, &facts).unwrap();
        };
        put(json!([{ "distribution": "six" }]));
        assert_eq!(shelves.find(&key).await.unwrap().unwrap_err(), Absence::Damaged);
        let six = json!({ "name": "six", "version": "1.17.0", "site": "opt", "metadata": "", "roots": [] });
        put(json!([six]));
        let found = shelves.find(&key).await.unwrap().unwrap();
        assert_eq!(found.installed[0].name.as_str(), "six");
    }
}
