//! A run without any namespace and any mount, for root that may make neither.
//!
//! The layers are copied into one directory, which the command enters with chroot. What it would find mounted is
//! copied into place, what it may write is linked and handed back; and what a step has changed is found by comparing
//! metadata. All of it is below the scratch directory: removing that, after a kill, removes secrets and copies, too.
//! Of a series of steps, each above what the one before has changed, the directory is kept, without what was put into it.

mod assemble;
mod compare;
mod kept;
mod mirror;
mod places;

use std::path::{Path, PathBuf};

use crate::RunRequest;
use crate::change::Change;
use crate::task::{Failure, Trying as _};

use self::compare::Before;
pub(super) use self::places::Places;

const TREE: &str = "root";

/// The directory that the command enters.
pub(super) fn tree(scratch: &Path) -> PathBuf {
    scratch.join(TREE)
}

/// A root file system, and what was in it before the command ran.
#[derive(Debug)]
pub(super) struct Assembled {
    tree: PathBuf,
    before: Before,
}

impl Assembled {
    /// Copies the layers of a run.
    pub(super) fn of(request: &RunRequest) -> Result<Self, Failure> {
        kept::make(request)?;
        let tree = tree(&request.scratch);
        Ok(Self { before: Before::of(&tree)?, tree })
    }

    /// What the command has changed, with what was put into place.
    pub(super) fn changes(&self) -> Result<Vec<Change>, Failure> {
        self.before.changes(&self.tree)
    }
}

/// Hands back what the command wrote where it might.
pub(super) fn hand_back(request: &RunRequest) -> Result<(), Failure> {
    places::hand_back(request, &tree(&request.scratch))
}

/// Removes everything, or what the next step of a series has no use for.
pub(super) fn clear(request: &RunRequest, has_ended: bool) -> Result<(), Failure> {
    let scratch = &request.scratch;
    let is_kept = request.is_of_series && has_ended && kept::keep(request).is_ok();
    let removed = if is_kept { Ok(()) } else { assemble::remove(&tree(scratch)) };
    removed
        .and_then(|()| super::made::forget(scratch))
        .trying(|| format!("clear the scratch directory {}", scratch.display()))
}
