use std::collections::BTreeSet;

use imagewright_oci::Digest;
use rusqlite::params;

use super::{Column, Index};
use crate::StoreError;

/// A table whose rows are stamped when they are used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum UsedTable {
    Artifacts,
    Blobs,
    Layers,
    Documents,
    Roots,
}

impl UsedTable {
    const fn update(self) -> &'static str {
        match self {
            Self::Artifacts => "UPDATE artifacts SET used = ? WHERE digest = ?",
            Self::Blobs => "UPDATE blobs SET used = ? WHERE digest = ?",
            Self::Layers => "UPDATE layers SET used = ? WHERE key = ?",
            Self::Documents => "UPDATE documents SET used = ? WHERE key = ?",
            Self::Roots => "UPDATE roots SET used = ? WHERE id = ?",
        }
    }
}

impl Index {
    /// Stamps rows as used at `now`.
    pub(crate) fn stamp(&self, uses: &BTreeSet<(UsedTable, Digest)>, now: u64) -> Result<(), StoreError> {
        self.write("record uses", |transaction| {
            uses.iter().try_for_each(|(table, key)| {
                transaction.prepare_cached(table.update())?.execute(params![now, Column(*key)]).map(drop)
            })
        })
    }
}
