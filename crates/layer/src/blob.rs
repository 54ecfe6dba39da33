use std::io::{BufWriter, Write};

use imagewright_oci::{Digest, Hasher};

use crate::{BlobPart, LayerError, ReadAt, Segment};

const BUFFER: usize = 1 << 20;
const INLINE_BUFFER: usize = 64 * 1024;

/// A range of an artifact that goes into a blob as it is.
pub(crate) struct Range<'a> {
    pub(crate) artifact: Digest,
    pub(crate) source: &'a dyn ReadAt,
    pub(crate) offset: u64,
    pub(crate) length: u64,
}

/// The compressed bytes of a layer, taken in order: hashed, counted, and written unless an artifact has them.
pub(crate) struct BlobWriter<'a> {
    inline: BufWriter<&'a mut dyn Write>,
    inline_length: u64,
    hasher: Hasher,
    size: u64,
    segments: Vec<Segment>,
    buffer: Vec<u8>,
}

/// A blob whose content nobody has looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Blob {
    pub(crate) digest: Digest,
    pub(crate) size: u64,
    pub(crate) segments: Vec<Segment>,
}

impl<'a> BlobWriter<'a> {
    pub(crate) fn new(inline: &'a mut dyn Write) -> Self {
        let (hasher, segments) = (Hasher::new(), Vec::new());
        // Headers are short, and a writer is a file as a rule.
        let inline = BufWriter::with_capacity(INLINE_BUFFER, inline);
        Self { inline, inline_length: 0, hasher, size: 0, segments, buffer: Vec::new() }
    }

    pub(crate) fn put(&mut self, bytes: &[u8]) -> Result<(), LayerError> {
        self.inline.write_all(bytes).map_err(|source| LayerError::Write { source })?;
        self.hasher.update(bytes);
        let added = bytes.len() as u64;
        self.size += added;
        match self.segments.last_mut() {
            Some(Segment::Inline { length, .. }) => *length += added,
            _ => self.segments.push(Segment::Inline { offset: self.inline_length, length: added }),
        }
        self.inline_length += added;
        Ok(())
    }

    pub(crate) fn put_range(&mut self, range: &Range<'_>) -> Result<(), LayerError> {
        self.buffer.resize(BUFFER, 0);
        let end = range.offset + range.length;
        let mut offset = range.offset;
        while offset < end {
            let count = usize::try_from(end - offset).unwrap_or(BUFFER).min(BUFFER);
            let bytes = &mut self.buffer[..count];
            let part = BlobPart::Artifact(range.artifact);
            let read = range.source.read_exact_at(bytes, offset);
            read.map_err(|source| LayerError::Read { part, offset, source })?;
            self.hasher.update(bytes);
            offset += count as u64;
        }
        self.size += range.length;
        let Range { artifact, offset, length, .. } = *range;
        self.segments.push(Segment::Artifact { artifact, offset, length });
        Ok(())
    }

    pub(crate) fn finish(mut self) -> Result<Blob, LayerError> {
        self.inline.flush().map_err(|source| LayerError::Write { source })?;
        Ok(Blob { digest: self.hasher.finish(), size: self.size, segments: self.segments })
    }
}
