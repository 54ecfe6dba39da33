use ring::digest;

const SEQUENCE: u8 = 0x30;
const UTF8: u8 = 0x0C;

/// The hash by which OpenSSL names a certificate's subject (`openssl x509 -subject_hash`).
///
/// It is the first four bytes, little-endian, of the SHA-1 of the subject in OpenSSL's canonical form: text as
/// UTF-8, in lower case, with white space collapsed, and without the header of the outer sequence.
pub(super) fn subject_hash(certificate: &[u8]) -> Option<u32> {
    let (_, certificate, _) = element(certificate)?;
    let (_, mut fields, _) = element(certificate)?;
    if fields.first() == Some(&0xA0) {
        fields = element(fields)?.2;
    }
    // Serial number, algorithm, issuer and validity stand before the subject.
    for _ in 0..4 {
        fields = element(fields)?.2;
    }
    let (kind, name, _) = element(fields)?;
    if kind != SEQUENCE {
        return None;
    }
    let hash = digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, &canonical_name(name)?);
    Some(u32::from_le_bytes(hash.as_ref()[..4].try_into().ok()?))
}

fn canonical_name(mut sets: &[u8]) -> Option<Vec<u8>> {
    let mut canonical = Vec::new();
    while !sets.is_empty() {
        let (kind, mut attributes, rest) = element(sets)?;
        let mut set = Vec::new();
        while !attributes.is_empty() {
            let (_, attribute, others) = element(attributes)?;
            let (_, _, value) = element(attribute)?;
            let object = &attribute[..attribute.len() - value.len()];
            let (value_kind, text, _) = element(value)?;
            let value = match canonical_text(value_kind, text) {
                Some(text) => encoded(UTF8, &text),
                None => value.to_owned(),
            };
            set.extend(encoded(SEQUENCE, &[object, &value].concat()));
            attributes = others;
        }
        canonical.extend(encoded(kind, &set));
        sets = rest;
    }
    Some(canonical)
}

/// Text of any of the string types as OpenSSL compares it; none for values of other types, which are kept.
fn canonical_text(kind: u8, bytes: &[u8]) -> Option<Vec<u8>> {
    let text = match kind {
        0x0C | 0x13 | 0x16 | 0x1A => String::from_utf8_lossy(bytes).into_owned(),
        0x14 => bytes.iter().map(|byte| char::from(*byte)).collect(),
        0x1E => {
            let units = bytes.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]]));
            char::decode_utf16(units).collect::<Result<_, _>>().ok()?
        }
        _ => return None,
    };
    let words: Vec<&str> = text
        .split(|c: char| c.is_ascii_whitespace() || c == '\x0B')
        .filter(|word| !word.is_empty())
        .collect();
    Some(words.join(" ").to_ascii_lowercase().into_bytes())
}

/// Takes one element off DER: its tag, its content, and what follows it.
fn element(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&[kind, first], rest) = bytes.split_first_chunk::<2>()?;
    let (length, rest) = match first {
        0..=0x7F => (usize::from(first), rest),
        0x81..=0x84 => {
            let (digits, rest) = rest.split_at_checked(usize::from(first - 0x80))?;
            (digits.iter().fold(0, |length, digit| (length << 8) | usize::from(*digit)), rest)
        }
        _ => return None,
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((kind, content, rest))
}

fn encoded(kind: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len().to_be_bytes();
    let digits = &length[length.iter().take_while(|digit| **digit == 0).count()..];
    let mut encoded = vec![kind];
    if let short @ 0..=0x7F = content.len() {
        encoded.push(u8::try_from(short).expect("below 128"));
    } else {
        encoded.push(0x80 | u8::try_from(digits.len()).expect("at most eight"));
        encoded.extend_from_slice(digits);
    }
    encoded.extend_from_slice(content);
    encoded
}
