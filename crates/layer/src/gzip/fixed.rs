//! A deflate encoder for tar headers: one block with the fixed Huffman code of RFC 1951, greedy matches.
//!
//! A spliced layer has one such run of headers for every spliced file. Their bytes are part of the layer's
//! digest, so the encoder is our own: no upgrade of a library can change them.

const MIN_MATCH: usize = 3;
const MAX_MATCH: usize = 258;
const MAX_DISTANCE: usize = 32 * 1024;
const HASH_BITS: u32 = 12;
const NONE: u32 = u32::MAX;

/// Length codes 257 to 285: the shortest length of each, and how many extra bits follow.
#[rustfmt::skip]
const LENGTHS: [(u32, u32); 29] = [
    (3, 0), (4, 0), (5, 0), (6, 0), (7, 0), (8, 0), (9, 0), (10, 0), (11, 1), (13, 1), (15, 1), (17, 1), (19, 2),
    (23, 2), (27, 2), (31, 2), (35, 3), (43, 3), (51, 3), (59, 3), (67, 4), (83, 4), (99, 4), (115, 4), (131, 5),
    (163, 5), (195, 5), (227, 5), (258, 0),
];

/// Distance codes 0 to 29: the shortest distance of each, and how many extra bits follow.
#[rustfmt::skip]
const DISTANCES: [(u32, u32); 30] = [
    (1, 0), (2, 0), (3, 0), (4, 0), (5, 1), (7, 1), (9, 2), (13, 2), (17, 3), (25, 3), (33, 4), (49, 4), (65, 5),
    (97, 5), (129, 6), (193, 6), (257, 7), (385, 7), (513, 8), (769, 8), (1025, 9), (1537, 9), (2049, 10),
    (3073, 10), (4097, 11), (6145, 11), (8193, 12), (12289, 12), (16385, 13), (24577, 13),
];

/// Appends a deflate stream of `content`.
pub(super) fn deflate(content: &[u8], out: &mut Vec<u8>) {
    let mut bits = BitWriter { out, bits: 0, count: 0 };
    // The only block: final, type 1.
    bits.put(0b011, 3);
    let mut last_seen = [NONE; 1 << HASH_BITS];
    let mut at = 0;
    while at < content.len() {
        let length = if let Some((distance, length)) = longest_match(content, at, &last_seen) {
            bits.reference(length, distance);
            length
        } else {
            bits.symbol(u32::from(content[at]));
            1
        };
        for position in at..at + length {
            if let Some(slot) = hash(content, position) {
                last_seen[slot] = to_u32(position);
            }
        }
        at += length;
    }
    bits.symbol(256);
    bits.finish();
}

fn hash(content: &[u8], at: usize) -> Option<usize> {
    let &[a, b, c] = content.get(at..at + MIN_MATCH)? else { return None };
    let key = u32::from_le_bytes([a, b, c, 0]).wrapping_mul(0x9e37_79b1);
    Some((key >> (32 - HASH_BITS)) as usize)
}

/// Distance and length of the match with the latest place that began alike.
fn longest_match(content: &[u8], at: usize, last_seen: &[u32]) -> Option<(usize, usize)> {
    let earlier = last_seen[hash(content, at)?];
    if earlier == NONE || at - earlier as usize > MAX_DISTANCE {
        return None;
    }
    let pairs = content[earlier as usize..].iter().zip(&content[at..]);
    let length = pairs.take(MAX_MATCH).take_while(|(a, b)| a == b).count();
    (length >= MIN_MATCH).then_some((at - earlier as usize, length))
}

fn to_u32(number: usize) -> u32 {
    u32::try_from(number).expect("a chunk is far below 4 GiB")
}

struct BitWriter<'a> {
    out: &'a mut Vec<u8>,
    bits: u32,
    count: u32,
}

impl BitWriter<'_> {
    /// Writes the lowest `count` bits of `value`, the lowest first.
    fn put(&mut self, value: u32, count: u32) {
        self.bits |= value << self.count;
        self.count += count;
        while self.count >= 8 {
            self.out.push(self.bits.to_le_bytes()[0]);
            self.bits >>= 8;
            self.count -= 8;
        }
    }

    /// Writes a Huffman code, the highest bit first.
    fn code(&mut self, code: u32, count: u32) {
        self.put(code.reverse_bits() >> (32 - count), count);
    }

    /// Writes the fixed code of a literal, an end of block or a length.
    fn symbol(&mut self, symbol: u32) {
        match symbol {
            0..=143 => self.code(0b0011_0000 + symbol, 8),
            144..=255 => self.code(0b1_1001_0000 + symbol - 144, 9),
            256..=279 => self.code(symbol - 256, 7),
            _ => self.code(0b1100_0000 + symbol - 280, 8),
        }
    }

    fn reference(&mut self, length: usize, distance: usize) {
        let (code, base, extra) = find(&LENGTHS, to_u32(length));
        self.symbol(257 + code);
        self.put(to_u32(length) - base, extra);
        let (code, base, extra) = find(&DISTANCES, to_u32(distance));
        self.code(code, 5);
        self.put(to_u32(distance) - base, extra);
    }

    fn finish(&mut self) {
        if self.count > 0 {
            self.put(0, 8 - self.count);
        }
    }
}

/// The last code of `table` that starts at or below `value`: its index, start and extra bits.
fn find(table: &[(u32, u32)], value: u32) -> (u32, u32, u32) {
    let index = table.partition_point(|(start, _)| *start <= value) - 1;
    let (start, extra) = table[index];
    (to_u32(index), start, extra)
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use flate2::read::DeflateDecoder;
    use proptest::prelude::*;

    use super::*;

    fn round_trip(content: &[u8]) -> usize {
        let mut stream = Vec::new();
        deflate(content, &mut stream);
        let mut back = Vec::new();
        let mut decoder = DeflateDecoder::new(&stream[..]);
        decoder.read_to_end(&mut back).unwrap();
        assert_eq!(back, content);
        assert_eq!(decoder.total_in(), stream.len() as u64);
        stream.len()
    }

    #[test]
    fn zeros_cost_next_to_nothing() {
        assert_eq!(round_trip(&[]), 2);
        assert!(round_trip(&[0; 512]) <= 8);
        assert!(round_trip(&[0; 4096]) <= 40);
    }

    #[test]
    fn far_matches_are_not_taken() {
        let mut content: Vec<u8> = b"abcdefgh".to_vec();
        content.extend(std::iter::repeat_n(0, MAX_DISTANCE + 10));
        content.extend(b"abcdefgh");
        round_trip(&content);
    }

    proptest! {
        #[test]
        fn few_symbols_come_back(content in proptest::collection::vec(0_u8..4, 0..3000)) {
            round_trip(&content);
        }

        #[test]
        fn any_bytes_come_back(content: Vec<u8>) {
            round_trip(&content);
        }
    }
}
