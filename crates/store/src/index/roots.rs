use imagewright_oci::Digest;
use rusqlite::{OptionalExtension, params};

use super::{Column, Index};
use crate::StoreError;

impl Index {
    /// When an unpacked root was last used; nothing, when the store has none of this id.
    pub(crate) fn root(&self, id: &Digest) -> Result<Option<u64>, StoreError> {
        self.run("find a root", |connection| {
            connection
                .prepare_cached("SELECT used FROM roots WHERE id = ?")?
                .query_row([Column(*id)], |row| row.get(0))
                .optional()
        })
    }

    pub(crate) fn put_root(&self, id: &Digest, now: u64) -> Result<(), StoreError> {
        self.write("record a root", |transaction| {
            transaction
                .prepare_cached("INSERT OR REPLACE INTO roots VALUES (?, ?)")?
                .execute(params![Column(*id), now])
                .map(drop)
        })
    }
}
