use std::collections::BTreeMap;

use imagewright_layer::Segment;
use imagewright_oci::{Digest, Hasher};

/// The last bytes of a spliced blob's file; FORMAT.md describes them.
pub(crate) const FOOTER_LENGTH: usize = 64;

const MAGIC: &[u8; 8] = b"IWSPLIC1";

/// What is behind the inline bytes of a spliced blob's file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Footer {
    /// How many inline bytes the file begins with.
    pub(crate) inline_length: u64,
    /// How many bytes the table behind them has.
    pub(crate) table_length: u64,
    /// How many bytes the blob has.
    pub(crate) size: u64,
    /// The digest of the table and the numbers above.
    seal: Digest,
}

impl Footer {
    /// The footer of a file with this table.
    pub(crate) fn of(inline_length: u64, table: &[u8], size: u64) -> Self {
        let table_length = table.len() as u64;
        Self { inline_length, table_length, size, seal: seal(inline_length, table, size) }
    }

    pub(crate) fn to_bytes(&self) -> [u8; FOOTER_LENGTH] {
        let mut bytes = [0; FOOTER_LENGTH];
        bytes[..32].copy_from_slice(self.seal.as_bytes());
        bytes[32..40].copy_from_slice(&self.inline_length.to_le_bytes());
        bytes[40..48].copy_from_slice(&self.table_length.to_le_bytes());
        bytes[48..56].copy_from_slice(&self.size.to_le_bytes());
        bytes[56..].copy_from_slice(MAGIC);
        bytes
    }

    /// Reads the footer of a file of `file_length` bytes.
    pub(crate) fn from_bytes(bytes: &[u8; FOOTER_LENGTH], file_length: u64) -> Result<Self, &'static str> {
        if &bytes[56..] != MAGIC {
            return Err("it does not end as a spliced blob does");
        }
        let number = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"));
        let seal = Digest::from_bytes(bytes[..32].try_into().expect("32 bytes"));
        let footer = Self { inline_length: number(32), table_length: number(40), size: number(48), seal };
        let length = footer
            .inline_length
            .checked_add(footer.table_length)
            .and_then(|sum| sum.checked_add(FOOTER_LENGTH as u64));
        if length == Some(file_length) { Ok(footer) } else { Err("its parts do not add up to its length") }
    }

    /// Reads the table that belongs to this footer.
    pub(crate) fn decode(&self, table: &[u8]) -> Result<Vec<Segment>, &'static str> {
        if self.seal != seal(self.inline_length, table, self.size) {
            return Err("its segment table is not what was written");
        }
        let segments = decode(table).ok_or("its segment table cannot be read")?;
        check(&segments, self.inline_length, self.size)?;
        Ok(segments)
    }
}

/// Checks that segments make `size` bytes and stay within the inline bytes.
pub(crate) fn check(segments: &[Segment], inline_length: u64, size: u64) -> Result<(), &'static str> {
    let mut sum = 0_u64;
    for segment in segments {
        sum = sum.checked_add(segment.length()).ok_or("their lengths overflow")?;
        let (Segment::Inline { offset, length } | Segment::Artifact { offset, length, .. }) = segment;
        let end = offset.checked_add(*length).ok_or("a segment ends beyond any file")?;
        if matches!(segment, Segment::Inline { .. }) && end > inline_length {
            return Err("an inline segment ends behind the inline bytes");
        }
    }
    if sum == size { Ok(()) } else { Err("their lengths do not add up to the blob's") }
}

/// How far each artifact is used: the lowest and the highest byte, the latter exclusive.
pub(crate) fn artifact_ranges(segments: &[Segment]) -> BTreeMap<Digest, (u64, u64)> {
    let mut ranges = BTreeMap::new();
    for segment in segments {
        if let Segment::Artifact { artifact, offset, length } = segment {
            let end = offset.saturating_add(*length);
            let range = ranges.entry(*artifact).or_insert((*offset, end));
            *range = (range.0.min(*offset), range.1.max(end));
        }
    }
    ranges
}

/// The table: the artifacts, then for each segment its source, where it begins relative to where the last one of
/// that source ended, and its length.
pub(crate) fn encode(segments: &[Segment]) -> Vec<u8> {
    let artifacts: Vec<Digest> = artifact_ranges(segments).into_keys().collect();
    let mut table = Vec::with_capacity(segments.len() * 6 + artifacts.len() * 32 + 8);
    put_number(&mut table, artifacts.len() as u64);
    for artifact in &artifacts {
        table.extend_from_slice(artifact.as_bytes());
    }
    put_number(&mut table, segments.len() as u64);
    let mut ends = vec![0; artifacts.len() + 1];
    for segment in segments {
        let (source, offset) = match segment {
            Segment::Inline { offset, .. } => (0, *offset),
            Segment::Artifact { artifact, offset, .. } => {
                (artifacts.binary_search(artifact).expect("every artifact is listed") + 1, *offset)
            }
        };
        put_number(&mut table, source as u64);
        put_number(&mut table, zigzag(offset.wrapping_sub(ends[source])));
        put_number(&mut table, segment.length());
        ends[source] = offset.wrapping_add(segment.length());
    }
    table
}

