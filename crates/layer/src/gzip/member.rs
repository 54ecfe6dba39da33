use libdeflater::{CompressionLvl, crc32};

use super::fixed;

/// The header of every member: deflate, no flags, time 0, no extra flags, operating system unknown (RFC 1952).
pub(crate) const HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];

/// How many bytes of a tar stream make one member, at most.
pub(crate) const CHUNK: usize = 1 << 20;

/// The level of libdeflate.
const LEVEL: i32 = 6;

/// The trailer of a member: the CRC-32 of the content, and its size modulo 2^32.
pub(crate) fn trailer(crc32: u32, size: u64) -> [u8; 8] {
    let mut bytes = [0; 8];
    bytes[..4].copy_from_slice(&crc32.to_le_bytes());
    bytes[4..].copy_from_slice(&size.to_le_bytes()[..4]);
    bytes
}

/// Makes members of chunks of a tar stream.
pub(crate) struct Compressor(libdeflater::Compressor);

impl Compressor {
    /// Up to this many bytes of content, the fixed-Huffman encoder is used.
    pub(crate) const SMALL: usize = 4096;

    pub(crate) fn new() -> Self {
        let level = CompressionLvl::new(LEVEL).expect("the level is one of libdeflate's");
        Self(libdeflater::Compressor::new(level))
    }

    /// One whole member that holds `content`, of at most [`CHUNK`] bytes.
    pub(crate) fn member(&mut self, content: &[u8]) -> Vec<u8> {
        let mut member = HEADER.to_vec();
        if content.len() <= Self::SMALL {
            fixed::deflate(content, &mut member);
        } else {
            let bound = self.0.deflate_compress_bound(content.len());
            member.resize(HEADER.len() + bound, 0);
            let body = &mut member[HEADER.len()..];
            let length = self.0.deflate_compress(content, body).expect("the bound is large enough");
            member.truncate(HEADER.len() + length);
        }
        member.extend_from_slice(&trailer(crc32(content), content.len() as u64));
        member
    }
}
