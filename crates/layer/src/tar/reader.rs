//! Tar entries, read: what any program may have written into a layer.
//!
//! ustar, its predecessors, PAX records and GNU's long names and large numbers. Values of PAX records are taken
//! by their stated length, since extended attributes are binary. Sparse files do not occur in layers and are
//! refused.

use std::collections::BTreeMap;
use std::io::{self, Read};

use super::BLOCK;

/// Names and extended attributes above this size are refused before memory is taken for them.
const MAX_EXTENSION: u64 = 16 << 20;

/// One entry as it is written, with its extensions applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RawEntry {
    pub(crate) path: Vec<u8>,
    pub(crate) link: Vec<u8>,
    pub(crate) type_flag: u8,
    pub(crate) mode: u32,
    pub(crate) uid: u64,
    pub(crate) gid: u64,
    pub(crate) size: u64,
    pub(crate) mtime: u64,
    pub(crate) device: (u32, u32),
    /// PAX records that are not fields.
    pub(crate) records: Records,
}

/// PAX records by key.
pub(crate) type Records = BTreeMap<String, Vec<u8>>;

/// Reads entries one after the other; the content of each is read through [`Read`] before the next.
pub(crate) struct TarReader<R> {
    input: R,
    /// What is left of the current content, and of the zeros behind it.
    content: u64,
    padding: u64,
}

impl<R: Read> TarReader<R> {
    pub(crate) fn new(input: R) -> Self {
        Self { input, content: 0, padding: 0 }
    }

    /// What is read from.
    pub(crate) fn input(&self) -> &R {
        &self.input
    }

    /// The next entry that is not an extension; `None` at the end of the archive.
    pub(crate) fn next(&mut self) -> io::Result<Option<RawEntry>> {
        let (mut records, mut long_path, mut long_link) = (Records::new(), None, None);
        loop {
            self.skip()?;
            let Some(block) = self.block()? else { return Ok(None) };
            let header = Header(&block);
            self.expect_content(header.number(124, 12)?);
            match header.type_flag() {
                b'x' => records = parse_records(&self.extension()?)?,
                // Global records hold comments, such as the commit of a source archive.
                b'g' => {}
                b'L' => long_path = Some(until_nul(&self.extension()?).to_vec()),
                b'K' => long_link = Some(until_nul(&self.extension()?).to_vec()),
                b'S' => return Err(malformed("it has a sparse file")),
                _ => {
                    let mut entry = header.entry()?;
                    entry.path = long_path.unwrap_or(entry.path);
                    entry.link = long_link.unwrap_or(entry.link);
                    entry.apply(records)?;
                    // Only regular files have content; the size of others is that of what they stand for.
                    entry.size = if entry.has_content() { entry.size } else { 0 };
                    self.expect_content(entry.size);
                    return Ok(Some(entry));
                }
            }
        }
    }

    fn expect_content(&mut self, size: u64) {
        self.content = size;
        self.padding = size.wrapping_neg() % BLOCK as u64;
    }

    /// Reads past what nobody wanted.
    fn skip(&mut self) -> io::Result<()> {
        let rest = self.content.checked_add(self.padding).ok_or_else(|| malformed("a size is too large"))?;
        let skipped = io::copy(&mut (&mut self.input).take(rest), &mut io::sink())?;
        (self.content, self.padding) = (0, 0);
        if skipped == rest { Ok(()) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
    }

    /// The next header; a block of zeros, or the end of the input between entries, ends the archive.
    fn block(&mut self) -> io::Result<Option<[u8; BLOCK]>> {
        let mut block = Vec::with_capacity(BLOCK);
        (&mut self.input).take(BLOCK as u64).read_to_end(&mut block)?;
        if block.is_empty() || block.iter().all(|byte| *byte == 0) && block.len() == BLOCK {
            return Ok(None);
        }
        block.try_into().map(Some).map_err(|_| io::ErrorKind::UnexpectedEof.into())
    }

    fn extension(&mut self) -> io::Result<Vec<u8>> {
        if self.content > MAX_EXTENSION {
            return Err(malformed("an extended header is too long"));
        }
        let mut bytes = Vec::new();
        let size = self.content;
        if self.read_to_end(&mut bytes)? as u64 == size {
            Ok(bytes)
        } else {
            Err(io::ErrorKind::UnexpectedEof.into())
        }
    }
}

/// The content of the current entry; a cut content is an error.
impl<R: Read> Read for TarReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = (&mut self.input).take(self.content).read(buffer)?;
        if count == 0 && self.content > 0 && !buffer.is_empty() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.content -= count as u64;
        Ok(count)
    }
}

