use super::SignatureProblem;

/// The type of a packet that holds a signature.
pub(super) const SIGNATURE: u8 = 2;
/// The type of a packet that holds the primary key of a certificate.
pub(super) const PUBLIC_KEY: u8 = 6;
/// The type of a packet that holds a further key of a certificate.
pub(super) const PUBLIC_SUBKEY: u8 = 14;

/// One packet of an OpenPGP stream (RFC 9580, section 4.2).
#[derive(Clone, Copy, Debug)]
pub(super) struct Packet<'a> {
    pub(super) kind: u8,
    pub(super) body: &'a [u8],
}

/// Splits a stream into its packets; partial and indeterminate lengths are refused.
pub(super) fn packets(mut bytes: &[u8]) -> Result<Vec<Packet<'_>>, SignatureProblem> {
    let mut packets = Vec::new();
    while !bytes.is_empty() {
        let mut reader = Reader(bytes);
        let header = reader.byte()?;
        let (kind, length) = match header {
            0xC0.. => (header & 0x3F, new_length(&mut reader)?),
            0x80..0xC0 => ((header >> 2) & 0x0F, old_length(header & 3, &mut reader)?),
            _ => return Err(SignatureProblem::Malformed { what: "packet header" }),
        };
        packets.push(Packet { kind, body: reader.take(length)? });
        bytes = reader.0;
    }
    Ok(packets)
}

/// The subpackets of a signature, as type and content, with the critical bit taken off.
pub(super) fn subpackets(bytes: &[u8]) -> Result<Vec<(u8, &[u8])>, SignatureProblem> {
    let mut reader = Reader(bytes);
    let mut subpackets = Vec::new();
    while !reader.0.is_empty() {
        let length = new_length(&mut reader)?;
        let mut content = Reader(reader.take(length)?);
        let kind = content.byte()? & 0x7F;
        subpackets.push((kind, content.0));
    }
    Ok(subpackets)
}

fn new_length(reader: &mut Reader<'_>) -> Result<usize, SignatureProblem> {
    let first = usize::from(reader.byte()?);
    match first {
        0..192 => Ok(first),
        192..224 => Ok(((first - 192) << 8) + usize::from(reader.byte()?) + 192),
        255 => reader.number(4),
        _ => Err(SignatureProblem::Malformed { what: "packet of partial length" }),
    }
}

fn old_length(kind: u8, reader: &mut Reader<'_>) -> Result<usize, SignatureProblem> {
    match kind {
        0 => reader.number(1),
        1 => reader.number(2),
        2 => reader.number(4),
        _ => Err(SignatureProblem::Malformed { what: "packet of indeterminate length" }),
    }
}

/// Takes numbers and runs of bytes from the front of a slice.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reader<'a>(pub(super) &'a [u8]);

impl<'a> Reader<'a> {
    pub(super) fn take(&mut self, length: usize) -> Result<&'a [u8], SignatureProblem> {
        let (taken, rest) = self
            .0
            .split_at_checked(length)
            .ok_or(SignatureProblem::Malformed { what: "truncated packet" })?;
        self.0 = rest;
        Ok(taken)
    }

    pub(super) fn byte(&mut self) -> Result<u8, SignatureProblem> {
        Ok(self.take(1)?[0])
    }

    /// A big-endian number of at most four bytes.
    pub(super) fn number(&mut self, bytes: usize) -> Result<usize, SignatureProblem> {
        Ok(self.take(bytes)?.iter().fold(0, |number, byte| (number << 8) | usize::from(*byte)))
    }

    /// A multiprecision integer, without leading zeros (section 3.2).
    pub(super) fn integer(&mut self) -> Result<&'a [u8], SignatureProblem> {
        let bits = self.number(2)?;
        let bytes = self.take(bits.div_ceil(8))?;
        Ok(&bytes[bytes.iter().take_while(|byte| **byte == 0).count()..])
    }
}
