use std::collections::BTreeMap;

use super::{BLOCK, padding, pax};

/// The largest number that 11 octal digits hold: sizes up to 8 GiB, and times.
const MAX_11_DIGITS: u64 = 0o777_7777_7777;
/// The largest number that 7 octal digits hold.
const MAX_7_DIGITS: u64 = 0o777_7777;
const NAME_LENGTH: usize = 100;

/// What kind of entry a header begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EntryKind<'a> {
    Directory,
    /// A regular file, with its size in bytes.
    File(u64),
    /// A symbolic link with its target.
    Symlink(&'a [u8]),
    /// A hard link to an earlier path.
    Hardlink(&'a [u8]),
    Fifo,
    /// A character device with its numbers.
    CharacterDevice(u32, u32),
    /// A block device with its numbers.
    BlockDevice(u32, u32),
}

/// One entry's metadata; owners are numbers and never names.
#[derive(Clone, Debug)]
pub(crate) struct Header<'a> {
    /// Relative, without a trailing slash; UTF-8, but for files that a command named otherwise.
    pub(crate) path: &'a [u8],
    pub(crate) kind: EntryKind<'a>,
    /// Permission bits, with set-id and sticky bits.
    pub(crate) mode: u32,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    /// Seconds since 1970.
    pub(crate) mtime: u64,
    pub(crate) xattrs: &'a BTreeMap<String, Vec<u8>>,
}

impl Header<'_> {
    /// Appends the header blocks, with a PAX header before them where one is needed.
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        let name = match self.kind {
            EntryKind::Directory => [self.path, b"/"].concat(),
            _ => self.path.to_owned(),
        };
        let records = self.pax_records(&name);
        if !records.is_empty() {
            let size = records.len() as u64;
            let pax = Fields { type_flag: b'x', mode: 0o644, size, ..Fields::default() };
            out.extend_from_slice(&pax.block(pax::HEADER_NAME, b""));
            out.extend_from_slice(&records);
            out.extend_from_slice(padding(size));
        }
        out.extend_from_slice(&self.fields().block(&name, self.link()));
    }

    fn pax_records(&self, name: &[u8]) -> Vec<u8> {
        let mut records = Vec::new();
        if self.size() > MAX_11_DIGITS {
            pax::record(&mut records, "size", self.size().to_string().as_bytes());
        }
        for (key, number) in [("uid", self.uid), ("gid", self.gid)] {
            if u64::from(number) > MAX_7_DIGITS {
                pax::record(&mut records, key, number.to_string().as_bytes());
            }
        }
        for (key, text) in [("path", name), ("linkpath", self.link())] {
            if text.len() > NAME_LENGTH || !text.is_ascii() {
                pax::record(&mut records, key, text);
            }
        }
        for (key, value) in self.xattrs {
            pax::record(&mut records, &format!("SCHILY.xattr.{key}"), value);
        }
        records
    }

    fn fields(&self) -> Fields {
        let (type_flag, device) = match self.kind {
            EntryKind::File(_) => (b'0', None),
            EntryKind::Hardlink(_) => (b'1', None),
            EntryKind::Symlink(_) => (b'2', None),
            EntryKind::CharacterDevice(major, minor) => (b'3', Some((major, minor))),
            EntryKind::BlockDevice(major, minor) => (b'4', Some((major, minor))),
            EntryKind::Directory => (b'5', None),
            EntryKind::Fifo => (b'6', None),
        };
        Fields {
            type_flag,
            mode: self.mode,
            uid: self.uid,
            gid: self.gid,
            size: self.size(),
            mtime: self.mtime,
            device,
        }
    }

    fn size(&self) -> u64 {
        if let EntryKind::File(size) = self.kind { size } else { 0 }
    }

    fn link(&self) -> &[u8] {
        match self.kind {
            EntryKind::Symlink(target) | EntryKind::Hardlink(target) => target,
            _ => b"",
        }
    }
}

/// The fields of one ustar block besides its names.
#[derive(Default)]
struct Fields {
    type_flag: u8,
    mode: u32,
    uid: u32,
    gid: u32,
    size: u64,
    mtime: u64,
    device: Option<(u32, u32)>,
}

impl Fields {
    fn block(&self, name: &[u8], link: &[u8]) -> [u8; BLOCK] {
        let mut block = [0; BLOCK];
        put_name(&mut block[..100], name);
        put_octal(&mut block[100..108], u64::from(self.mode), MAX_7_DIGITS);
        put_octal(&mut block[108..116], u64::from(self.uid), MAX_7_DIGITS);
        put_octal(&mut block[116..124], u64::from(self.gid), MAX_7_DIGITS);
        put_octal(&mut block[124..136], self.size, MAX_11_DIGITS);
        put_octal(&mut block[136..148], self.mtime, MAX_11_DIGITS);
        block[148..156].fill(b' ');
        block[156] = self.type_flag;
        put_name(&mut block[157..257], link);
        block[257..265].copy_from_slice(b"ustar\x0000");
        if let Some((major, minor)) = self.device {
            put_octal(&mut block[329..337], u64::from(major), MAX_7_DIGITS);
            put_octal(&mut block[337..345], u64::from(minor), MAX_7_DIGITS);
        }
        let sum: u64 = block.iter().map(|byte| u64::from(*byte)).sum();
        put_octal(&mut block[148..155], sum, MAX_7_DIGITS);
        block
    }
}

/// A text that does not fit has a PAX record; its field then holds what a reader without PAX can show.
fn put_name(field: &mut [u8], text: &[u8]) {
    for (slot, byte) in field.iter_mut().zip(text) {
        *slot = if byte.is_ascii() { *byte } else { b'_' };
    }
}

/// Octal digits that fill the field but for its last byte, a NUL; a number beyond `max` has a PAX record.
fn put_octal(field: &mut [u8], number: u64, max: u64) {
    let mut rest = if number > max { 0 } else { number };
    let digits = field.len() - 1;
    for slot in field[..digits].iter_mut().rev() {
        *slot = b'0' + (rest % 8) as u8;
        rest /= 8;
    }
    field[digits] = 0;
}