impl RawEntry {
    fn has_content(&self) -> bool {
        !matches!(self.type_flag, b'1'..=b'6')
    }

    fn apply(&mut self, mut records: Records) -> io::Result<()> {
        if records.keys().any(|key| key.starts_with("GNU.sparse.")) {
            return Err(malformed("it has a sparse file"));
        }
        self.path = records.remove("path").unwrap_or_else(|| std::mem::take(&mut self.path));
        self.link = records.remove("linkpath").unwrap_or_else(|| std::mem::take(&mut self.link));
        for (key, field) in [("size", &mut self.size), ("uid", &mut self.uid), ("gid", &mut self.gid)] {
            if let Some(value) = records.remove(key) {
                *field = decimal(&value).ok_or_else(|| malformed("a PAX record is not a number"))?;
            }
        }
        if let Some(value) = records.remove("mtime") {
            // A fraction of a second is dropped, and so is a time before 1970.
            self.mtime = value.split(|byte| *byte == b'.').next().and_then(decimal).unwrap_or_default();
        }
        self.records = records;
        Ok(())
    }
}

struct Header<'a>(&'a [u8; BLOCK]);

impl Header<'_> {
    fn type_flag(&self) -> u8 {
        self.0[156]
    }

    fn entry(&self) -> io::Result<RawEntry> {
        let small =
            |start| u32::try_from(self.number(start, 8)?).map_err(|_| malformed("a number is too large"));
        Ok(RawEntry {
            path: self.path(),
            link: until_nul(&self.0[157..257]).to_vec(),
            type_flag: self.type_flag(),
            mode: small(100)?,
            uid: self.number(108, 8)?,
            gid: self.number(116, 8)?,
            size: self.number(124, 12)?,
            mtime: self.number(136, 12)?,
            device: if matches!(self.type_flag(), b'3' | b'4') { (small(329)?, small(337)?) } else { (0, 0) },
            records: Records::new(),
        })
    }

    /// The name, behind its prefix where the format is ustar and not GNU's older one.
    fn path(&self) -> Vec<u8> {
        let name = until_nul(&self.0[..100]);
        let prefix = until_nul(&self.0[345..500]);
        if self.0[257..263] != *b"ustar\0" || prefix.is_empty() {
            return name.to_vec();
        }
        [prefix, b"/", name].concat()
    }

    /// A number in octal digits, or in GNU's binary form; negative ones are 0.
    fn number(&self, start: usize, length: usize) -> io::Result<u64> {
        self.check_sum()?;
        let field = &self.0[start..start + length];
        if field[0] & 0x80 != 0 {
            let is_negative = field[0] & 0x40 != 0;
            let first = u64::from(field[0] & 0x3f);
            let number = field[1..]
                .iter()
                .try_fold(first, |high, byte| high.checked_mul(256)?.checked_add(u64::from(*byte)));
            return match (is_negative, number) {
                (true, _) => Ok(0),
                (false, Some(number)) => Ok(number),
                (false, None) => Err(malformed("a number is too large")),
            };
        }
        let text = until_nul(field).trim_ascii();
        text.iter()
            .try_fold(0_u64, |number, digit| match digit {
                b'0'..=b'7' => number.checked_mul(8)?.checked_add(u64::from(digit - b'0')),
                _ => None,
            })
            .ok_or_else(|| malformed("a number in a header is not octal"))
    }

    fn check_sum(&self) -> io::Result<()> {
        let stated = until_nul(&self.0[148..156]).trim_ascii();
        let stated = std::str::from_utf8(stated).ok().and_then(|text| u64::from_str_radix(text, 8).ok());
        let counted =
            |index: usize, byte: u8| if (148..156).contains(&index) { u64::from(b' ') } else { byte.into() };
        let sum = self.0.iter().enumerate().map(|(index, byte)| counted(index, *byte)).sum::<u64>();
        if stated == Some(sum) { Ok(()) } else { Err(malformed("the checksum of a header is wrong")) }
    }
}

