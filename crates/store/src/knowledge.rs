use imagewright_oci::{Digest, ImageReference, Platform};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::index::{DocumentRow, TagRow, UsedTable};
use crate::{Store, StoreError};

/// What a document is; each crate that keeps documents has constants of these.
///
/// A kind whose JSON changes its shape gets a new name, such as `lock-2`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DocumentKind(pub &'static str);

impl DocumentKind {
    /// What is known of a base image, by its digest.
    pub const BASE_FACTS: Self = Self("base-facts");
}

/// What was last built or pushed under a tag.
#[derive(Clone, Debug, PartialEq)]
pub struct TagRecord {
    /// The manifest or index.
    pub manifest: Digest,
    /// The digest of all that the user wrote and of every local file it reaches.
    pub declared: Digest,
    /// The inputs that `declared` was made of, to name what changed.
    pub inputs: Value,
}

impl Store {
    /// What was last recorded for a tag and a set of platforms.
    pub fn tag(
        &self,
        reference: &ImageReference,
        platforms: &[Platform],
    ) -> Result<Option<TagRecord>, StoreError> {
        let Some(row) = self.inner.index.tag(&reference.to_string(), &platform_set(platforms))? else {
            return Ok(None);
        };
        let inputs = serde_json::from_str(&row.inputs).map_err(|source| StoreError::Document {
            kind: "inputs",
            key: reference.to_string(),
            doing: "read",
            source,
        })?;
        Ok(Some(TagRecord { manifest: row.manifest, declared: row.declared, inputs }))
    }

    /// Records what is now under a tag.
    pub fn put_tag(
        &self,
        reference: &ImageReference,
        platforms: &[Platform],
        record: &TagRecord,
    ) -> Result<(), StoreError> {
        self.inner.index.put_tag(&TagRow {
            reference: reference.to_string(),
            platforms: platform_set(platforms),
            manifest: record.manifest,
            declared: record.declared,
            inputs: record.inputs.to_string(),
            used: self.inner.options.now,
        })
    }

    /// The document of a kind about something, when there is one that can still be read as `T`.
    ///
    /// One that another version wrote in another shape is a miss, not an error.
    pub fn document<T: DeserializeOwned>(
        &self,
        kind: DocumentKind,
        key: &Digest,
    ) -> Result<Option<T>, StoreError> {
        let Some(row) = self.inner.index.document(kind.0, key)? else { return Ok(None) };
        self.inner.note_use(UsedTable::Documents, key, row.used);
        Ok(serde_json::from_str(&row.json).ok())
    }

    /// Keeps a document, replacing the one of the same kind and key.
    pub fn put_document<T: Serialize + ?Sized>(
        &self,
        kind: DocumentKind,
        key: &Digest,
        value: &T,
    ) -> Result<(), StoreError> {
        let json = serde_json::to_string(value).map_err(|source| StoreError::Document {
            kind: kind.0,
            key: key.to_string(),
            doing: "kept",
            source,
        })?;
        let used = self.inner.options.now;
        self.inner.index.put_document(&DocumentRow { kind: kind.0.to_owned(), key: *key, json, used })
    }

    /// What is known of the base image with this digest.
    pub fn facts<T: DeserializeOwned>(&self, base: &Digest) -> Result<Option<T>, StoreError> {
        self.document(DocumentKind::BASE_FACTS, base)
    }

    /// Records what is known of the base image with this digest.
    pub fn put_facts<T: Serialize + ?Sized>(&self, base: &Digest, facts: &T) -> Result<(), StoreError> {
        self.put_document(DocumentKind::BASE_FACTS, base, facts)
    }

    /// Records that the repository of `reference` was seen, or made, to hold these blobs or manifests.
    pub fn remember_remote(&self, reference: &ImageReference, digests: &[Digest]) -> Result<(), StoreError> {
        let now = self.inner.options.now;
        self.inner.index.put_seen(reference.registry(), reference.repository(), digests, now)
    }

    /// The repositories of a registry that a blob may be mounted from, the most recently seen first.
    pub fn mount_candidates(&self, registry: &str, digest: &Digest) -> Result<Vec<String>, StoreError> {
        self.inner.index.repositories_with(registry, digest)
    }
}

/// A set of platforms as a key: without order and repetition.
fn platform_set(platforms: &[Platform]) -> String {
    let names: std::collections::BTreeSet<String> = platforms.iter().map(ToString::to_string).collect();
    names.into_iter().collect::<Vec<_>>().join(",")
}
