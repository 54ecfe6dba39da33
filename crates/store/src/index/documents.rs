use imagewright_oci::Digest;
use rusqlite::{Row, params};

use super::sealed::{Sealing, find};
use super::{Column, Index, Sealed};
use crate::StoreError;

/// A JSON value by kind and digest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DocumentRow {
    pub(crate) kind: String,
    pub(crate) key: Digest,
    pub(crate) json: String,
    pub(crate) used: u64,
}

impl Sealed for DocumentRow {
    const TABLE: &'static str = "documents";
    const KEY: &'static str = "kind, key";

    fn from_row(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            kind: row.get("kind")?,
            key: row.get::<_, Column>("key")?.0,
            json: row.get("json")?,
            used: row.get("used")?,
        })
    }

    fn seal(&self) -> [u8; 16] {
        Sealing::of::<Self>().text(&self.kind).digest(&self.key).text(&self.json).finish()
    }
}

impl Index {
    pub(crate) fn document(&self, kind: &str, key: &Digest) -> Result<Option<DocumentRow>, StoreError> {
        self.run("find a document", |connection| {
            let query = "SELECT * FROM documents WHERE kind = ? AND key = ?";
            find(connection, query, params![kind, Column(*key)])
        })
    }

    pub(crate) fn put_document(&self, row: &DocumentRow) -> Result<(), StoreError> {
        self.write("record a document", |transaction| {
            transaction
                .prepare_cached("INSERT OR REPLACE INTO documents VALUES (?, ?, ?, ?, ?)")?
                .execute(params![row.kind, Column(row.key), row.json, row.seal(), row.used])
                .map(drop)
        })
    }
}
