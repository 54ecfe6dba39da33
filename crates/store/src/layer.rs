use std::io::{self, BufWriter, Write};

use imagewright_layer::{EncodedLayer, LayerKey, Segment};
use imagewright_oci::{Descriptor, DiffId, Digest, MediaType};
use serde_json::Value;

use crate::blob::Loss;
use crate::index::{BlobForm, BlobRow, LayerRow, UsedTable};
use crate::segment_table::{Footer, artifact_ranges, check, encode};
use crate::stage::{Kind, Stage};
use crate::staging::StagedFile;
use crate::{Store, StoreError};

/// What the store knows of the layer that a key gives.
#[derive(Clone, Debug, PartialEq)]
pub struct LayerRecord {
    /// What the layer is made of.
    pub key: LayerKey,
    /// The digest of its bytes.
    pub digest: Digest,
    /// The digest of its uncompressed tar stream.
    pub diff_id: DiffId,
    /// How many bytes it has.
    pub size: u64,
    /// How many bytes its uncompressed tar stream has, when that is known.
    pub uncompressed_size: Option<u64>,
    /// What its maker said about it.
    pub facts: LayerFacts,
    /// When it was recorded, in seconds since 1970.
    pub created: u64,
    /// Whether its bytes are here.
    pub blob: BlobState,
}

/// What the maker of a layer says about it.
#[derive(Clone, Debug, PartialEq)]
pub struct LayerFacts {
    /// How it is encoded.
    pub media_type: MediaType,
    /// What kind of layer it is, in the plan's words.
    pub kind: String,
    /// Whatever else belongs to it, such as its packages.
    pub details: Value,
}

/// Whether the bytes of a layer are in the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BlobState {
    /// They are.
    Present,
    /// They are not and need not be: they were pruned.
    Remote,
    /// They should be, but something is missing. What is known of the layer still holds.
    Lost {
        /// What is missing.
        because: Loss,
    },
}

/// The inline bytes of a layer that is being encoded; they go away unless the layer is committed.
#[derive(Debug)]
pub struct LayerStaging {
    store: Store,
    writer: BufWriter<StagedFile>,
    length: u64,
}

impl LayerRecord {
    /// The layer as a manifest lists it.
    pub fn descriptor(&self) -> Descriptor {
        Descriptor::new(self.facts.media_type.clone(), self.digest, self.size)
    }
}

impl Store {
    /// What is known of the layer that this key gives.
    pub fn layer_by_key(&self, key: &LayerKey) -> Result<Option<LayerRecord>, StoreError> {
        self.inner.index.layer(key)?.map(|row| self.layer_record(row)).transpose()
    }

    /// Begins a layer: the encoder writes the layer's inline bytes into what this gives.
    pub fn begin_layer(&self) -> Result<LayerStaging, StoreError> {
        self.inner.writable()?;
        let writer = BufWriter::with_capacity(1 << 16, self.inner.staging.file(Kind::Blob)?);
        Ok(LayerStaging { store: self.clone(), writer, length: 0 })
    }

    fn layer_record(&self, row: LayerRow) -> Result<LayerRecord, StoreError> {
        self.inner.note_use(UsedTable::Layers, &row.key.0, row.used);
        let blob = if row.held { self.blob_state(&row.digest)? } else { BlobState::Remote };
        let details = serde_json::from_str(&row.details).map_err(|source| StoreError::Document {
            kind: "details of the layer",
            key: row.key.to_string(),
            doing: "read",
            source,
        })?;
        Ok(LayerRecord {
            key: row.key,
            digest: row.digest,
            diff_id: row.diff_id,
            size: row.size,
            uncompressed_size: row.uncompressed_size,
            facts: LayerFacts { media_type: row.media_type.into(), kind: row.kind, details },
            created: row.created,
            blob,
        })
    }

    fn blob_state(&self, digest: &Digest) -> Result<BlobState, StoreError> {
        let Some(row) = self.inner.index.blob(digest)? else {
            return Ok(BlobState::Lost { because: Loss::File });
        };
        self.inner.note_use(UsedTable::Blobs, digest, row.used);
        Ok(self.loss(&row)?.map_or(BlobState::Present, |because| BlobState::Lost { because }))
    }
}

impl LayerStaging {
    /// How many inline bytes were written so far.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// The inline bytes written so far, to verify the layer before it is kept.
    pub fn reader(&mut self) -> Result<fs_err::File, StoreError> {
        self.writer.flush().map_err(|error| written(&self.store, error))?;
        self.writer.get_ref().reader()
    }

    /// Keeps the layer as what `key` gives.
    ///
    /// The digests are the encoder's word; that the segments make the layer's size, and that the store holds
    /// every artifact they refer to, is checked.
    pub fn commit(
        mut self,
        key: &LayerKey,
        layer: &EncodedLayer,
        facts: &LayerFacts,
    ) -> Result<LayerRecord, StoreError> {
        let blob = layer.digest;
        check(&layer.segments, self.length, layer.size)
            .map_err(|problem| StoreError::Segments { blob, problem })?;
        let ranges = artifact_ranges(&layer.segments);
        for (artifact, (offset, end)) in &ranges {
            if self.store.artifact(artifact)?.is_none_or(|file| file.size < *end) {
                let (artifact, offset, end) = (*artifact, *offset, *end);
                return Err(StoreError::MissingArtifact { blob, artifact, offset, end });
            }
        }
        let form = self.finish_file(layer)?;
        let Self { store, writer, .. } = self;
        let staged = writer.into_inner().map_err(|error| written(&store, error.into_error()))?;
        let used = store.inner.options.now;
        let blob_row = BlobRow { digest: blob, form, size: layer.size, stored: staged.length(), used };
        staged.publish(&store.blob_path(&blob_row))?;
        let row = LayerRow {
            key: *key,
            digest: blob,
            diff_id: layer.diff_id,
            size: layer.size,
            uncompressed_size: Some(layer.uncompressed_size),
            media_type: facts.media_type.to_string(),
            kind: facts.kind.clone(),
            details: facts.details.to_string(),
            held: true,
            created: used,
            used,
        };
        let artifacts: Vec<Digest> = ranges.into_keys().collect();
        store.inner.index.put_layer(&row, &blob_row, &artifacts)?;
        store.inner.see(Stage::Recorded(Kind::Blob));
        store.layer_record(row)
    }

    /// Appends the segment table, unless the inline bytes are the layer already.
    fn finish_file(&mut self, layer: &EncodedLayer) -> Result<BlobForm, StoreError> {
        if is_all_inline(&layer.segments, self.length) {
            return Ok(BlobForm::Plain);
        }
        let table = encode(&layer.segments);
        let footer = Footer::of(self.length, &table, layer.size).to_bytes();
        self.writer
            .write_all(&table)
            .and_then(|()| self.writer.write_all(&footer))
            .map_err(|error| written(&self.store, error))?;
        Ok(BlobForm::Spliced)
    }
}

impl Write for LayerStaging {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.writer.write(bytes)?;
        self.length += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }
}

/// Whether the blob is its inline bytes, in the order they were written.
fn is_all_inline(segments: &[Segment], length: u64) -> bool {
    let mut end = 0;
    for segment in segments {
        match segment {
            Segment::Inline { offset, length } if *offset == end => end += length,
            _ => return false,
        }
    }
    end == length
}

fn written(store: &Store, error: io::Error) -> StoreError {
    StoreError::from_write(error, StoreError::writing(&store.inner.layout.blobs()))
}
