use imagewright_oci::Digest;
use rusqlite::{Row, params};

use super::sealed::{Sealing, find};
use super::{Column, Index, Sealed};
use crate::StoreError;

/// What was last pushed or stored under a tag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TagRow {
    pub(crate) reference: String,
    /// Sorted, joined by commas.
    pub(crate) platforms: String,
    pub(crate) manifest: Digest,
    pub(crate) declared: Digest,
    /// JSON.
    pub(crate) inputs: String,
    pub(crate) used: u64,
}

impl Sealed for TagRow {
    const TABLE: &'static str = "tags";
    const KEY: &'static str = "reference, platforms";

    fn from_row(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            reference: row.get("reference")?,
            platforms: row.get("platforms")?,
            manifest: row.get::<_, Column>("manifest")?.0,
            declared: row.get::<_, Column>("declared")?.0,
            inputs: row.get("inputs")?,
            used: row.get("used")?,
        })
    }

    fn seal(&self) -> [u8; 16] {
        Sealing::of::<Self>()
            .text(&self.reference)
            .text(&self.platforms)
            .digest(&self.manifest)
            .digest(&self.declared)
            .text(&self.inputs)
            .finish()
    }
}

impl Index {
    pub(crate) fn tag(&self, reference: &str, platforms: &str) -> Result<Option<TagRow>, StoreError> {
        self.run("find a tag", |connection| {
            let query = "SELECT * FROM tags WHERE reference = ? AND platforms = ?";
            find(connection, query, [reference, platforms])
        })
    }

    pub(crate) fn put_tag(&self, row: &TagRow) -> Result<(), StoreError> {
        self.write("record a tag", |transaction| {
            transaction
                .prepare_cached("INSERT OR REPLACE INTO tags VALUES (?, ?, ?, ?, ?, ?, ?)")?
                .execute(params![
                    row.reference,
                    row.platforms,
                    Column(row.manifest),
                    Column(row.declared),
                    row.inputs,
                    row.seal(),
                    row.used
                ])
                .map(drop)
        })
    }
}
