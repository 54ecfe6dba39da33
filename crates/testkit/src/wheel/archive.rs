/// A member of an archive that is written by hand, so that it can lie.
#[derive(Clone, Debug)]
pub struct Item {
    pub(super) name: Vec<u8>,
    pub(super) content: Vec<u8>,
    is_deflated: bool,
    /// Type and permissions.
    mode: u32,
    flags: u16,
    damage: Damage,
}

/// In which way a member lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Damage {
    /// In none.
    None,
    /// Another CRC in both headers.
    Crc,
    /// A larger size in both headers.
    Size,
    /// A smaller size in both headers.
    SmallSize,
    /// Another name in the local header.
    LocalName,
    /// Another size in the local header.
    LocalSize,
    /// A second deflate stream behind the first, inside the compressed size.
    TrailingStream,
    /// The deflate stream without its last byte.
    CutStream,
    /// Method 14 instead of 8.
    Method,
    /// A stored size that reaches into the next member.
    Swallow,
}

const SWALLOWED: u32 = 40;

impl Item {
    /// A deflated file, mode 0644.
    pub fn new(name: &str, content: impl Into<Vec<u8>>) -> Self {
        let flags = if name.is_ascii() { 0 } else { 1 << 11 };
        let (name, content) = (name.as_bytes().to_vec(), content.into());
        Self { name, content, is_deflated: true, mode: 0o100_644, flags, damage: Damage::None }
    }

    /// Not deflated.
    #[must_use]
    pub fn stored(self) -> Self {
        Self { is_deflated: false, ..self }
    }

    /// With other type and permission bits.
    #[must_use]
    pub fn mode(self, mode: u32) -> Self {
        Self { mode, ..self }
    }

    /// With other general purpose flags.
    #[must_use]
    pub fn flags(self, flags: u16) -> Self {
        Self { flags, ..self }
    }

    /// With a lie.
    #[must_use]
    pub fn damaged(self, damage: Damage) -> Self {
        Self { damage, ..self }
    }

    fn data(&self) -> Vec<u8> {
        if !self.is_deflated {
            return self.content.clone();
        }
        let mut data = deflate(&self.content);
        match self.damage {
            Damage::TrailingStream => data.extend(deflate(b"hidden")),
            Damage::CutStream => data.truncate(data.len() - 1),
            _ => {}
        }
        data
    }

    fn crc(&self) -> u32 {
        let mut crc = flate2::Crc::new();
        crc.update(&self.content);
        crc.sum() ^ u32::from(self.damage == Damage::Crc)
    }

    fn size(&self) -> u32 {
        let size = u32::try_from(self.content.len()).expect("a test's archive is small");
        match self.damage {
            Damage::Size => size + 1,
            Damage::SmallSize => size - 1,
            Damage::Swallow => size + SWALLOWED,
            _ => size,
        }
    }

    fn compressed_size(&self, data: &[u8]) -> u32 {
        let swallowed = if self.damage == Damage::Swallow { SWALLOWED } else { 0 };
        u32::try_from(data.len()).expect("a test's archive is small") + swallowed
    }

    fn method(&self) -> u16 {
        match (self.damage, self.is_deflated) {
            (Damage::Method, _) => 14,
            (_, true) => 8,
            (_, false) => 0,
        }
    }
}

/// The archive that has `items`; with flag 8 a member's sizes are in a data descriptor.
pub fn archive(items: &[Item]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut directory = Vec::new();
    for item in items {
        let offset = bytes.len();
        let data = item.data();
        write_local(&mut bytes, item, &data);
        write_central(&mut directory, item, &data, offset);
    }
    let offset = bytes.len();
    bytes.extend_from_slice(&directory);
    bytes.extend_from_slice(b"PK\x05\x06\0\0\0\0");
    put16(&mut bytes, items.len());
    put16(&mut bytes, items.len());
    put32(&mut bytes, directory.len());
    put32(&mut bytes, offset);
    put16(&mut bytes, 0);
    bytes
}

fn write_local(bytes: &mut Vec<u8>, item: &Item, data: &[u8]) {
    let is_later = item.flags & 8 != 0;
    let local_size = item.size() + u32::from(item.damage == Damage::LocalSize);
    let numbers = [item.crc(), item.compressed_size(data), local_size];
    bytes.extend_from_slice(b"PK\x03\x04\x14\0");
    bytes.extend_from_slice(&item.flags.to_le_bytes());
    bytes.extend_from_slice(&item.method().to_le_bytes());
    bytes.extend_from_slice(&[0; 4]);
    for number in numbers {
        bytes.extend_from_slice(&(if is_later { 0 } else { number }).to_le_bytes());
    }
    let mut name = item.name.clone();
    if item.damage == Damage::LocalName {
        name[0] ^= 1;
    }
    put16(bytes, name.len());
    put16(bytes, 0);
    bytes.extend_from_slice(&name);
    bytes.extend_from_slice(data);
    if is_later {
        bytes.extend_from_slice(b"PK\x07\x08");
        bytes.extend(numbers.iter().flat_map(|number| number.to_le_bytes()));
    }
}

fn write_central(directory: &mut Vec<u8>, item: &Item, data: &[u8], offset: usize) {
    directory.extend_from_slice(b"PK\x01\x02\x14\x03\x14\0");
    directory.extend_from_slice(&item.flags.to_le_bytes());
    directory.extend_from_slice(&item.method().to_le_bytes());
    directory.extend_from_slice(&[0; 4]);
    directory.extend_from_slice(&item.crc().to_le_bytes());
    directory.extend_from_slice(&item.compressed_size(data).to_le_bytes());
    directory.extend_from_slice(&item.size().to_le_bytes());
    put16(directory, item.name.len());
    directory.extend_from_slice(&[0; 8]);
    directory.extend_from_slice(&(item.mode << 16).to_le_bytes());
    put32(directory, offset);
    directory.extend_from_slice(&item.name);
}

/// A deflate stream of stored blocks, so that no compressor's bytes are in a golden digest.
fn deflate(content: &[u8]) -> Vec<u8> {
    let mut stream = Vec::new();
    let mut blocks = content.chunks(0xffff).peekable();
    while let Some(block) = blocks.next() {
        let length = u16::try_from(block.len()).expect("a test's archive is small");
        stream.push(u8::from(blocks.peek().is_none()));
        stream.extend_from_slice(&length.to_le_bytes());
        stream.extend_from_slice(&(!length).to_le_bytes());
        stream.extend_from_slice(block);
    }
    if stream.is_empty() {
        stream.extend_from_slice(&[1, 0, 0, 0xff, 0xff]);
    }
    stream
}

fn put16(bytes: &mut Vec<u8>, number: usize) {
    bytes.extend_from_slice(&u16::try_from(number).expect("a test's archive is small").to_le_bytes());
}

fn put32(bytes: &mut Vec<u8>, number: usize) {
    bytes.extend_from_slice(&u32::try_from(number).expect("a test's archive is small").to_le_bytes());
}
