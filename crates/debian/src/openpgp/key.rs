use std::fmt;

use ring::digest;

use super::SignatureProblem;
use super::packet::{self, Packet, Reader};

/// The SHA-1 that names a version 4 key.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint(pub(super) [u8; 20]);

/// Keys that are trusted because whoever made the ring says so.
///
/// The self-signatures in it are read for the expiry of the keys and not verified: the ring is part of the
/// program, and whoever could alter it could alter the check as well.
#[derive(Clone, Debug, Default)]
pub struct Keyring {
    keys: Vec<Key>,
}

#[derive(Clone, Debug)]
pub(super) struct Key {
    pub(super) fingerprint: Fingerprint,
    pub(super) material: KeyMaterial,
    created: u64,
    /// In seconds after its creation; none means that it never expires.
    lifetime: Option<u64>,
}

#[derive(Clone, Debug)]
pub(super) enum KeyMaterial {
    Rsa { modulus: Vec<u8>, exponent: Vec<u8> },
    Ed25519 { point: Vec<u8> },
}

impl Keyring {
    /// Reads binary certificates, one after the other; keys of other algorithms are left out.
    pub fn from_binary(bytes: &[u8]) -> Result<Self, SignatureProblem> {
        let mut keys: Vec<Option<Key>> = Vec::new();
        for packet in packet::packets(bytes)? {
            match packet.kind {
                packet::PUBLIC_KEY | packet::PUBLIC_SUBKEY => keys.push(Key::parse(packet)?),
                packet::SIGNATURE => {
                    if let (Some(Some(key)), Some(lifetime)) =
                        (keys.last_mut(), stated_lifetime(packet.body)?)
                    {
                        key.lifetime = Some(lifetime);
                    }
                }
                _ => {}
            }
        }
        Ok(Self { keys: keys.into_iter().flatten().collect() })
    }

    /// The keys of both rings.
    pub fn join(mut self, other: Self) -> Self {
        self.keys.extend(other.keys);
        self
    }

    pub(super) fn find(&self, fingerprint: &Fingerprint) -> Option<&Key> {
        self.keys.iter().find(|key| key.fingerprint == *fingerprint)
    }
}

impl Key {
    fn parse(packet: Packet<'_>) -> Result<Option<Self>, SignatureProblem> {
        let mut reader = Reader(packet.body);
        if reader.byte()? != 4 {
            return Ok(None);
        }
        let created = reader.number(4)? as u64;
        let Some(material) = KeyMaterial::parse(&mut reader)? else { return Ok(None) };
        Ok(Some(Self { fingerprint: Fingerprint::of_body(packet.body), material, created, lifetime: None }))
    }

    pub(super) fn is_valid_at(&self, seconds: u64) -> bool {
        self.created <= seconds && self.lifetime.is_none_or(|lifetime| seconds <= self.created + lifetime)
    }
}

impl KeyMaterial {
    /// Ed25519 is there in the form of GnuPG: curve 1.3.6.1.4.1.11591.15.1, point behind a byte 0x40.
    fn parse(reader: &mut Reader<'_>) -> Result<Option<Self>, SignatureProblem> {
        const RSA: u8 = 1;
        const EDDSA: u8 = 22;
        const CURVE: &[u8] = &[0x2B, 0x06, 0x01, 0x04, 0x01, 0xDA, 0x47, 0x0F, 0x01];
        match reader.byte()? {
            RSA => Ok(Some(Self::Rsa {
                modulus: reader.integer()?.to_owned(),
                exponent: reader.integer()?.to_owned(),
            })),
            EDDSA => {
                let length = usize::from(reader.byte()?);
                let curve = reader.take(length)?;
                let point = reader.integer()?.strip_prefix(&[0x40]).unwrap_or_default();
                Ok((curve == CURVE && point.len() == 32).then(|| Self::Ed25519 { point: point.to_owned() }))
            }
            _ => Ok(None),
        }
    }
}

impl Fingerprint {
    fn of_body(body: &[u8]) -> Self {
        let length = u16::try_from(body.len()).expect("a public key has less than 64 KiB").to_be_bytes();
        let mut context = digest::Context::new(&digest::SHA1_FOR_LEGACY_USE_ONLY);
        context.update(&[0x99]);
        context.update(&length);
        context.update(body);
        Self(context.finish().as_ref().try_into().expect("SHA-1 has 20 bytes"))
    }
}

fn stated_lifetime(signature: &[u8]) -> Result<Option<u64>, SignatureProblem> {
    const KEY_LIFETIME: u8 = 9;
    let mut reader = Reader(signature);
    if reader.byte()? != 4 {
        return Ok(None);
    }
    reader.take(3)?;
    let length = reader.number(2)?;
    let lifetimes = packet::subpackets(reader.take(length)?)?;
    let lifetime = lifetimes.iter().find(|(kind, _)| *kind == KEY_LIFETIME);
    lifetime.map(|(_, content)| Reader(content).number(4).map(|seconds| seconds as u64)).transpose()
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02X}"))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
