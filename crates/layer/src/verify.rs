//! Decompresses a layer that was just made, so that what is cached is known to be right.
//!
//! The digest of a spliced layer covers bytes that nobody has looked into. Here each of its streams is inflated
//! and compared with its CRC-32 and size, each file with the sha256 in its wheel's RECORD, and the whole is
//! hashed to the diff id. Two threads: one inflates, one hashes.

use std::sync::mpsc;
use std::thread;

use imagewright_oci::{DiffId, Digest, Hasher};

use crate::gzip::{HEADER, trailer};
use crate::inflate::{Inflater, RangeReader, StreamError};
use crate::splice::{SplicedFile, UnverifiedLayer};
use crate::{
    BlobPart, EncodedLayer, InstalledWheel, LayerError, ReadAt, Segment, Wheel, WheelProblem, ZipProblem,
};

/// How many pieces may wait to be hashed.
const QUEUE: usize = 16;

impl UnverifiedLayer {
    /// Decompresses the layer, whose own bytes are read through `inline`, and checks all of it.
    ///
    /// `wheels` are those that it was made of.
    pub fn verify(self, inline: &dyn ReadAt, wheels: &[InstalledWheel]) -> Result<EncodedLayer, LayerError> {
        let artifact = &|digest: Digest| {
            let found = wheels.iter().map(InstalledWheel::wheel).find(|wheel| wheel.artifact() == digest);
            found.map(Wheel::source)
        };
        let (pieces, hashed) = mpsc::sync_channel(QUEUE);
        let segments = &self.blob.segments;
        let content = thread::scope(|scope| {
            let inflating = scope.spawn(move || Members { segments, inline, artifact, pieces }.pass_all());
            let content = hash(hashed, &self.files);
            let inflated = inflating.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            content.and_then(|content| inflated.map(|()| content))
        });
        let content = content.map_err(|error| named(error, wheels))?;
        if content.size != self.tar_size {
            let problem = "the tar stream has another size than was written";
            return Err(LayerError::Damaged { part: BlobPart::Inline, offset: 0, problem });
        }
        Ok(EncodedLayer {
            digest: self.blob.digest,
            size: self.blob.size,
            diff_id: content.diff_id,
            uncompressed_size: content.size,
            segments: self.blob.segments,
        })
    }
}

/// The gzip members of a blob, of which those with an artifact's range hold exactly that one stream.
struct Members<'a, F> {
    segments: &'a [Segment],
    inline: &'a dyn ReadAt,
    artifact: &'a F,
    pieces: mpsc::SyncSender<Vec<u8>>,
}

impl<'a, F: Fn(Digest) -> Option<&'a dyn ReadAt>> Members<'a, F> {
    fn pass_all(&self) -> Result<(), LayerError> {
        let mut inflater = Inflater::new();
        let mut open_stream = None;
        for segment in self.segments {
            let (mut input, part) = self.reader(segment)?;
            match (segment, open_stream.take()) {
                (Segment::Artifact { offset, .. }, Some(OpenStream::Header)) => {
                    let expected = self.stream(&mut inflater, &mut input, part)?;
                    open_stream = Some(OpenStream::Trailer { expected, part, offset: *offset });
                    if !input.is_at_end() {
                        return Err(damaged(part, &input, "ends before its compressed size"));
                    }
                }
                (Segment::Inline { .. }, None) => open_stream = self.members(&mut inflater, &mut input)?,
                (Segment::Inline { .. }, Some(OpenStream::Trailer { expected, part, offset })) => {
                    if !has_trailer(&mut input, expected)? {
                        let problem = "does not have its CRC-32 or its size";
                        return Err(LayerError::Damaged { part, offset, problem });
                    }
                    open_stream = self.members(&mut inflater, &mut input)?;
                }
                _ => return Err(damaged(part, &input, "a range is not inside a member")),
            }
        }
        match open_stream {
            None => Ok(()),
            Some(_) => Err(LayerError::Damaged {
                part: BlobPart::Inline,
                offset: 0,
                problem: "the last member is cut off",
            }),
        }
    }

    fn reader(&self, segment: &Segment) -> Result<(RangeReader<'a>, BlobPart), LayerError> {
        match *segment {
            Segment::Inline { offset, length } => {
                Ok((RangeReader::new(self.inline, offset, length), BlobPart::Inline))
            }
            Segment::Artifact { artifact, offset, length } => {
                let part = BlobPart::Artifact(artifact);
                let source = (self.artifact)(artifact).ok_or(LayerError::Damaged {
                    part,
                    offset,
                    problem: "it is not one of the wheels",
                })?;
                Ok((RangeReader::new(source, offset, length), part))
            }
        }
    }

    /// The whole members of an inline segment; its end may be the header of a member that goes on elsewhere.
    fn members(
        &self,
        inflater: &mut Inflater,
        input: &mut RangeReader<'a>,
    ) -> Result<Option<OpenStream>, LayerError> {
        let part = BlobPart::Inline;
        while !input.is_at_end() {
            let offset = input.position();
            let header = input.take().map_err(|source| LayerError::Read { part, offset, source })?;
            if header != Some(HEADER) {
                return Err(LayerError::Damaged { part, offset, problem: "a member has another header" });
            }
            if input.is_at_end() {
                return Ok(Some(OpenStream::Header));
            }
            let expected = self.stream(inflater, input, part)?;
            if !has_trailer(input, expected)? {
                return Err(damaged(part, input, "the stream before it has another CRC-32 or size"));
            }
        }
        Ok(None)
    }

    /// Passes on one stream and returns the trailer it must have.
    fn stream(
        &self,
        inflater: &mut Inflater,
        input: &mut RangeReader<'a>,
        part: BlobPart,
    ) -> Result<[u8; 8], LayerError> {
        let offset = input.position();
        let totals =
            inflater.stream(input, |bytes| self.pieces.send(bytes.to_vec())).map_err(
                |error| match error {
                    StreamError::Read(source) => LayerError::Read { part, offset, source },
                    StreamError::Broken => {
                        LayerError::Damaged { part, offset, problem: "is not one whole deflate stream" }
                    }
                    // The other side found a fault, which is reported instead of this one.
                    StreamError::Sink(_) => LayerError::Damaged { part, offset, problem: "it was given up" },
                },
            )?;
        Ok(trailer(totals.crc32, totals.size))
    }
}

