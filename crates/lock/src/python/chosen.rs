use imagewright_oci::Digest;
use imagewright_pypa::{PackageName, Version, WheelFilename};

use super::{LockedPackage, PythonError, WheelSource};

/// A distribution and the wheel that was chosen for it, with what is known before the wheel is seen.
///
/// An index need not state digests or sizes, and releases of uv differ in whether they find them out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChosenPackage {
    /// The distribution.
    pub name: PackageName,
    /// Its version.
    pub version: Version,
    /// The wheel.
    pub filename: WheelFilename,
    /// Where the wheel is.
    pub source: WheelSource,
    /// The digest of the wheel, when it is known.
    pub sha256: Option<Digest>,
    /// The length of the wheel in bytes, when it is known.
    pub size: Option<u64>,
    /// The digests that the user allows; every one when none is written.
    pub allowed: Vec<Digest>,
    /// Whether the spec or one of its files names it.
    pub requested: bool,
    /// The distributions that depend on it, sorted; empty when the resolver did not say.
    pub required_by: Vec<PackageName>,
}

impl ChosenPackage {
    /// The pin of what the wheel is, if the user allows that.
    pub(crate) fn pinned(self, sha256: Digest, size: u64) -> Result<LockedPackage, PythonError> {
        let Self { name, version, filename, source, allowed, requested, required_by, .. } = self;
        if !allowed.is_empty() && !allowed.contains(&sha256) {
            return Err(PythonError::HashMismatch { name, version, allowed, found: vec![sha256] });
        }
        Ok(LockedPackage { name, version, filename, source, sha256, size, requested, required_by })
    }
}
