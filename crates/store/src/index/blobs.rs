use imagewright_oci::Digest;
use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSql, ToSqlOutput, ValueRef};
use rusqlite::{Connection, Row, params};

use super::sealed::{Sealing, find};
use super::{Column, Index, Sealed};
use crate::StoreError;

/// How the bytes of a blob are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BlobForm {
    /// One file with the blob's bytes.
    Plain,
    /// A file with inline bytes and a table of segments.
    Spliced,
}

/// A blob that the store holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BlobRow {
    pub(crate) digest: Digest,
    pub(crate) form: BlobForm,
    /// The blob's length in bytes.
    pub(crate) size: u64,
    /// The length of its file in bytes.
    pub(crate) stored: u64,
    pub(crate) used: u64,
}

impl Sealed for BlobRow {
    const TABLE: &'static str = "blobs";
    const KEY: &'static str = "digest";

    fn from_row(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            digest: row.get::<_, Column>("digest")?.0,
            form: row.get("form")?,
            size: row.get("size")?,
            stored: row.get("stored")?,
            used: row.get("used")?,
        })
    }

    fn seal(&self) -> [u8; 16] {
        Sealing::of::<Self>()
            .digest(&self.digest)
            .number(self.form.number())
            .number(self.size)
            .number(self.stored)
            .finish()
    }
}

impl BlobForm {
    const fn number(self) -> u64 {
        match self {
            Self::Plain => 0,
            Self::Spliced => 1,
        }
    }
}

impl FromSql for BlobForm {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        match value.as_i64()? {
            0 => Ok(Self::Plain),
            1 => Ok(Self::Spliced),
            other => Err(FromSqlError::OutOfRange(other)),
        }
    }
}

impl ToSql for BlobForm {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::from(self.number().cast_signed()))
    }
}

impl Index {
    pub(crate) fn blob(&self, digest: &Digest) -> Result<Option<BlobRow>, StoreError> {
        self.run("find a blob", |connection| {
            find(connection, "SELECT * FROM blobs WHERE digest = ?", [Column(*digest)])
        })
    }

    /// The artifacts whose bytes a blob has segments of.
    pub(crate) fn artifacts_of(&self, blob: &Digest) -> Result<Vec<Digest>, StoreError> {
        self.run("find the artifacts of a blob", |connection| {
            connection
                .prepare_cached("SELECT artifact FROM blob_artifacts WHERE blob = ?")?
                .query_map([Column(*blob)], |row| row.get::<_, Column>(0).map(|column| column.0))?
                .collect()
        })
    }

    pub(crate) fn put_blob(&self, row: &BlobRow, artifacts: &[Digest]) -> Result<(), StoreError> {
        self.write("record a blob", |transaction| insert_blob(transaction, row, artifacts))
    }
}

pub(super) fn insert_blob(
    connection: &Connection,
    row: &BlobRow,
    artifacts: &[Digest],
) -> rusqlite::Result<()> {
    connection.prepare_cached("INSERT OR REPLACE INTO blobs VALUES (?, ?, ?, ?, ?, ?)")?.execute(params![
        Column(row.digest),
        row.form,
        row.size,
        row.stored,
        row.seal(),
        row.used
    ])?;
    connection.prepare_cached("DELETE FROM blob_artifacts WHERE blob = ?")?.execute([Column(row.digest)])?;
    let mut insert = connection.prepare_cached("INSERT INTO blob_artifacts VALUES (?, ?)")?;
    artifacts
        .iter()
        .try_for_each(|artifact| insert.execute([Column(row.digest), Column(*artifact)]).map(drop))
}