fn decode(mut table: &[u8]) -> Option<Vec<Segment>> {
    let table = &mut table;
    let artifact_count = usize::try_from(take_number(table)?).ok()?;
    let mut artifacts = Vec::new();
    for _ in 0..artifact_count {
        let (digest, rest) = table.split_first_chunk::<32>()?;
        artifacts.push(Digest::from_bytes(*digest));
        *table = rest;
    }
    let segment_count = usize::try_from(take_number(table)?).ok()?;
    let mut ends = vec![0_u64; artifacts.len() + 1];
    let mut segments = Vec::with_capacity(segment_count.min(table.len()));
    for _ in 0..segment_count {
        let source = usize::try_from(take_number(table)?).ok()?;
        let end = ends.get_mut(source)?;
        let offset = end.wrapping_add(unzigzag(take_number(table)?));
        let length = take_number(table)?;
        *end = offset.wrapping_add(length);
        segments.push(match source.checked_sub(1) {
            None => Segment::Inline { offset, length },
            Some(source) => Segment::Artifact { artifact: artifacts[source], offset, length },
        });
    }
    table.is_empty().then_some(segments)
}

fn seal(inline_length: u64, table: &[u8], size: u64) -> Digest {
    let mut hasher = Hasher::new();
    hasher.update(table);
    for number in [inline_length, table.len() as u64, size] {
        hasher.update(&number.to_le_bytes());
    }
    hasher.finish()
}

/// LEB128, as in DWARF and WebAssembly: seven bits a byte, the lowest first.
fn put_number(table: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        table.push(low_byte(number) | 0x80);
        number >>= 7;
    }
    table.push(low_byte(number));
}

fn take_number(table: &mut &[u8]) -> Option<u64> {
    let mut number = 0_u64;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = table.split_first()?;
        *table = rest;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

const fn low_byte(number: u64) -> u8 {
    number.to_le_bytes()[0]
}

/// Small differences in either direction become small numbers.
const fn zigzag(difference: u64) -> u64 {
    let signed = difference.cast_signed();
    ((signed << 1) ^ (signed >> 63)).cast_unsigned()
}

const fn unzigzag(number: u64) -> u64 {
    (number >> 1) ^ (number & 1).wrapping_neg()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn artifact(name: &str) -> Digest {
        Digest::of(name.as_bytes())
    }

    /// As the splice of a wheel makes them: a header of its own, then a member of the wheel, in another order than
    /// the wheel's.
    fn wheel_like(count: u64) -> (Vec<Segment>, u64, u64) {
        let mut segments = Vec::new();
        for number in 0..count {
            segments.push(Segment::Inline { offset: number * 60, length: 60 });
            segments.push(Segment::Artifact {
                artifact: artifact("wheel"),
                offset: (number * 7919 % count) * 30_000,
                length: 20_000 + number % 100,
            });
        }
        let size = segments.iter().map(Segment::length).sum();
        (segments, count * 60, size)
    }

    #[test]
    fn survives_the_round_trip() {
        let extreme = vec![
            Segment::Artifact { artifact: artifact("b"), offset: u64::MAX - 7, length: 7 },
            Segment::Artifact { artifact: artifact("a"), offset: 0, length: 1 },
            Segment::Artifact { artifact: artifact("b"), offset: 3, length: 0 },
            Segment::Inline { offset: 5, length: 5 },
            Segment::Inline { offset: 0, length: 5 },
        ];
        let (wheel, inline_length, size) = wheel_like(500);
        for (segments, inline_length, size) in
            [(extreme, 10, 18), (wheel, inline_length, size), (vec![], 0, 0)]
        {
            let table = encode(&segments);
            let footer = Footer::of(inline_length, &table, size);
            let file_length = inline_length + table.len() as u64 + FOOTER_LENGTH as u64;
            let read = Footer::from_bytes(&footer.to_bytes(), file_length).unwrap();
            assert_eq!(read.decode(&table).unwrap(), segments);
        }
    }

    #[test]
    fn is_compact() {
        let (segments, ..) = wheel_like(12_500);
        let bytes = encode(&segments).len();
        assert!(bytes < segments.len() * 7, "{bytes} bytes for {} segments", segments.len());
    }

    #[test]
    fn every_flipped_bit_and_every_cut_is_noticed() {
        let (segments, inline_length, size) = wheel_like(3);
        let table = encode(&segments);
        let footer = Footer::of(inline_length, &table, size).to_bytes();
        let file_length = inline_length + (table.len() + FOOTER_LENGTH) as u64;
        let read = |table: &[u8], footer: &[u8; FOOTER_LENGTH], file_length| {
            Footer::from_bytes(footer, file_length).and_then(|footer| footer.decode(table))
        };
        assert!(read(&table, &footer, file_length).is_ok());
        for bit in 0..table.len() * 8 {
            let mut damaged = table.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(read(&damaged, &footer, file_length).is_err(), "table bit {bit}");
        }
        for bit in 0..FOOTER_LENGTH * 8 {
            let mut damaged = footer;
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(read(&table, &damaged, file_length).is_err(), "footer bit {bit}");
        }
        assert!(read(&table, &footer, file_length - 1).is_err());
        for length in 0..table.len() {
            assert!(decode(&table[..length]).is_none(), "cut at {length}");
        }
    }

    #[test]
    fn says_what_is_wrong_with_segments() {
        let inline = |offset, length| Segment::Inline { offset, length };
        let cases = [
            (vec![inline(0, 4), inline(4, 4)], Ok(())),
            (vec![inline(0, 4)], Err("their lengths do not add up to the blob's")),
            (vec![inline(1, 8)], Err("an inline segment ends behind the inline bytes")),
            (vec![inline(u64::MAX, 8)], Err("a segment ends beyond any file")),
            (vec![inline(0, 1), inline(0, u64::MAX)], Err("their lengths overflow")),
        ];
        for (segments, expected) in cases {
            assert_eq!(check(&segments, 8, 8), expected, "{segments:?}");
        }
    }
}
