use std::collections::{BTreeMap, BTreeSet};

use imagewright_oci::Digest;
use rusqlite::Transaction;
use rusqlite::types::Value;

use super::sealed::{all, delete};
use super::{ArtifactRow, BlobForm, BlobRow, Column, DocumentRow, Index, LayerRow, TagRow};
use crate::StoreError;

/// The names of the files and folders that rows stand for.
#[derive(Debug, Default)]
pub(crate) struct KnownNames {
    pub(crate) artifacts: BTreeSet<String>,
    pub(crate) blobs: BTreeSet<String>,
    pub(crate) roots: BTreeSet<String>,
}

/// Everything in the index that stands for files, and what is wrong with the rest.
#[derive(Debug, Default)]
pub(crate) struct Census {
    pub(crate) artifacts: BTreeMap<Digest, ArtifactRow>,
    pub(crate) blobs: BTreeMap<Digest, BlobRow>,
    /// The artifacts of each spliced blob.
    pub(crate) segments: BTreeMap<Digest, BTreeSet<Digest>>,
    pub(crate) layers: Vec<LayerRow>,
    /// When each root was last used.
    pub(crate) roots: BTreeMap<Digest, u64>,
    pub(crate) damaged: Vec<DamagedRow>,
}

/// A row that is not what was written.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct DamagedRow {
    pub(crate) table: &'static str,
    pub(crate) key: Vec<Value>,
}

impl Census {
    pub(crate) fn names(&self) -> KnownNames {
        let name = |row: &BlobRow| match row.form {
            BlobForm::Plain => row.digest.hex(),
            BlobForm::Spliced => format!("{}.spliced", row.digest.hex()),
        };
        KnownNames {
            artifacts: self.artifacts.keys().map(Digest::hex).collect(),
            blobs: self.blobs.values().map(name).collect(),
            roots: self.roots.keys().map(Digest::hex).collect(),
        }
    }
}

impl Index {
    pub(crate) fn known(&self) -> Result<KnownNames, StoreError> {
        Ok(self.census()?.names())
    }

    /// Reads every row.
    pub(crate) fn census(&self) -> Result<Census, StoreError> {
        self.run("list the rows", |connection| {
            let mut census = Census::default();
            let mut note = |table, keys: Vec<Vec<Value>>| {
                census.damaged.extend(keys.into_iter().map(|key| DamagedRow { table, key }));
            };
            let (artifacts, damaged) = all::<ArtifactRow>(connection)?;
            note("artifacts", damaged);
            let (blobs, damaged) = all::<BlobRow>(connection)?;
            note("blobs", damaged);
            let (layers, damaged) = all::<LayerRow>(connection)?;
            note("layers", damaged);
            note("tags", all::<TagRow>(connection)?.1);
            note("documents", all::<DocumentRow>(connection)?.1);
            census.artifacts = artifacts.into_iter().map(|row| (row.digest, row)).collect();
            census.blobs = blobs.into_iter().map(|row| (row.digest, row)).collect();
            census.layers = layers;
            let mut edges = connection.prepare("SELECT blob, artifact FROM blob_artifacts")?;
            for edge in
                edges.query_map([], |row| Ok((row.get::<_, Column>(0)?.0, row.get::<_, Column>(1)?.0)))?
            {
                let (blob, artifact) = edge?;
                census.segments.entry(blob).or_default().insert(artifact);
            }
            let mut roots = connection.prepare("SELECT id, used FROM roots")?;
            for root in roots.query_map([], |row| Ok((row.get::<_, Column>(0)?.0, row.get(1)?)))? {
                let (id, used) = root?;
                census.roots.insert(id, used);
            }
            Ok(census)
        })
    }

    /// Deletes rows; layers whose blob goes stay known, unless `layers_too`.
    pub(crate) fn forget(&self, forgotten: &Forgotten, layers_too: bool) -> Result<(), StoreError> {
        self.write("forget rows", |transaction| forgotten.delete(transaction, layers_too))
    }

    /// Deletes what was last used before `cutoff` and stands for no files.
    pub(crate) fn forget_knowledge(&self, cutoff: u64) -> Result<(), StoreError> {
        self.write("forget what is old", |transaction| {
            for query in [
                "DELETE FROM layers WHERE held = 0 AND used < ?",
                "DELETE FROM tags WHERE used < ?",
                "DELETE FROM documents WHERE used < ?",
                "DELETE FROM remote_blobs WHERE seen < ?",
            ] {
                transaction.execute(query, [cutoff])?;
            }
            Ok(())
        })
    }

    /// Gives back the room of deleted rows.
    pub(crate) fn shrink(&self) -> Result<(), StoreError> {
        self.run("shrink", |connection| connection.execute_batch("VACUUM; PRAGMA wal_checkpoint(TRUNCATE);"))
    }

    /// What SQLite finds wrong with the structure of its file.
    pub(crate) fn structure_problems(&self) -> Result<Vec<String>, StoreError> {
        let lines = self.run("check", |connection| {
            connection.prepare("PRAGMA integrity_check(20)")?.query_map([], |row| row.get(0))?.collect()
        });
        match lines {
            Ok(lines) if lines == ["ok"] => Ok(Vec::new()),
            Err(StoreError::IndexDamaged { source, .. }) => Ok(vec![source.to_string()]),
            lines => lines,
        }
    }
}

/// Rows that are to go.
#[derive(Debug, Default)]
pub(crate) struct Forgotten {
    pub(crate) artifacts: BTreeSet<Digest>,
    pub(crate) blobs: BTreeSet<Digest>,
    pub(crate) roots: BTreeSet<Digest>,
    pub(crate) layers: BTreeSet<Digest>,
    pub(crate) damaged: Vec<DamagedRow>,
}

impl Forgotten {
    fn delete(&self, transaction: &Transaction<'_>, layers_too: bool) -> rusqlite::Result<()> {
        let each = |query: &str, keys: &BTreeSet<Digest>| -> rusqlite::Result<()> {
            let mut statement = transaction.prepare(query)?;
            keys.iter().try_for_each(|key| statement.execute([Column(*key)]).map(drop))
        };
        each("DELETE FROM artifacts WHERE digest = ?", &self.artifacts)?;
        each("DELETE FROM blobs WHERE digest = ?", &self.blobs)?;
        each("DELETE FROM blob_artifacts WHERE blob = ?", &self.blobs)?;
        let layers = if layers_too {
            "DELETE FROM layers WHERE digest = ?"
        } else {
            "UPDATE layers SET held = 0 WHERE digest = ?"
        };
        each(layers, &self.blobs)?;
        each("DELETE FROM layers WHERE key = ?", &self.layers)?;
        each("DELETE FROM roots WHERE id = ?", &self.roots)?;
        self.damaged.iter().try_for_each(|row| {
            match row.table {
                "artifacts" => delete::<ArtifactRow>(transaction, &row.key),
                "blobs" => delete::<BlobRow>(transaction, &row.key),
                "layers" => delete::<LayerRow>(transaction, &row.key),
                "tags" => delete::<TagRow>(transaction, &row.key),
                _ => delete::<DocumentRow>(transaction, &row.key),
            }
            .map(drop)
        })
    }
}
