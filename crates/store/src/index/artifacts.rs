use imagewright_oci::Digest;
use rusqlite::{Row, params};

use super::sealed::{Sealing, find};
use super::{Column, Index, Sealed};
use crate::StoreError;

/// An input that the store holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ArtifactRow {
    pub(crate) digest: Digest,
    pub(crate) size: u64,
    pub(crate) file_name: String,
    pub(crate) used: u64,
}

impl Sealed for ArtifactRow {
    const TABLE: &'static str = "artifacts";
    const KEY: &'static str = "digest";

    fn from_row(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            digest: row.get::<_, Column>("digest")?.0,
            size: row.get("size")?,
            file_name: row.get("file_name")?,
            used: row.get("used")?,
        })
    }

    fn seal(&self) -> [u8; 16] {
        Sealing::of::<Self>().digest(&self.digest).number(self.size).text(&self.file_name).finish()
    }
}

impl Index {
    pub(crate) fn artifact(&self, digest: &Digest) -> Result<Option<ArtifactRow>, StoreError> {
        self.run("find an artifact", |connection| {
            find(connection, "SELECT * FROM artifacts WHERE digest = ?", [Column(*digest)])
        })
    }

    pub(crate) fn put_artifact(&self, row: &ArtifactRow) -> Result<(), StoreError> {
        self.write("record an artifact", |transaction| {
            transaction
                .prepare_cached("INSERT OR REPLACE INTO artifacts VALUES (?, ?, ?, ?, ?)")?
                .execute(params![Column(row.digest), row.size, row.file_name, row.seal(), row.used])
                .map(drop)
        })
    }
}