/// Where a member stands that is in more than one segment.
enum OpenStream {
    /// Its header was read.
    Header,
    /// Its stream, which starts there, was read and calls for this trailer.
    Trailer { expected: [u8; 8], part: BlobPart, offset: u64 },
}

fn has_trailer(input: &mut RangeReader<'_>, expected: [u8; 8]) -> Result<bool, LayerError> {
    let (part, offset) = (BlobPart::Inline, input.position());
    let found = input.take().map_err(|source| LayerError::Read { part, offset, source })?;
    Ok(found == Some(expected))
}

/// A damaged stream of an artifact, told by the names of the wheel and the member that it is the content of.
fn named(error: LayerError, wheels: &[InstalledWheel]) -> LayerError {
    let LayerError::Damaged { part: BlobPart::Artifact(artifact), offset, problem } = error else {
        return error;
    };
    let wheel = wheels.iter().find(|wheel| wheel.wheel().artifact() == artifact);
    let member = wheel.and_then(|wheel| Some((wheel, wheel.member_at(offset)?)));
    match member {
        Some((wheel, member)) => wheel.wheel().refuse(ZipProblem::content(&member.name, problem).into()),
        None => error,
    }
}

fn damaged(part: BlobPart, input: &RangeReader<'_>, problem: &'static str) -> LayerError {
    LayerError::Damaged { part, offset: input.position(), problem }
}

struct Content {
    diff_id: DiffId,
    size: u64,
}

/// Hashes the tar stream as it comes, and each of `files` in it.
fn hash(pieces: mpsc::Receiver<Vec<u8>>, files: &[SplicedFile]) -> Result<Content, LayerError> {
    let mut whole = Hasher::new();
    let mut position = 0;
    let mut files = files.iter();
    let mut current = files.next().map(|file| (file, Hasher::new()));
    for piece in pieces {
        whole.update(&piece);
        let end = position + piece.len() as u64;
        while let Some((file, hasher)) = &mut current {
            let file_end = file.start + file.size;
            let of_piece =
                |at: u64| usize::try_from(at.clamp(position, end) - position).expect("inside the piece");
            hasher.update(&piece[of_piece(file.start)..of_piece(file_end)]);
            if file_end > end {
                break;
            }
            if std::mem::take(hasher).finish() != file.digest {
                let problem = WheelProblem::RecordMismatch { member: file.member.clone() };
                return Err(LayerError::Wheel { wheel: file.wheel.to_string(), problem });
            }
            current = files.next().map(|file| (file, Hasher::new()));
        }
        position = end;
    }
    Ok(Content { diff_id: DiffId(whole.finish()), size: position })
}
