use std::path::PathBuf;

use imagewright_oci::Digest;
use imagewright_pypa::{PackageName, Version, WheelFilename};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use url::Url;

use crate::wheel_build::WheelBuild;

/// A distribution, pinned to one wheel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LockedPackage {
    /// The distribution.
    pub name: PackageName,
    /// Its version.
    pub version: Version,
    /// The wheel.
    pub filename: WheelFilename,
    /// Where the wheel is.
    #[serde(flatten)]
    pub source: WheelSource,
    /// The digest of the wheel.
    pub sha256: Digest,
    /// The length of the wheel in bytes.
    pub size: u64,
    /// Whether the spec or one of its files names it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub requested: bool,
    /// The distributions that depend on it, sorted; empty when the resolver did not say.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub required_by: Vec<PackageName>,
}

/// Where a wheel is to be had.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WheelSource {
    /// At a URL, without user and password; see [`IndexSettings::credentials`](super::IndexSettings::credentials).
    Url(Url),
    /// In a file of this machine, as an absolute path.
    #[serde(deserialize_with = "absolute")]
    Path(PathBuf),
    /// In the store of whoever builds it from this.
    Built(Box<WheelBuild>),
}

/// What a relative path starts from, a lock does not say.
fn absolute<'de, D: Deserializer<'de>>(deserializer: D) -> Result<PathBuf, D::Error> {
    let path = PathBuf::deserialize(deserializer)?;
    if path.is_absolute() {
        return Ok(path);
    }
    Err(D::Error::custom(format_args!("the path `{}` of a wheel is not absolute", path.display())))
}
