use ring::digest;
use ring::signature::{
    ED25519, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512,
    RsaParameters, RsaPublicKeyComponents, UnparsedPublicKey,
};
use thiserror::Error;

use super::key::{Fingerprint, Key, KeyMaterial};
use super::packet::{self, Reader};

/// Why a document does not count as signed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SignatureProblem {
    /// The document does not begin as a clear-signed one.
    #[error("it is not signed")]
    NotSigned,
    /// A part of the document, or of a key, breaks the format.
    #[error("it has a malformed part: {what}")]
    Malformed {
        /// Which part.
        what: &'static str,
    },
    /// The text is not what the key signed.
    #[error("the signature of key {key} does not fit its text")]
    Bad {
        /// The signing key.
        key: Fingerprint,
    },
    /// The signature uses an algorithm that proves too little, or none that is known.
    #[error("the signature of key {key} uses an algorithm that is not accepted")]
    Algorithm {
        /// The signing key.
        key: Fingerprint,
    },
    /// The key or the signature was not valid at the time of signing, or is not any more.
    #[error("key {key} or its signature is not valid at this time")]
    OutOfTime {
        /// The signing key.
        key: Fingerprint,
    },
    /// No signature is by a key of the ring.
    #[error("none of its signers is known: {}", list(issuers))]
    NoKnownSigner {
        /// Who signed.
        issuers: Vec<Fingerprint>,
    },
}

/// A version 4 signature (RFC 9580, section 5.2.3).
#[derive(Debug)]
pub(super) struct Signature {
    kind: u8,
    hash: u8,
    /// From the version to the end of the hashed subpackets.
    hashed: Vec<u8>,
    subpackets: Vec<(u8, Vec<u8>)>,
    integers: Vec<Vec<u8>>,
}

impl Signature {
    /// The version 4 signatures among packets; others count for nothing.
    pub(super) fn parse_all(bytes: &[u8]) -> Result<Vec<Self>, SignatureProblem> {
        packet::packets(bytes)?
            .into_iter()
            .filter(|packet| packet.kind == packet::SIGNATURE && packet.body.first() == Some(&4))
            .map(|packet| Self::parse(packet.body))
            .collect()
    }

    fn parse(body: &[u8]) -> Result<Self, SignatureProblem> {
        let mut reader = Reader(body);
        reader.byte()?;
        let (kind, _key_algorithm, hash) = (reader.byte()?, reader.byte()?, reader.byte()?);
        let hashed_length = reader.number(2)?;
        let subpackets = packet::subpackets(reader.take(hashed_length)?)?;
        let hashed = body[..6 + hashed_length].to_owned();
        let unhashed_length = reader.number(2)?;
        reader.take(unhashed_length)?;
        reader.take(2)?;
        let mut integers = Vec::new();
        while !reader.0.is_empty() {
            integers.push(reader.integer()?.to_owned());
        }
        let subpackets = subpackets.into_iter().map(|(kind, content)| (kind, content.to_owned())).collect();
        Ok(Self { kind, hash, hashed, subpackets, integers })
    }

    /// Who signed, if the hashed part says so by fingerprint, as GnuPG writes it since 2.1.
    pub(super) fn issuer(&self) -> Option<Fingerprint> {
        const ISSUER_FINGERPRINT: u8 = 33;
        let content = self.subpacket(ISSUER_FINGERPRINT)?.strip_prefix(&[4])?;
        content.try_into().ok().map(Fingerprint)
    }

    /// Checks the signature over `text` and that key and signature were valid when it was made and are at `now`.
    pub(super) fn verify(&self, key: &Key, text: &[u8], now: u64) -> Result<(), SignatureProblem> {
        const TEXT: u8 = 1;
        let fingerprint = key.fingerprint;
        if self.kind != TEXT {
            return Err(SignatureProblem::Algorithm { key: fingerprint });
        }
        let mut message = text.to_vec();
        message.extend_from_slice(&self.hashed);
        message.extend_from_slice(&[4, 0xFF]);
        let length = u32::try_from(self.hashed.len()).expect("the hashed part has less than 64 KiB");
        message.extend_from_slice(&length.to_be_bytes());
        let fits = match &key.material {
            KeyMaterial::Rsa { modulus, exponent } => self.verify_rsa(modulus, exponent, &message),
            KeyMaterial::Ed25519 { point } => self.verify_ed25519(point, &message),
        };
        match fits {
            None => Err(SignatureProblem::Algorithm { key: fingerprint }),
            Some(false) => Err(SignatureProblem::Bad { key: fingerprint }),
            Some(true) if !self.is_in_time(key, now) => Err(SignatureProblem::OutOfTime { key: fingerprint }),
            Some(true) => Ok(()),
        }
    }

    /// None stands for a hash that is not accepted: SHA-1 and older.
    fn verify_rsa(&self, modulus: &[u8], exponent: &[u8], message: &[u8]) -> Option<bool> {
        let parameters: &RsaParameters = match self.hash {
            8 => &RSA_PKCS1_2048_8192_SHA256,
            9 => &RSA_PKCS1_2048_8192_SHA384,
            10 => &RSA_PKCS1_2048_8192_SHA512,
            _ => return None,
        };
        let [signature] = &self.integers[..] else { return Some(false) };
        let signature = padded(signature, modulus.len());
        let key = RsaPublicKeyComponents { n: modulus, e: exponent };
        Some(key.verify(parameters, message, &signature).is_ok())
    }

    /// Here it is the hash of the message that is signed.
    fn verify_ed25519(&self, point: &[u8], message: &[u8]) -> Option<bool> {
        let algorithm = match self.hash {
            8 => &digest::SHA256,
            9 => &digest::SHA384,
            10 => &digest::SHA512,
            _ => return None,
        };
        let [r, s] = &self.integers[..] else { return Some(false) };
        let signature = [padded(r, 32), padded(s, 32)].concat();
        let hash = digest::digest(algorithm, message);
        Some(UnparsedPublicKey::new(&ED25519, point).verify(hash.as_ref(), &signature).is_ok())
    }

    fn is_in_time(&self, key: &Key, now: u64) -> bool {
        const CREATED: u8 = 2;
        const LIFETIME: u8 = 3;
        let number = |kind| self.subpacket(kind).and_then(|content| Reader(content).number(4).ok());
        let Some(created) = number(CREATED).map(|seconds| seconds as u64) else { return false };
        let is_alive =
            number(LIFETIME).is_none_or(|lifetime| lifetime == 0 || now <= created + lifetime as u64);
        is_alive && key.is_valid_at(created) && key.is_valid_at(now)
    }

    fn subpacket(&self, wanted: u8) -> Option<&[u8]> {
        self.subpackets.iter().find(|(kind, _)| *kind == wanted).map(|(_, content)| content.as_slice())
    }
}

/// Leading zeros, which the format drops, put back.
fn padded(integer: &[u8], length: usize) -> Vec<u8> {
    let mut padded = vec![0; length.saturating_sub(integer.len())];
    padded.extend_from_slice(integer);
    padded
}

fn list(issuers: &[Fingerprint]) -> String {
    if issuers.is_empty() {
        return "nobody".to_owned();
    }
    issuers.iter().map(Fingerprint::to_string).collect::<Vec<_>>().join(", ")
}
