use std::io;

use imagewright_oci::{Digest, Platform};
use thiserror::Error;
use url::Url;

use crate::openpgp::SignatureProblem;
use crate::{DebProblem, DebianName, FetchError, Pocket, Suite};

/// What can go wrong between Debian's archive and an unpacked base.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum DebianError {
    /// A text is not the code name of a suite that a base can be made of.
    #[error("`{name}` is not a Debian suite that a base can be made of")]
    UnknownSuite {
        /// What was given.
        name: String,
    },
    /// Debian bases exist for 64-bit x86 and ARM only.
    #[error("there is no Debian base for {platform}")]
    Platform {
        /// What was asked for.
        platform: Platform,
    },
    /// A text is not the name of a package.
    #[error("`{name}` is not the name of a Debian package")]
    PackageName {
        /// What was given.
        name: String,
    },
    /// The address of a mirror is not an http or https URL.
    #[error("the Debian mirror `{text}` is not an http or https URL")]
    MirrorUrl {
        /// What was given.
        text: String,
    },
    /// A file could not be downloaded.
    #[error("cannot download {url}")]
    Fetch {
        /// The file.
        url: Box<Url>,
        /// Why.
        source: FetchError,
    },
    /// A mirror does not have an index.
    #[error("the mirror has no {release}: {url} does not exist")]
    NoRelease {
        /// The name below `dists/`.
        release: String,
        /// The file.
        url: Box<Url>,
    },
    /// The index of a pocket is not signed by Debian.
    #[error("the index of {release} cannot be trusted: {problem}")]
    Signature {
        /// The name below `dists/`.
        release: String,
        /// Why.
        #[source]
        problem: SignatureProblem,
    },
    /// An index is not text.
    #[error("the index of {release} is not UTF-8 text")]
    NotText {
        /// The name below `dists/`.
        release: String,
    },
    /// A mirror answers with the index of another release.
    #[error("asked for {expected}, the mirror sent the index of `{found}`")]
    WrongRelease {
        /// The name below `dists/`.
        expected: String,
        /// What the signed index says.
        found: String,
    },
    /// An index is older than Debian allows.
    #[error("the index of {release} expired on {valid_until}")]
    Expired {
        /// The name below `dists/`.
        release: String,
        /// As the index writes it.
        valid_until: String,
    },
    /// An index is from the future.
    #[error("the index of {release} is of {date}, which has not come yet")]
    NotYetValid {
        /// The name below `dists/`.
        release: String,
        /// As the index writes it.
        date: String,
    },
    /// A field of a release index cannot be read.
    #[error("the index of {release} has an unreadable {field}: `{value}`")]
    ReleaseField {
        /// The name below `dists/`.
        release: String,
        /// Which field.
        field: &'static str,
        /// What it says.
        value: String,
    },
    /// A release index does not list a file that is needed.
    #[error("the index of {release} does not list {path}")]
    NotListed {
        /// The name below `dists/`.
        release: String,
        /// The file.
        path: String,
    },
    /// A downloaded file is not what its signed index says.
    #[error("{what} has the hash {found}, the index says {expected}")]
    WrongDigest {
        /// The file or package.
        what: String,
        /// What the signed index, or the lock, says.
        expected: Digest,
        /// What came.
        found: Digest,
    },
    /// A downloaded file has another size than its signed index says.
    #[error("{what} has {found} bytes, the index says {expected}")]
    WrongSize {
        /// The file or package.
        what: String,
        /// What the signed index, or the lock, says.
        expected: u64,
        /// What came.
        found: u64,
    },
    /// A list of packages cannot be decompressed.
    #[error("the list of packages of {release} cannot be decompressed")]
    Decompress {
        /// The name below `dists/`.
        release: String,
        /// Why.
        source: io::Error,
    },
    /// A paragraph of a list of packages does not begin with a name.
    #[error("the list of packages of {pocket:?} has a paragraph that begins with `{line}`")]
    Index {
        /// Which list.
        pocket: Pocket,
        /// How the paragraph begins.
        line: String,
    },
    /// A package has no readable field of that name.
    #[error("the package {package} has no readable field {field}")]
    PackageField {
        /// The package.
        package: DebianName,
        /// Which field.
        field: &'static str,
    },
    /// A dependency cannot be read.
    #[error("the package {package} has an unreadable dependency: `{relation}`")]
    Relation {
        /// The package.
        package: String,
        /// As the index writes it.
        relation: String,
    },
    /// No package satisfies a dependency.
    #[error("{dependency} is needed by {needed_by} and {reason}")]
    Unsatisfiable {
        /// The dependency, as the index writes it.
        dependency: String,
        /// The packages that need it, from the root set down: `apt, needed by the base`.
        needed_by: String,
        /// Why no package will do.
        reason: UnsatisfiableReason,
    },
    /// Two packages that are both needed exclude each other.
    #[error("{package} cannot be with {other}: it conflicts with or breaks `{relation}`")]
    Conflict {
        /// The package that excludes.
        package: DebianName,
        /// The one that is excluded.
        other: DebianName,
        /// As the index writes it.
        relation: String,
    },
    /// The suite has no packages of a Python.
    #[error("{suite} has no packages of Python {python}")]
    NoPython {
        /// The suite.
        suite: Suite,
        /// What was asked for.
        python: imagewright_pypa::PythonMinor,
    },
    /// The file of a package cannot be opened.
    #[error("cannot open the package file of {package}")]
    Open {
        /// The package.
        package: DebianName,
        /// Why.
        source: io::Error,
    },
    /// A package file breaks a rule of its format.
    #[error("the package file of {package} cannot be unpacked: {problem}")]
    Deb {
        /// The package.
        package: DebianName,
        /// Which rule.
        #[source]
        problem: DebProblem,
    },
    /// Two packages have different things at one path.
    #[error("{first} and {second} both have /{path}")]
    PathTwice {
        /// The path, relative to the root.
        path: String,
        /// The package whose file was there.
        first: String,
        /// The package that has it too.
        second: String,
    },
    /// A package lacks a file that its maintainer scripts make others of.
    #[error("the package {package} has no text file {path}")]
    PackageText {
        /// The package.
        package: &'static str,
        /// The path, relative to the root.
        path: String,
    },
    /// A certificate of `ca-certificates` cannot be read.
    #[error("the certificate {path} cannot be read")]
    Certificate {
        /// The path, relative to the root.
        path: String,
    },
    /// A file of an unpacked compiler could not be written.
    #[error("cannot unpack to the store")]
    Write {
        /// Why; it names the path.
        source: io::Error,
    },
}

