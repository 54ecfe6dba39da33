use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use imagewright_oci::Digest;
use imagewright_registry::{TransportError, http_client};
use tokio::sync::{Semaphore, SemaphorePermit};

/// How many downloads run at once; more only divides the same line.
const AT_ONCE: usize = 8;
const CONNECT_LIMIT: Duration = Duration::from_secs(15);

/// The line of this machine, which the downloads of all its builds share: connections, how many are used at once, and
/// what came over it. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Line {
    client: Arc<OnceLock<reqwest::Client>>,
    permits: Arc<Semaphore>,
    /// The artifacts of which every byte was seen to be right, by this process.
    sound: Arc<Mutex<BTreeSet<Digest>>>,
}

impl Default for Line {
    fn default() -> Self {
        Self { client: Arc::default(), permits: Arc::new(Semaphore::new(AT_ONCE)), sound: Arc::default() }
    }
}

impl Line {
    /// Waits for one of the places.
    pub(super) async fn permit(&self) -> SemaphorePermit<'_> {
        self.permits.acquire().await.expect("the semaphore is never closed")
    }

    /// What sends requests; made when it is first needed, as the certificates of the system are read for it.
    pub(super) fn client(&self) -> Result<&reqwest::Client, TransportError> {
        if let Some(client) = self.client.get() {
            return Ok(client);
        }
        let made = http_client(CONNECT_LIMIT)?;
        Ok(self.client.get_or_init(|| made))
    }

    pub(super) fn is_sound(&self, artifact: &Digest) -> bool {
        self.sound.lock().unwrap_or_else(PoisonError::into_inner).contains(artifact)
    }

    pub(super) fn note_sound(&self, artifact: Digest) {
        self.sound.lock().unwrap_or_else(PoisonError::into_inner).insert(artifact);
    }
}
