use std::collections::VecDeque;
use std::io::Write;
use std::num::NonZeroUsize;
use std::sync::mpsc::TryRecvError;

use imagewright_oci::{Digest, Hasher};

use crate::LayerError;
use crate::blob::{Blob, BlobWriter, Range};
use crate::gzip::{CHUNK, HEADER, trailer};
use crate::pool::{Member, Pool};
use crate::tar::{END, Header, padding};

/// What all entries of a layer share, and how many threads may make it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EncodeOptions {
    /// The modification time of every entry, in seconds since 1970.
    pub epoch: u64,
    /// How many threads compress; the bytes do not depend on it.
    pub threads: NonZeroUsize,
}

/// A deflate stream that goes into a layer as it is.
pub(crate) struct Splice<'a> {
    pub(crate) range: Range<'a>,
    pub(crate) crc32: u32,
    pub(crate) size: u64,
}

/// Turns a tar stream, some of whose contents are already compressed, into the members of a blob.
///
/// Bytes that are not compressed yet collect in a run, which is cut into members of [`CHUNK`] bytes; a splice
/// ends the run.
pub(crate) struct LayerWriter<'a> {
    blob: BlobWriter<'a>,
    pool: Pool,
    run: Vec<u8>,
    tar_size: u64,
    hasher: Option<Hasher>,
    queue: VecDeque<Piece<'a>>,
    coming: usize,
}

/// Whether the tar stream can be hashed while it is written: only if all its bytes go through the writer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TarHash {
    Wanted,
    LeftToVerification,
}

/// A blob, and the tar stream that it holds.
pub(crate) struct Written {
    pub(crate) blob: Blob,
    pub(crate) size: u64,
    pub(crate) digest: Option<Digest>,
}

enum Piece<'a> {
    Member(Member),
    Bytes(Vec<u8>),
    Range(Range<'a>),
}

impl<'a> LayerWriter<'a> {
    /// Lets `body` write the entries of a layer; the end of the archive is added.
    pub(crate) fn run(
        inline: &'a mut dyn Write,
        threads: NonZeroUsize,
        hash: TarHash,
        body: impl FnOnce(&mut Self) -> Result<(), LayerError>,
    ) -> Result<Written, LayerError> {
        Pool::run(threads, |pool| {
            let (blob, run, queue) = (BlobWriter::new(inline), Vec::with_capacity(CHUNK), VecDeque::new());
            let hasher = (hash == TarHash::Wanted).then(Hasher::new);
            let mut writer = Self { blob, pool, run, tar_size: 0, hasher, queue, coming: 0 };
            body(&mut writer)?;
            writer.bytes(&END)?;
            writer.end_run()?;
            writer.settle(0)?;
            let (size, digest) = (writer.tar_size, writer.hasher.map(Hasher::finish));
            Ok(Written { blob: writer.blob.finish()?, size, digest })
        })
    }

    /// How many bytes of the tar stream there are so far.
    pub(crate) fn tar_size(&self) -> u64 {
        self.tar_size
    }

    pub(crate) fn header(&mut self, header: &Header<'_>) -> Result<(), LayerError> {
        let mut blocks = Vec::new();
        header.write(&mut blocks);
        self.bytes(&blocks)
    }

    /// Bytes of the tar stream that are to be compressed.
    pub(crate) fn bytes(&mut self, mut bytes: &[u8]) -> Result<(), LayerError> {
        self.tar_size += bytes.len() as u64;
        if let Some(hasher) = &mut self.hasher {
            hasher.update(bytes);
        }
        while !bytes.is_empty() {
            let (now, later) = bytes.split_at(bytes.len().min(CHUNK - self.run.len()));
            self.run.extend_from_slice(now);
            bytes = later;
            if self.run.len() == CHUNK {
                self.end_run()?;
            }
        }
        Ok(())
    }

    /// A content that is compressed already.
    pub(crate) fn splice(&mut self, splice: Splice<'a>) -> Result<(), LayerError> {
        self.end_run()?;
        self.tar_size += splice.size;
        self.queue.push_back(Piece::Bytes(HEADER.to_vec()));
        self.queue.push_back(Piece::Range(splice.range));
        self.queue.push_back(Piece::Bytes(trailer(splice.crc32, splice.size).to_vec()));
        self.settle(self.pool.limit())
    }

    /// The zeros behind a content of `size` bytes.
    pub(crate) fn pad(&mut self, size: u64) -> Result<(), LayerError> {
        self.bytes(padding(size))
    }

    fn end_run(&mut self) -> Result<(), LayerError> {
        if self.run.is_empty() {
            return Ok(());
        }
        let next = Vec::with_capacity(if self.run.len() == CHUNK { CHUNK } else { 0 });
        let member = self.pool.member(std::mem::replace(&mut self.run, next));
        self.coming += usize::from(matches!(member, Member::Coming(_)));
        self.queue.push_back(Piece::Member(member));
        self.settle(self.pool.limit())
    }

    /// Moves what is ready to the blob, and waits while more than `limit` members are on their way.
    fn settle(&mut self, limit: usize) -> Result<(), LayerError> {
        while let Some(piece) = self.queue.pop_front() {
            match piece {
                Piece::Bytes(bytes) | Piece::Member(Member::Ready(bytes)) => self.blob.put(&bytes)?,
                Piece::Range(range) => self.blob.put_range(&range)?,
                Piece::Member(Member::Coming(coming)) => {
                    let member = if self.coming > limit {
                        coming.recv().map_err(TryRecvError::from)
                    } else {
                        coming.try_recv()
                    };
                    match member {
                        Ok(member) => self.blob.put(&member)?,
                        Err(TryRecvError::Disconnected) => unreachable!("a worker ends only with its pool"),
                        Err(TryRecvError::Empty) => {
                            self.queue.push_front(Piece::Member(Member::Coming(coming)));
                            return Ok(());
                        }
                    }
                    self.coming -= 1;
                }
            }
        }
        Ok(())
    }
}
