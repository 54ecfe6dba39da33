use std::ops::ControlFlow;
use std::path::PathBuf;

use imagewright_oci::Digest;

use crate::blob::Loss;
use crate::check::digest_problem;
use crate::index::Forgotten;
use crate::{Store, StoreError};

/// What a look at every byte of a blob or an artifact gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    /// It is what was written.
    Sound,
    /// It is not there, or not in full length: a miss at every look-up.
    Absent,
    /// It was damaged, and is a miss from now on.
    Discarded {
        /// The file names of the artifacts that were damaged and are removed: the one that was looked at, or those
        /// that the blob has segments of.
        artifacts: Vec<String>,
    },
}

/// The same, while nothing is removed yet.
enum State {
    Sound,
    Absent,
    Damaged { path: PathBuf },
}

impl Store {
    /// Reads all of a blob. A damaged one is removed, and with it the artifacts below it that are damaged, so that
    /// they are made and fetched again. A layer stays known: a registry may have it.
    ///
    /// Must not be called by a holder of the lease of the blob or of one of its artifacts.
    pub fn discard_damaged_blob(&self, digest: &Digest) -> Result<Condition, StoreError> {
        let discard = || {
            let mut discarded = Vec::new();
            for artifact in self.inner.index.artifacts_of(digest)? {
                if let Condition::Discarded { artifacts } = self.discard_damaged_artifact(&artifact)? {
                    discarded.extend(artifacts);
                }
            }
            self.discard(&Forgotten { blobs: [*digest].into(), ..Forgotten::default() })?;
            Ok(discarded)
        };
        self.discard_when_damaged(digest, &|| self.blob_at_a_look(digest), discard)
    }

    /// Reads all of an artifact, and removes it if it is damaged.
    ///
    /// Must not be called by a holder of its lease.
    pub fn discard_damaged_artifact(&self, digest: &Digest) -> Result<Condition, StoreError> {
        let discard = || {
            let name = self.inner.index.artifact(digest)?.map(|row| row.file_name);
            self.discard(&Forgotten { artifacts: [*digest].into(), ..Forgotten::default() })?;
            Ok(name.into_iter().collect())
        };
        self.discard_when_damaged(digest, &|| self.artifact_at_a_look(digest), discard)
    }

    fn discard_when_damaged(
        &self,
        digest: &Digest,
        look: &dyn Fn() -> Result<State, StoreError>,
        discard: impl FnOnce() -> Result<Vec<String>, StoreError>,
    ) -> Result<Condition, StoreError> {
        match look()? {
            State::Sound => return Ok(Condition::Sound),
            State::Absent => return Ok(Condition::Absent),
            State::Damaged { path } if self.is_read_only() => {
                return Err(StoreError::Damaged { path, problem: "its bytes are not what was written" });
            }
            State::Damaged { .. } => {}
        }
        let limit = self.inner.options.wait;
        let patience = &mut |waited| {
            if waited < limit { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        };
        let _lease = self.lease(digest, patience)?;
        // Whoever had the lease may have replaced it.
        match look()? {
            State::Sound => Ok(Condition::Sound),
            State::Absent => Ok(Condition::Absent),
            State::Damaged { .. } => Ok(Condition::Discarded { artifacts: discard()? }),
        }
    }

    /// The rows first, as in pruning: a file without a row is garbage, a row without its file looks like damage.
    fn discard(&self, forgotten: &Forgotten) -> Result<(), StoreError> {
        self.inner.index.forget(forgotten, false)?;
        self.remove_forgotten(forgotten)
    }

    fn blob_at_a_look(&self, digest: &Digest) -> Result<State, StoreError> {
        let Some(row) = self.inner.index.blob(digest)? else { return Ok(State::Absent) };
        let problem = match self.open_blob(&row)? {
            Ok(blob) => digest_problem(blob, digest).is_some(),
            Err(Loss::Segments) => true,
            Err(Loss::File | Loss::Artifact { .. }) => return Ok(State::Absent),
        };
        Ok(if problem { State::Damaged { path: self.blob_path(&row) } } else { State::Sound })
    }

    fn artifact_at_a_look(&self, digest: &Digest) -> Result<State, StoreError> {
        let Some(artifact) = self.artifact(digest)? else { return Ok(State::Absent) };
        Ok(match digest_problem(artifact.file, digest) {
            Some(_) => State::Damaged { path: artifact.path },
            None => State::Sound,
        })
    }
}
