//! What builds that go on at the same time share: limits of the machine, and what is made once for all of them.
//!
//! Layers, artifacts and roots are not here: the leases of the store see to it that one makes them and the others
//! wait, in this process and in others.

mod bases;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use imagewright_lock::Line;
use imagewright_lock::uv::Uv;
use imagewright_oci::Digest;
use tokio::sync::{OnceCell, OwnedMutexGuard, OwnedSemaphorePermit, Semaphore};

pub(crate) use bases::Bases;

use crate::bytecode::CompilerPool;

/// What all builds of one process share; every clone is the same.
#[derive(Clone, Debug, Default)]
pub struct Workplace {
    pub(crate) line: Line,
    pub(crate) memory: Memory,
    pub(crate) compilers: CompilerPool,
    pub(crate) uv: Arc<OnceCell<Uv>>,
    pub(crate) bases: Bases,
    pub(crate) made: MadeNow,
    pub(crate) resolutions: Resolutions,
    turn: Arc<tokio::sync::Mutex<()>>,
}

impl Workplace {
    /// Waits until nothing is executed in any image: a command has the machine for itself.
    ///
    /// Whoever has the turn waits for nothing that another may hold.
    pub(crate) async fn turn(&self) -> OwnedMutexGuard<()> {
        Arc::clone(&self.turn).lock_owned().await
    }
}

/// What this process has made: layers by their keys, wheels by their digests, answers of backends by their keys. It
/// serves also where nothing of earlier builds does.
#[derive(Clone, Debug, Default)]
pub(crate) struct MadeNow(Arc<Mutex<BTreeSet<Digest>>>);

impl MadeNow {
    pub(crate) fn note(&self, made: Digest) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(made);
    }

    pub(crate) fn has(&self, made: &Digest) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).contains(made)
    }
}

/// How many resolutions go on at one time, so that what came of the first is made while the next are waited for.
///
/// More would ask for the same pages side by side, and at one moment for more names than some name servers answer: what
/// they drop is asked for again after five seconds.
#[derive(Clone, Debug)]
pub(crate) struct Resolutions(Arc<Semaphore>);

impl Resolutions {
    const AT_ONCE: usize = 4;

    pub(crate) async fn begin(&self) -> OwnedSemaphorePermit {
        Arc::clone(&self.0).acquire_owned().await.expect("the semaphore is never closed")
    }
}

impl Default for Resolutions {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(Self::AT_ONCE)))
    }
}

/// How much memory the layers that are made at one time may take, in shares.
///
/// A layer of wheels holds its bytecode, some 50 MB for the largest; one of Debian packages holds their contents,
/// five times that. Downloads hold nothing.
#[derive(Clone, Debug)]
pub(crate) struct Memory(Arc<Semaphore>);

impl Memory {
    const SHARES: u32 = 4;
    /// Of a layer of wheels.
    pub(crate) const WHEELS: u32 = 1;
    /// Of a layer of Debian packages: all, so that nothing else is made meanwhile.
    pub(crate) const PACKAGES: u32 = Self::SHARES;

    pub(crate) async fn take(&self, shares: u32) -> OwnedSemaphorePermit {
        let taken = Arc::clone(&self.0).acquire_many_owned(shares).await;
        taken.expect("the semaphore is never closed")
    }
}

impl Default for Memory {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(Self::SHARES as usize)))
    }
}
