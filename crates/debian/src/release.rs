use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use imagewright_oci::Digest;

use crate::control::Stanza;
use crate::date::parse_date;
use crate::keyring::archive_keyring;
use crate::{Architecture, DebianError, Pocket, Suite, openpgp};

/// A clock may be behind the archive's by this much; apt allows ten seconds, which laptops often miss.
const CLOCK_TOLERANCE: Duration = Duration::from_mins(10);

/// The signed index of one pocket (`InRelease`): which files it has, and their hashes.
#[derive(Clone, Debug)]
pub(crate) struct Release {
    /// The name below `dists/`, such as `bookworm-updates`.
    pub(crate) codename: String,
    /// Which archive it is of.
    pub(crate) pocket: Pocket,
    /// Whether its files can be asked for by hash.
    pub(crate) by_hash: bool,
    files: BTreeMap<String, FileEntry>,
}

/// A file that a release lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FileEntry {
    /// Its sha256.
    pub(crate) digest: Digest,
    /// Its size in bytes.
    pub(crate) size: u64,
}

impl Release {
    /// Checks the signature, the name and the age of an `InRelease` document and reads it.
    ///
    /// Follows the Debian repository format; `now` is the time that signatures and the index are judged by.
    pub(crate) fn verify(
        document: &str,
        suite: Suite,
        pocket: Pocket,
        now: SystemTime,
    ) -> Result<Self, DebianError> {
        let codename = pocket.codename(suite);
        let keyring = archive_keyring(pocket);
        let text = openpgp::verify(document, &keyring, seconds(now))
            .map_err(|problem| DebianError::Signature { release: codename.clone(), problem })?;
        let stanza = Stanza::new(text.trim_end());
        let found = stanza.field("Codename").unwrap_or_default();
        if found != codename {
            return Err(DebianError::WrongRelease { expected: codename, found: found.to_owned() });
        }
        check_age(&codename, stanza, now)?;
        let by_hash = stanza.field("Acquire-By-Hash") == Some("yes");
        let files = parse_files(&codename, stanza)?;
        Ok(Self { codename, pocket, by_hash, files })
    }

    /// The path below the pocket's folder, and the hash, of the list of packages of an architecture.
    pub(crate) fn packages_file(
        &self,
        architecture: Architecture,
    ) -> Result<(String, FileEntry), DebianError> {
        let path = format!("main/binary-{architecture}/Packages.xz");
        match self.files.get(&path) {
            Some(entry) => Ok((path, *entry)),
            None => Err(DebianError::NotListed { release: self.codename.clone(), path }),
        }
    }
}

/// Refuses an index from the future, and one that has expired: someone may be holding updates back.
fn check_age(codename: &str, stanza: Stanza<'_>, now: SystemTime) -> Result<(), DebianError> {
    let date_of = |field: &'static str| match stanza.field(field) {
        None => Ok(None),
        Some(text) => parse_date(text).map(|date| Some((text, date))).ok_or_else(|| {
            DebianError::ReleaseField { release: codename.to_owned(), field, value: text.to_owned() }
        }),
    };
    if let Some((text, date)) = date_of("Date")?
        && date > now + CLOCK_TOLERANCE
    {
        return Err(DebianError::NotYetValid { release: codename.to_owned(), date: text.to_owned() });
    }
    match date_of("Valid-Until")? {
        Some((text, until)) if until < now => {
            Err(DebianError::Expired { release: codename.to_owned(), valid_until: text.to_owned() })
        }
        _ => Ok(()),
    }
}

fn parse_files(codename: &str, stanza: Stanza<'_>) -> Result<BTreeMap<String, FileEntry>, DebianError> {
    let lines = stanza.field("SHA256").unwrap_or_default().lines();
    lines
        .map(|line| {
            let mut words = line.split_whitespace();
            let entry = (words.next(), words.next(), words.next());
            let parsed = match entry {
                (Some(hash), Some(size), Some(path)) => Digest::from_hex(hash)
                    .ok()
                    .zip(size.parse().ok())
                    .map(|(digest, size)| (path.to_owned(), FileEntry { digest, size })),
                _ => None,
            };
            parsed.ok_or_else(|| DebianError::ReleaseField {
                release: codename.to_owned(),
                field: "SHA256",
                value: line.to_owned(),
            })
        })
        .collect()
}

fn seconds(time: SystemTime) -> u64 {
    time.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |duration| duration.as_secs())
}
