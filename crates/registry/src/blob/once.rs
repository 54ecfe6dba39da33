use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use imagewright_oci::{Digest, ImageReference};
use tokio::sync::OwnedMutexGuard;

/// Which blobs this process has seen in which repositories, and which it is uploading.
///
/// Images that push one blob to one repository share one upload; those that push it to two repositories of one
/// registry upload it once and mount it once.
#[derive(Debug, Default)]
pub(crate) struct Uploads {
    slots: Mutex<BTreeMap<(String, Digest), Arc<Slot>>>,
}

/// One blob in one registry.
#[derive(Debug, Default)]
pub(crate) struct Slot {
    /// Held by who uploads it; dropping it without success lets the next one try.
    turn: Arc<tokio::sync::Mutex<()>>,
    present_in: Mutex<BTreeSet<String>>,
}

impl Uploads {
    pub(super) fn slot(&self, repository: &ImageReference, digest: Digest) -> Arc<Slot> {
        let key = (repository.registry().to_owned(), digest);
        Arc::clone(self.slots.lock().expect("no holder panics").entry(key).or_default())
    }

    /// Forgets what was seen in a repository: its registry says that something of it is missing.
    pub(crate) fn forget(&self, repository: &ImageReference) {
        let slots = self.slots.lock().expect("no holder panics");
        for ((registry, _), slot) in slots.iter() {
            if registry == repository.registry() {
                slot.present_in.lock().expect("no holder panics").remove(repository.repository());
            }
        }
    }
}

impl Slot {
    /// Waits until no other task of this process uploads the blob to this registry.
    pub(super) async fn turn(&self) -> OwnedMutexGuard<()> {
        Arc::clone(&self.turn).lock_owned().await
    }

    pub(super) fn is_present_in(&self, repository: &ImageReference) -> bool {
        self.present_in.lock().expect("no holder panics").contains(repository.repository())
    }

    pub(super) fn set_present_in(&self, repository: &ImageReference) {
        self.present_in.lock().expect("no holder panics").insert(repository.repository().to_owned());
    }

    /// The repositories of the same registry that have it.
    pub(super) fn repositories(&self) -> Vec<String> {
        self.present_in.lock().expect("no holder panics").iter().cloned().collect()
    }
}
