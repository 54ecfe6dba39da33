//! Checking clear-signed documents against keys that are part of the program: RFC 9580, as much as Debian uses.
//!
//! The general OpenPGP crates bring over a hundred others, most of them ciphers, and minutes of build. Needed
//! here is one direction only: version 4 signatures by RSA and Ed25519 keys over text. The arithmetic is ring's,
//! which TLS brings anyway. Whatever is not understood is never taken as a signature.

mod cleartext;
mod key;
mod packet;
mod signature;

pub use key::{Fingerprint, Keyring};
pub use signature::SignatureProblem;

use cleartext::Cleartext;
use signature::Signature;

/// Returns the text of a clear-signed document, if at least one key of the ring signed it.
///
/// A signature of a known key that does not fit makes the document bad, whatever else signed it. Signatures of
/// unknown keys count for nothing. `now` is in seconds since 1970.
pub fn verify(document: &str, keyring: &Keyring, now: u64) -> Result<String, SignatureProblem> {
    let cleartext = Cleartext::parse(document)?;
    let signatures = Signature::parse_all(&cleartext.signatures)?;
    let mut signer = None;
    let mut strangers = Vec::new();
    for signature in &signatures {
        match signature.issuer().map(|issuer| (issuer, keyring.find(&issuer))) {
            Some((_, Some(key))) => {
                signature.verify(key, &cleartext.signed_bytes(), now)?;
                signer = Some(key.fingerprint);
            }
            Some((issuer, None)) => strangers.push(issuer),
            None => {}
        }
    }
    match signer {
        Some(_) => Ok(cleartext.text),
        None => Err(SignatureProblem::NoKnownSigner { issuers: strangers }),
    }
}
