use imagewright_oci::Digest;
use rusqlite::params;

use super::{Column, Index};
use crate::StoreError;

impl Index {
    /// The repositories of a registry that were seen to hold a digest, the latest first.
    pub(crate) fn repositories_with(
        &self,
        registry: &str,
        digest: &Digest,
    ) -> Result<Vec<String>, StoreError> {
        self.run("find remote blobs", |connection| {
            let query = "SELECT repository FROM remote_blobs WHERE registry = ? AND digest = ? \
                         ORDER BY seen DESC, repository";
            connection
                .prepare_cached(query)?
                .query_map(params![registry, Column(*digest)], |row| row.get(0))?
                .collect()
        })
    }

    pub(crate) fn put_seen(
        &self,
        registry: &str,
        repository: &str,
        digests: &[Digest],
        now: u64,
    ) -> Result<(), StoreError> {
        self.write("record remote blobs", |transaction| {
            let mut insert =
                transaction.prepare_cached("INSERT OR REPLACE INTO remote_blobs VALUES (?, ?, ?, ?)")?;
            digests.iter().try_for_each(|digest| {
                insert.execute(params![registry, Column(*digest), repository, now]).map(drop)
            })
        })
    }
}
