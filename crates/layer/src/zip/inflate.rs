use flate2::Crc;

use super::{Method, ZipMember, ZipProblem};
use crate::ReadAt;
use crate::inflate::{Inflater, RangeReader, StreamError, Totals};

/// Passes the content of `member` to `sink` in pieces, and checks its size, its CRC and its end.
///
/// The pieces were passed on before they were known to be right: an error means that they must be forgotten.
pub(crate) fn inflate_member<E: From<ZipProblem>>(
    archive: &dyn ReadAt,
    member: &ZipMember,
    mut sink: impl FnMut(&[u8]) -> Result<(), E>,
) -> Result<(), E> {
    let wrong = |problem| E::from(ZipProblem::content(&member.name, problem));
    let mut size = 0;
    let mut pass = |bytes: &[u8]| {
        size += bytes.len() as u64;
        if size > member.size { Err(wrong("is longer than its size")) } else { sink(bytes) }
    };
    let mut input = RangeReader::new(archive, member.data_offset, member.compressed_size);
    let totals = match member.method {
        Method::Stored => read_stored(&mut input, &mut pass)?,
        Method::Deflated => Inflater::new().stream(&mut input, &mut pass).map_err(|error| match error {
            StreamError::Read(source) => E::from(source.into()),
            StreamError::Broken => wrong("is not one whole deflate stream"),
            StreamError::Sink(error) => error,
        })?,
    };
    if !input.is_at_end() {
        return Err(wrong("ends before its compressed size"));
    }
    if totals.size != member.size {
        return Err(wrong("is shorter than its size"));
    }
    if totals.crc32 != member.crc32 {
        return Err(wrong("does not have its CRC-32"));
    }
    Ok(())
}

fn read_stored<E: From<ZipProblem>>(
    input: &mut RangeReader<'_>,
    pass: &mut impl FnMut(&[u8]) -> Result<(), E>,
) -> Result<Totals, E> {
    let mut crc = Crc::new();
    let mut size = 0;
    loop {
        let bytes = input.peek().map_err(ZipProblem::from)?;
        if bytes.is_empty() {
            return Ok(Totals { crc32: crc.sum(), size });
        }
        pass(bytes)?;
        crc.update(bytes);
        size += bytes.len() as u64;
        let count = bytes.len();
        input.consume(count);
    }
}
