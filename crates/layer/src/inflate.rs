//! One raw deflate stream, from a range of an artifact or side file to whoever wants its content.

use std::io;

use flate2::{Crc, Decompress, FlushDecompress, Status};

use crate::ReadAt;

const BUFFER: usize = 64 * 1024;

/// Reads a range of `source` front to back.
pub(crate) struct RangeReader<'a> {
    source: &'a dyn ReadAt,
    buffer: Vec<u8>,
    /// What of the buffer is still to be taken.
    start: usize,
    filled: usize,
    /// Where the next read starts.
    next: u64,
    end: u64,
}

impl<'a> RangeReader<'a> {
    pub(crate) fn new(source: &'a dyn ReadAt, offset: u64, length: u64) -> Self {
        let size = usize::try_from(length).unwrap_or(BUFFER).min(BUFFER);
        Self { source, buffer: vec![0; size], start: 0, filled: 0, next: offset, end: offset + length }
    }

    /// Where the next byte comes from.
    pub(crate) fn position(&self) -> u64 {
        self.next - (self.filled - self.start) as u64
    }

    pub(crate) fn is_at_end(&self) -> bool {
        self.position() == self.end
    }

    /// Bytes that are not yet taken; none at the end of the range.
    pub(crate) fn peek(&mut self) -> io::Result<&[u8]> {
        if self.start == self.filled {
            let rest = usize::try_from(self.end - self.next).unwrap_or(BUFFER);
            let count = rest.min(self.buffer.len());
            self.source.read_exact_at(&mut self.buffer[..count], self.next)?;
            (self.start, self.filled) = (0, count);
            self.next += count as u64;
        }
        Ok(&self.buffer[self.start..self.filled])
    }

    pub(crate) fn consume(&mut self, count: usize) {
        self.start += count;
    }

    /// The next bytes, exactly as many as `N`; `None` if the range has fewer.
    pub(crate) fn take<const N: usize>(&mut self) -> io::Result<Option<[u8; N]>> {
        let mut taken = [0; N];
        for slot in &mut taken {
            let Some(byte) = self.peek()?.first().copied() else { return Ok(None) };
            *slot = byte;
            self.consume(1);
        }
        Ok(Some(taken))
    }
}

/// Why a stream could not be passed on.
pub(crate) enum StreamError<E> {
    /// Its bytes could not be read.
    Read(io::Error),
    /// They are not a deflate stream, or not a whole one.
    Broken,
    /// The receiver of the content gave up.
    Sink(E),
}

/// What a stream's content came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Totals {
    pub(crate) crc32: u32,
    pub(crate) size: u64,
}

/// Inflates streams one after the other.
pub(crate) struct Inflater {
    decompress: Decompress,
    output: Vec<u8>,
}

impl Inflater {
    pub(crate) fn new() -> Self {
        Self { decompress: Decompress::new(false), output: vec![0; BUFFER] }
    }

    /// Passes the content of the stream that starts at `input` to `sink`; `input` is then behind the stream.
    pub(crate) fn stream<E>(
        &mut self,
        input: &mut RangeReader<'_>,
        mut sink: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<Totals, StreamError<E>> {
        self.decompress.reset(false);
        let mut crc = Crc::new();
        loop {
            let bytes = input.peek().map_err(StreamError::Read)?;
            let at_end = bytes.is_empty();
            let before = (self.decompress.total_in(), self.decompress.total_out());
            let status = self
                .decompress
                .decompress(bytes, &mut self.output, FlushDecompress::None)
                .map_err(|_| StreamError::Broken)?;
            let taken = to_usize(self.decompress.total_in() - before.0);
            let made = &self.output[..to_usize(self.decompress.total_out() - before.1)];
            input.consume(taken);
            crc.update(made);
            sink(made).map_err(StreamError::Sink)?;
            if status == Status::StreamEnd {
                return Ok(Totals { crc32: crc.sum(), size: self.decompress.total_out() });
            }
            if taken == 0 && made.is_empty() && (at_end || status == Status::BufError) {
                return Err(StreamError::Broken);
            }
        }
    }
}

fn to_usize(count: u64) -> usize {
    usize::try_from(count).expect("at most a buffer")
}
