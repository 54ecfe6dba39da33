use super::end::End;
use super::fields::{Fields, extra};
use super::{Method, ZipProblem};
use crate::ReadAt;

const SIGNATURE: u32 = 0x0201_4b50;
const ENTRY_LENGTH: u64 = 46;
const ZIP64: u16 = 0x0001;
const UNICODE_PATH: u16 = 0x7075;
const MARK: u64 = u32::MAX as u64;

/// Encrypted, patched, strongly encrypted, masked.
const REFUSED_FLAGS: u16 = 1 | 1 << 5 | 1 << 6 | 1 << 13;
const UTF8_FLAG: u16 = 1 << 11;
/// Deflate needs at least a thousandth of what it makes.
const MAX_RATIO: u64 = 1032;
const LINK: u32 = 0o120_000;
const TYPE_MASK: u32 = 0o170_000;

/// One entry of the central directory.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) name: String,
    pub(super) flags: u16,
    pub(super) method: Method,
    pub(super) crc32: u32,
    pub(super) compressed_size: u64,
    pub(super) size: u64,
    pub(super) header_offset: u64,
    pub(super) unix_mode: u32,
}

/// Reads and checks the whole central directory.
pub(super) fn read(archive: &dyn ReadAt, end: &End) -> Result<Vec<Entry>, ZipProblem> {
    let damaged = ZipProblem::Structure { problem: "the central directory does not hold its entries" };
    if end.entries > end.directory_size / ENTRY_LENGTH {
        return Err(damaged);
    }
    let mut directory = vec![0; usize::try_from(end.directory_size).expect("limited when it was found")];
    archive.read_exact_at(&mut directory, end.directory_offset)?;
    let mut fields = Fields(&directory);
    let mut entries = Vec::with_capacity(usize::try_from(end.entries).expect("limited by the directory"));
    for _ in 0..end.entries {
        let Some(raw) = Raw::take(&mut fields) else { return Err(damaged) };
        entries.push(raw.check()?);
    }
    if fields.0.is_empty() { Ok(entries) } else { Err(damaged) }
}

/// An entry as it is written.
struct Raw<'a> {
    flags: u16,
    method: u16,
    crc32: u32,
    compressed_size: u32,
    size: u32,
    disk: u16,
    external_attributes: u32,
    header_offset: u32,
    name: &'a [u8],
    extra: &'a [u8],
}

impl<'a> Raw<'a> {
    fn take(fields: &mut Fields<'a>) -> Option<Self> {
        if fields.u32()? != SIGNATURE {
            return None;
        }
        let _versions = fields.u32()?;
        let (flags, method) = (fields.u16()?, fields.u16()?);
        let _time_and_date = fields.u32()?;
        let (crc32, compressed_size, size) = (fields.u32()?, fields.u32()?, fields.u32()?);
        let (name_length, extra_length, comment_length) = (fields.u16()?, fields.u16()?, fields.u16()?);
        let disk = fields.u16()?;
        let _internal_attributes = fields.u16()?;
        let (external_attributes, header_offset) = (fields.u32()?, fields.u32()?);
        let name = fields.bytes(usize::from(name_length))?;
        let extra = fields.bytes(usize::from(extra_length))?;
        fields.bytes(usize::from(comment_length))?;
        Some(Self {
            flags,
            method,
            crc32,
            compressed_size,
            size,
            disk,
            external_attributes,
            header_offset,
            name,
            extra,
        })
    }

    fn check(&self) -> Result<Entry, ZipProblem> {
        let shown = String::from_utf8_lossy(self.name);
        let refuse = |problem| ZipProblem::member(&shown, problem);
        let Ok(name) = std::str::from_utf8(self.name) else {
            return Err(refuse("has a name that is not UTF-8"));
        };
        if !name.is_ascii() && self.flags & UTF8_FLAG == 0 {
            return Err(refuse("has a name in an unstated encoding"));
        }
        if extra(self.extra, UNICODE_PATH).is_some_and(|other| !other.ends_with(self.name)) {
            return Err(refuse("has two names"));
        }
        if self.flags & REFUSED_FLAGS != 0 {
            return Err(refuse("is encrypted"));
        }
        let method = match self.method {
            0 => Method::Stored,
            8 => Method::Deflated,
            _ => return Err(refuse("is neither stored nor deflated")),
        };
        let unix_mode = self.external_attributes >> 16;
        if unix_mode & TYPE_MASK == LINK {
            return Err(refuse("is a link"));
        }
        let (size, compressed_size, header_offset) =
            self.long_fields().ok_or_else(|| refuse("has no usable zip64 sizes"))?;
        match method {
            Method::Stored if size != compressed_size => return Err(refuse("is stored in another size")),
            Method::Deflated if size / MAX_RATIO > compressed_size => {
                return Err(refuse("states a size that deflate cannot reach"));
            }
            _ => {}
        }
        Ok(Entry {
            name: name.to_owned(),
            flags: self.flags,
            method,
            crc32: self.crc32,
            compressed_size,
            size,
            header_offset,
            unix_mode,
        })
    }

    /// Size, compressed size and header offset, from the zip64 extra field where they are marked to be there.
    fn long_fields(&self) -> Option<(u64, u64, u64)> {
        let short = [self.size, self.compressed_size, self.header_offset].map(u64::from);
        let mut long = Fields(extra(self.extra, ZIP64).unwrap_or_default());
        let mut values = [0; 3];
        for (value, short) in values.iter_mut().zip(short) {
            *value = if short == MARK { long.u64()? } else { short };
        }
        let disk = if self.disk == u16::MAX { long.u32()? } else { u32::from(self.disk) };
        (disk == 0).then_some((values[0], values[1], values[2]))
    }
}
