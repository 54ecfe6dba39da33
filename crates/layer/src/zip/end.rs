use super::ZipProblem;
use super::fields::Fields;
use crate::ReadAt;

const END_SIGNATURE: [u8; 4] = *b"PK\x05\x06";
const END_LENGTH: u64 = 22;
const LOCATOR_SIGNATURE: u32 = 0x0706_4b50;
const LOCATOR_LENGTH: usize = 20;
const RECORD64_SIGNATURE: u32 = 0x0606_4b50;
const RECORD64_LENGTH: usize = 56;
/// Directories above this size are refused before memory is taken for them: over a million members.
const MAX_DIRECTORY: u64 = 128 << 20;

/// Where the central directory is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct End {
    pub(super) entries: u64,
    pub(super) directory_size: u64,
    pub(super) directory_offset: u64,
}

/// Finds the end records; the central directory must lie directly before them.
pub(super) fn find(archive: &dyn ReadAt) -> Result<End, ZipProblem> {
    let size = archive.size()?;
    let tail_length = size.min(END_LENGTH + u64::from(u16::MAX));
    let mut tail = vec![0; usize::try_from(tail_length).expect("at most 64 KiB")];
    archive.read_exact_at(&mut tail, size - tail_length)?;
    let at = tail
        .windows(END_SIGNATURE.len())
        .rposition(|window| window == END_SIGNATURE)
        .ok_or(structure("there is no end record"))?;
    let (end, comment) = parse_end(&tail[at..]).ok_or(structure("the end record is cut off"))?;
    if usize::from(comment) != tail.len() - at - 22 {
        return Err(structure("the comment does not end at the end of the file"));
    }
    let position = size - tail_length + at as u64;
    let (end, directory_end) = match find_zip64(archive, position)? {
        Some((end64, position64)) if agrees(&end, &end64) => (end64, position64),
        Some(_) => return Err(structure("the two end records disagree")),
        None => (end, position),
    };
    let stated_end = end.directory_offset.checked_add(end.directory_size);
    if stated_end != Some(directory_end) || end.directory_size > MAX_DIRECTORY {
        return Err(structure("the central directory is not directly before the end record"));
    }
    Ok(end)
}

fn parse_end(bytes: &[u8]) -> Option<(End, u16)> {
    let mut fields = Fields(bytes);
    fields.u32()?;
    let disks = (fields.u16()?, fields.u16()?);
    let (here, entries) = (fields.u16()?, fields.u16()?);
    let (directory_size, directory_offset) = (fields.u32()?, fields.u32()?);
    let comment = fields.u16()?;
    let end = End {
        entries: u64::from(entries),
        directory_size: u64::from(directory_size),
        directory_offset: u64::from(directory_offset),
    };
    (disks == (0, 0) && here == entries).then_some((end, comment))
}

/// The zip64 end record and its position, when the locator is before the end record at `position`.
fn find_zip64(archive: &dyn ReadAt, position: u64) -> Result<Option<(End, u64)>, ZipProblem> {
    let Some(locator_position) = position.checked_sub(LOCATOR_LENGTH as u64) else { return Ok(None) };
    let mut locator = [0; LOCATOR_LENGTH];
    archive.read_exact_at(&mut locator, locator_position)?;
    let mut fields = Fields(&locator);
    if fields.u32() != Some(LOCATOR_SIGNATURE) {
        return Ok(None);
    }
    let locator = fields.u32().zip(fields.u64()).zip(fields.u32());
    let Some(((0, record_position), 0 | 1)) = locator else {
        return Err(structure("the archive has several parts"));
    };
    if record_position.checked_add(RECORD64_LENGTH as u64) != Some(locator_position) {
        return Err(structure("the zip64 end record is not directly before its locator"));
    }
    let mut record = [0; RECORD64_LENGTH];
    archive.read_exact_at(&mut record, record_position)?;
    let end = parse_end64(&record).ok_or(structure("the zip64 end record is damaged"))?;
    Ok(Some((end, record_position)))
}

fn parse_end64(bytes: &[u8]) -> Option<End> {
    let mut fields = Fields(bytes);
    let valid = fields.u32()? == RECORD64_SIGNATURE && fields.u64()? == RECORD64_LENGTH as u64 - 12;
    let _versions = fields.u32()?;
    let disks = (fields.u32()?, fields.u32()?);
    let (here, entries) = (fields.u64()?, fields.u64()?);
    let (directory_size, directory_offset) = (fields.u64()?, fields.u64()?);
    (valid && disks == (0, 0) && here == entries).then_some(End { entries, directory_size, directory_offset })
}

/// Whether the short record says what the long one says, or that the long one says it.
fn agrees(short: &End, long: &End) -> bool {
    let same = |short: u64, long: u64, mark: u64| short == mark || short == long;
    same(short.entries, long.entries, u64::from(u16::MAX))
        && same(short.directory_size, long.directory_size, u64::from(u32::MAX))
        && same(short.directory_offset, long.directory_offset, u64::from(u32::MAX))
}

fn structure(problem: &'static str) -> ZipProblem {
    ZipProblem::Structure { problem }
}
