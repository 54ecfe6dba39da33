use imagewright_layer::LayerKey;
use imagewright_oci::{DiffId, Digest};
use rusqlite::{Connection, Row, params};

use super::blobs::insert_blob;
use super::sealed::{Sealing, find};
use super::{BlobRow, Column, Index, Sealed};
use crate::StoreError;

/// What is known of the layer that a key gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LayerRow {
    pub(crate) key: LayerKey,
    pub(crate) digest: Digest,
    pub(crate) diff_id: DiffId,
    pub(crate) size: u64,
    pub(crate) uncompressed_size: Option<u64>,
    pub(crate) media_type: String,
    pub(crate) kind: String,
    /// JSON.
    pub(crate) details: String,
    /// Whether the store should have the blob. Not sealed: the blob itself is looked for anyway.
    pub(crate) held: bool,
    pub(crate) created: u64,
    pub(crate) used: u64,
}

impl Sealed for LayerRow {
    const TABLE: &'static str = "layers";
    const KEY: &'static str = "key";

    fn from_row(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            key: LayerKey(row.get::<_, Column>("key")?.0),
            digest: row.get::<_, Column>("digest")?.0,
            diff_id: DiffId(row.get::<_, Column>("diff_id")?.0),
            size: row.get("size")?,
            uncompressed_size: row.get("uncompressed_size")?,
            media_type: row.get("media_type")?,
            kind: row.get("kind")?,
            details: row.get("details")?,
            held: row.get("held")?,
            created: row.get("created")?,
            used: row.get("used")?,
        })
    }

    fn seal(&self) -> [u8; 16] {
        Sealing::of::<Self>()
            .digest(&self.key.0)
            .digest(&self.digest)
            .digest(&self.diff_id.0)
            .number(self.size)
            .number(self.uncompressed_size.unwrap_or(u64::MAX))
            .text(&self.media_type)
            .text(&self.kind)
            .text(&self.details)
            .number(self.created)
            .finish()
    }
}

impl Index {
    pub(crate) fn layer(&self, key: &LayerKey) -> Result<Option<LayerRow>, StoreError> {
        self.run("find a layer", |connection| {
            find(connection, "SELECT * FROM layers WHERE key = ?", [Column(key.0)])
        })
    }

    /// Records a layer and its blob, replacing what the key gave before.
    pub(crate) fn put_layer(
        &self,
        row: &LayerRow,
        blob: &BlobRow,
        artifacts: &[Digest],
    ) -> Result<(), StoreError> {
        self.write("record a layer", |transaction| {
            insert_blob(transaction, blob, artifacts)?;
            insert_layer(transaction, row)
        })
    }
}

fn insert_layer(connection: &Connection, row: &LayerRow) -> rusqlite::Result<()> {
    connection
        .prepare_cached("INSERT OR REPLACE INTO layers VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")?
        .execute(params![
            Column(row.key.0),
            Column(row.digest),
            Column(row.diff_id.0),
            row.size,
            row.uncompressed_size,
            row.media_type,
            row.kind,
            row.details,
            row.held,
            row.seal(),
            row.created,
            row.used
        ])
        .map(drop)
}