fn until_nul(field: &[u8]) -> &[u8] {
    field.split(|byte| *byte == 0).next().unwrap_or_default()
}

fn decimal(text: &[u8]) -> Option<u64> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// Splits `<length> <key>=<value>\n` records by their lengths.
fn parse_records(mut bytes: &[u8]) -> io::Result<Records> {
    let mut records = Records::new();
    while !bytes.is_empty() {
        let (key, value, rest) = split_record(bytes).ok_or_else(|| malformed("a PAX record is malformed"))?;
        records.insert(key, value);
        bytes = rest;
    }
    Ok(records)
}

fn split_record(bytes: &[u8]) -> Option<(String, Vec<u8>, &[u8])> {
    let space = bytes.iter().position(|byte| *byte == b' ')?;
    let length = usize::try_from(decimal(&bytes[..space])?).ok()?;
    let (record, rest) = bytes.split_at_checked(length)?;
    let content = record.get(space + 1..)?.strip_suffix(b"\n")?;
    let equals = content.iter().position(|byte| *byte == b'=')?;
    let key = std::str::from_utf8(&content[..equals]).ok()?;
    Some((key.to_owned(), content[equals + 1..].to_vec(), rest))
}

fn malformed(problem: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, problem)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::{EntryKind, Header as Written};
    use super::*;

    fn header(path: &str, kind: EntryKind<'_>, number: u32) -> Vec<u8> {
        let (mut bytes, xattrs) = (Vec::new(), &BTreeMap::new());
        Written { path: path.as_bytes(), kind, mode: 0o644, uid: number, gid: number, mtime: 7, xattrs }
            .write(&mut bytes);
        bytes
    }

    #[test]
    fn numbers_of_any_size_come_back() {
        for (size, number) in [(0, 0), (0o777_7777_7777, 0o777_7777), (1 << 33, 1 << 21), (1 << 40, u32::MAX)]
        {
            let bytes = header("large", EntryKind::File(size), number);
            let entry = TarReader::new(&bytes[..]).next().unwrap().unwrap();
            assert_eq!((entry.size, entry.uid, entry.gid), (size, number.into(), number.into()));
            assert_eq!(bytes.len() == BLOCK, size < 1 << 33 && number < 1 << 21, "records only where needed");
        }
    }

    #[test]
    fn binary_numbers_are_read() {
        let mut bytes = header("large", EntryKind::File(0), 0);
        bytes[124..136].copy_from_slice(&[0x80, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 1]);
        bytes[148..156].fill(b' ');
        let sum: u32 = bytes.iter().map(|byte| u32::from(*byte)).sum();
        bytes[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        assert_eq!(TarReader::new(&bytes[..]).next().unwrap().unwrap().size, (3 << 32) + 1);
    }

    #[test]
    fn a_wrong_checksum_is_an_error() {
        let mut bytes = header("a", EntryKind::Directory, 0);
        bytes[0] ^= 1;
        assert!(TarReader::new(&bytes[..]).next().is_err());
    }

    proptest! {
        #[test]
        fn records_come_back(pairs: BTreeMap<String, Vec<u8>>) {
            let pairs: Records = pairs.into_iter().map(|(key, value)| (key.replace('=', "-"), value)).collect();
            let mut bytes = Vec::new();
            for (key, value) in &pairs {
                super::super::pax::record(&mut bytes, key, value);
            }
            prop_assert_eq!(parse_records(&bytes).unwrap(), pairs);
        }

        #[test]
        fn noise_never_panics(mut bytes in proptest::collection::vec(any::<u8>(), 0..2000), flag in "[xgLKS0-7]") {
            if let Some(block) = bytes.first_chunk_mut::<BLOCK>() {
                // A right checksum, so that the fields behind it are looked at.
                block[124..136].copy_from_slice(b"00000001000\0");
                block[148..156].fill(b' ');
                block[156] = flag.as_bytes()[0];
                let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
                block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
            }
            let mut reader = TarReader::new(&bytes[..]);
            while let Ok(Some(_)) = reader.next() {
                if reader.read_to_end(&mut Vec::new()).is_err() {
                    break;
                }
            }
        }
    }
}
