use crate::Pocket;
use crate::openpgp::Keyring;

/// The archive keys, byte for byte as `debian-archive-keyring` 2023.3+deb12u2 has them below `/usr/share/keyrings`.
///
/// Debian signs an index with the keys of the current and of neighbouring releases, so that old systems can read
/// new indexes. The keys of one release and the next are therefore enough for each suite.
macro_rules! key {
    ($name:literal) => {
        include_bytes!(concat!("../keys/debian-archive-", $name, ".gpg"))
    };
}

const ARCHIVE_KEYS: [&[u8]; 6] = [
    key!("bullseye-automatic"),
    key!("bullseye-stable"),
    key!("bookworm-automatic"),
    key!("bookworm-stable"),
    key!("trixie-automatic"),
    key!("trixie-stable"),
];

const SECURITY_KEYS: [&[u8]; 3] = [
    key!("bullseye-security-automatic"),
    key!("bookworm-security-automatic"),
    key!("trixie-security-automatic"),
];

/// The keys that may sign the index of a pocket: the archive's for releases and updates, and the security team's.
pub fn archive_keyring(pocket: Pocket) -> Keyring {
    let certificates: &[&[u8]] = match pocket {
        Pocket::Main | Pocket::Updates => &ARCHIVE_KEYS,
        Pocket::Security => &SECURITY_KEYS,
    };
    certificates.iter().fold(Keyring::default(), |ring, bytes| {
        ring.join(Keyring::from_binary(bytes).expect("the embedded keys are well formed"))
    })
}