/// Why no package satisfies a dependency.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UnsatisfiableReason {
    /// There is neither a package of that name nor one that provides it.
    NoSuchPackage,
    /// The archive has other versions only.
    OtherVersion {
        /// The newest of them.
        newest: String,
    },
    /// All that would do exclude something that is needed as well.
    Excluded,
}

impl std::fmt::Display for UnsatisfiableReason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NoSuchPackage => f.write_str("the archive has no such package"),
            Self::OtherVersion { newest } => write!(f, "the newest version in the archive is {newest}"),
            Self::Excluded => f.write_str("all packages that would do conflict with others that are needed"),
        }
    }
}

impl DebianError {
    /// What the user can do about it.
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::UnknownSuite { .. } => "the suites are bullseye, bookworm and trixie",
            Self::Platform { .. } => "use linux/amd64 or linux/arm64, or give a base image for this platform",
            Self::Fetch { source: FetchError::Transfer { .. }, .. } => {
                "another mirror can be set with IMAGEWRIGHT_DEBIAN_MIRROR; `--offline` takes what was fetched before"
            }
            Self::Fetch { .. } | Self::MirrorUrl { .. } | Self::NoRelease { .. } => {
                "another mirror can be set with IMAGEWRIGHT_DEBIAN_MIRROR"
            }
            Self::Signature { .. } | Self::WrongRelease { .. } => {
                "the mirror, or something on the way to it, alters files; set another one with \
                 IMAGEWRIGHT_DEBIAN_MIRROR"
            }
            Self::WrongDigest { .. } | Self::WrongSize { .. } => {
                "the mirror may be in the middle of an update: try again in some minutes, or set another one \
                 with IMAGEWRIGHT_DEBIAN_MIRROR"
            }
            Self::Expired { .. } => {
                "the mirror is no longer updated, or this machine's clock is wrong; set another mirror with \
                 IMAGEWRIGHT_DEBIAN_MIRROR, or build from a lock with --frozen"
            }
            Self::NotYetValid { .. } => "this machine's clock is probably wrong",
            Self::Deb { .. } => {
                "the stored file may be damaged: `imagewright cache check --deep --repair` removes it, and the next \
                 build fetches it again"
            }
            _ => return None,
        };
        Some(hint.to_owned())
    }
}
