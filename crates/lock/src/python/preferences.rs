//! Versions that uv keeps to where they satisfy the requirements.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use imagewright_pypa::{PackageName, Version};

use super::LockedPackage;

/// A `pylock.toml` with versions only: uv reads an existing output file as preferences.
///
/// The previous lock comes before what the base has: where both name a distribution, the lock replaced the
/// base's.
pub(super) fn text(installed: &[(PackageName, Version)], previous: &[LockedPackage]) -> String {
    let installed = installed.iter().map(|(name, version)| (name, version));
    let previous = previous.iter().map(|package| (&package.name, &package.version));
    let versions: BTreeMap<_, _> = installed.chain(previous).collect();
    let mut text = "lock-version = \"1.0\"\ncreated-by = \"imagewright\"\n".to_owned();
    if versions.is_empty() {
        text.push_str("packages = []\n");
    }
    for (name, version) in versions {
        write!(text, "\n[[packages]]\nname = \"{name}\"\nversion = \"{version}\"\n")
            .expect("a String takes every write");
    }
    text
}
