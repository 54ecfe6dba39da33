use super::central::Entry;
use super::fields::{Fields, extra};
use super::{ZipMember, ZipProblem};
use crate::ReadAt;

const SIGNATURE: u32 = 0x0403_4b50;
const DESCRIPTOR_SIGNATURE: u32 = 0x0807_4b50;
const HEADER_LENGTH: usize = 30;
const DESCRIPTOR_FLAG: u16 = 1 << 3;
/// Flags that both headers must state alike: encryption, data descriptor, encoding of the name.
const COMPARED_FLAGS: u16 = 1 | DESCRIPTOR_FLAG | 1 << 11;
const ZIP64: u16 = 0x0001;
const MARK: u32 = u32::MAX;
/// Read along with the fixed part, so that most headers take one read.
const USUAL_VARIABLE_PART: usize = 512;

/// Compares every entry with its local header and descriptor; no two members may share a byte.
pub(super) fn check(
    archive: &dyn ReadAt,
    entries: Vec<Entry>,
    directory_offset: u64,
) -> Result<Vec<ZipMember>, ZipProblem> {
    let mut spans = Vec::with_capacity(entries.len());
    let mut members = Vec::with_capacity(entries.len());
    for (index, entry) in entries.into_iter().enumerate() {
        let data_offset = data_offset(archive, &entry)?;
        let end = end_of_member(archive, &entry, data_offset)?;
        spans.push((entry.header_offset, end, index));
        members.push(ZipMember {
            name: entry.name,
            method: entry.method,
            crc32: entry.crc32,
            compressed_size: entry.compressed_size,
            size: entry.size,
            data_offset,
            unix_mode: entry.unix_mode,
        });
    }
    spans.sort_unstable();
    let starts = spans.iter().skip(1).map(|span| span.0).chain([directory_offset]);
    for ((_, end, index), next_start) in spans.iter().zip(starts) {
        if *end > next_start {
            return Err(ZipProblem::member(&members[*index].name, "shares bytes with what comes next"));
        }
    }
    Ok(members)
}

/// Where the content of `entry` starts, after its local header agreed with the central directory.
fn data_offset(archive: &dyn ReadAt, entry: &Entry) -> Result<u64, ZipProblem> {
    let disagrees =
        || ZipProblem::member(&entry.name, "has a local header that disagrees with the directory");
    let mut buffer = vec![0; HEADER_LENGTH + USUAL_VARIABLE_PART];
    let count = read_up_to(archive, &mut buffer, entry.header_offset)?;
    let header = Local::parse(&buffer[..count]).ok_or_else(disagrees)?;
    let length = HEADER_LENGTH + usize::from(header.name_length) + usize::from(header.extra_length);
    if length > count {
        buffer.resize(length, 0);
        archive.read_exact_at(&mut buffer, entry.header_offset)?;
    }
    let (name, extra_area) = buffer[HEADER_LENGTH..length].split_at(usize::from(header.name_length));
    if name != entry.name.as_bytes() || !header.agrees(entry, extra_area) {
        return Err(disagrees());
    }
    entry.header_offset.checked_add(length as u64).ok_or_else(disagrees)
}

struct Local {
    flags: u16,
    method: u16,
    crc32: u32,
    compressed_size: u32,
    size: u32,
    name_length: u16,
    extra_length: u16,
}

impl Local {
    fn parse(bytes: &[u8]) -> Option<Self> {
        let mut fields = Fields(bytes);
        if fields.u32()? != SIGNATURE {
            return None;
        }
        let _version = fields.u16()?;
        let (flags, method) = (fields.u16()?, fields.u16()?);
        let _time_and_date = fields.u32()?;
        let (crc32, compressed_size, size) = (fields.u32()?, fields.u32()?, fields.u32()?);
        let (name_length, extra_length) = (fields.u16()?, fields.u16()?);
        Some(Self { flags, method, crc32, compressed_size, size, name_length, extra_length })
    }

    fn agrees(&self, entry: &Entry, extra_area: &[u8]) -> bool {
        let same_flags = self.flags & COMPARED_FLAGS == entry.flags & COMPARED_FLAGS;
        if !same_flags || self.method != entry.method.number() {
            return false;
        }
        let Some((size, compressed_size)) = self.long_fields(extra_area) else { return false };
        let later = entry.flags & DESCRIPTOR_FLAG != 0;
        let same = |local: u64, central: u64| local == central || (later && local == 0);
        same(u64::from(self.crc32), u64::from(entry.crc32))
            && same(size, entry.size)
            && same(compressed_size, entry.compressed_size)
    }

    /// Size and compressed size, from the zip64 extra field where they are marked to be there.
    fn long_fields(&self, extra_area: &[u8]) -> Option<(u64, u64)> {
        let mut long = Fields(extra(extra_area, ZIP64).unwrap_or_default());
        let size = if self.size == MARK { long.u64()? } else { self.size.into() };
        let compressed = if self.compressed_size == MARK { long.u64()? } else { self.compressed_size.into() };
        Some((size, compressed))
    }
}

/// Where a member ends, with its data descriptor if it has one, which must agree.
fn end_of_member(archive: &dyn ReadAt, entry: &Entry, data_offset: u64) -> Result<u64, ZipProblem> {
    let Some(data_end) = data_offset.checked_add(entry.compressed_size) else {
        return Err(ZipProblem::member(&entry.name, "is longer than any file"));
    };
    if entry.flags & DESCRIPTOR_FLAG == 0 {
        return Ok(data_end);
    }
    let mut buffer = [0; 24];
    let count = read_up_to(archive, &mut buffer, data_end)?;
    match descriptor_length(&buffer[..count], entry) {
        Some(length) => Ok(data_end + length),
        None => {
            Err(ZipProblem::member(&entry.name, "has a data descriptor that disagrees with the directory"))
        }
    }
}

/// The length of the descriptor at the start of `bytes`: with or without signature, in 32 or 64 bits.
fn descriptor_length(bytes: &[u8], entry: &Entry) -> Option<u64> {
    [true, false].into_iter().find_map(|signed| {
        let mut fields = Fields(bytes);
        if signed && fields.u32() != Some(DESCRIPTOR_SIGNATURE) || fields.u32() != Some(entry.crc32) {
            return None;
        }
        let head = if signed { 8 } else { 4 };
        let (mut long, mut short) = (fields, fields);
        if long.u64() == Some(entry.compressed_size) && long.u64() == Some(entry.size) {
            return Some(head + 16);
        }
        let is_short = short.u32().map(u64::from) == Some(entry.compressed_size)
            && short.u32().map(u64::from) == Some(entry.size);
        is_short.then_some(head + 8)
    })
}

fn read_up_to(archive: &dyn ReadAt, buffer: &mut [u8], offset: u64) -> Result<usize, ZipProblem> {
    let available = archive.size()?.saturating_sub(offset).min(buffer.len() as u64);
    let count = usize::try_from(available).expect("at most the buffer");
    archive.read_exact_at(&mut buffer[..count], offset)?;
    Ok(count)
}
