//! What steps came to that executed: known only when they have run, and kept to from then on (design D10).

use std::fmt;
use std::str::FromStr;

use imagewright_debian::{DebianError, DebianName, DebianVersion};
use imagewright_oci::{Digest, Platform, canonical_json};
use serde::{Deserialize, Serialize};

use crate::document::Lock;
use crate::upgrade::{Pin, Upgrade};

/// What the steps of one platform came to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Results {
    /// Packages of the system, in the versions that apt chose.
    #[serde(default, skip_serializing_if = "AptResult::is_default")]
    pub apt: AptResult,
}

/// Packages of the system, in the versions that apt chose.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AptResult {
    /// What they are all there is for: the digest of what was asked for, and of what it was installed in. Without it,
    /// they are only preferred.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of: Option<Digest>,
    /// All that were installed for it, sorted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub packages: Vec<SystemPackage>,
    /// The digest of the result that was given up for this one, which tells it from that of an earlier build.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Digest>,
}

/// A package of the system in one version, written as apt takes it: `curl=7.88.1-10+deb12u12`, `libc6:i386=2.36-9`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SystemPackage {
    /// Its name.
    pub name: DebianName,
    /// What it is for, when that is not what the system is for.
    pub architecture: Option<DebianName>,
    /// Its version.
    pub version: DebianVersion,
}

impl Results {
    pub(crate) fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// The same before anything executes.
    #[must_use]
    pub fn unsettled(&self) -> Self {
        Self { apt: AptResult { of: None, packages: Vec::new(), after: self.apt.after } }
    }

    /// The same without what `upgrade` chooses anew.
    #[must_use]
    pub fn released(&self, upgrade: &Upgrade) -> Self {
        Self { apt: self.apt.released(upgrade) }
    }
}

impl AptResult {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// The same without the packages that `upgrade` chooses anew.
    fn released(&self, upgrade: &Upgrade) -> Self {
        let is_released = |package: &SystemPackage| {
            upgrade.includes_apt() || upgrade.includes(&Pin::SystemPackage(package.name.clone()))
        };
        let kept: Vec<SystemPackage> =
            self.packages.iter().filter(|package| !is_released(package)).cloned().collect();
        if kept.len() == self.packages.len() && !upgrade.includes_apt() {
            return self.clone();
        }
        // What was given up before and not chosen again leaves nothing to be told apart.
        let after = match self.of {
            Some(_) => Some(Digest::of(&canonical_json(self))),
            None => self.after,
        };
        Self { of: None, packages: kept, after }
    }
}

impl Lock {
    /// The same without results: what there is before anything executes.
    #[must_use]
    pub fn unsettled(&self) -> Self {
        let mut lock = self.clone();
        for platform in lock.platforms.values_mut() {
            platform.results = platform.results.unsettled();
        }
        lock
    }

    /// Whether it has results, and so says all of the image.
    pub fn is_settled(&self) -> bool {
        self.platforms.values().any(|platform| platform.results.apt.of.is_some())
    }

    /// The same with the results of a build that was made since from it, or from the like of it.
    #[must_use]
    pub fn with_results_of(&self, built: &Self) -> Self {
        let mut lock = self.clone();
        for (name, platform) in &mut lock.platforms {
            let Some(theirs) = built.platforms.get(name) else { continue };
            let mine = &mut platform.results.apt;
            if mine.of.is_none() && mine.after == theirs.results.apt.after {
                mine.clone_from(&theirs.results.apt);
            }
        }
        lock
    }

    /// The same with what apt chose for a platform: all `packages` that it installs for what has the digest `of`.
    #[must_use]
    pub fn with_apt_result(&self, platform: &Platform, of: Digest, packages: Vec<SystemPackage>) -> Self {
        let mut lock = self.clone();
        if let Some(pinned) = lock.platforms.get_mut(&platform.to_string()) {
            let after = pinned.results.apt.after;
            pinned.results.apt = AptResult { of: Some(of), packages, after };
        }
        lock
    }
}

impl SystemPackage {
    /// `libc6`, or `libc6:i386`.
    pub fn full_name(&self) -> String {
        match &self.architecture {
            None => self.name.to_string(),
            Some(architecture) => format!("{}:{architecture}", self.name),
        }
    }
}

impl FromStr for SystemPackage {
    type Err = DebianError;

    fn from_str(text: &str) -> Result<Self, DebianError> {
        let refused = || DebianError::PackageName { name: text.to_owned() };
        let (name, version) = text.split_once('=').ok_or_else(refused)?;
        // A lock may come from anywhere, and versions of it are written into apt's preferences.
        let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '+' | '-' | '~' | ':');
        if version.is_empty() || !version.chars().all(is_plain) {
            return Err(refused());
        }
        let (name, architecture) = match name.split_once(':') {
            None => (name, None),
            Some((name, architecture)) => (name, Some(architecture.parse()?)),
        };
        Ok(Self { name: name.parse()?, architecture, version: DebianVersion::new(version) })
    }
}

impl TryFrom<String> for SystemPackage {
    type Error = DebianError;

    fn try_from(text: String) -> Result<Self, DebianError> {
        text.parse()
    }
}

impl From<SystemPackage> for String {
    fn from(package: SystemPackage) -> Self {
        package.to_string()
    }
}

impl fmt::Display for SystemPackage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.full_name(), self.version)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_are_written_as_apt_takes_them() {
        for text in ["curl=7.88.1-10+deb12u12", "libstdc++6:i386=1:12.2.0-14~x"] {
            assert_eq!(text.parse::<SystemPackage>().unwrap().to_string(), text);
        }
        for text in ["curl", "curl=", "curl=1\nPin: x", "Curl=1", "curl:=1", "curl=1 2", "curl=*"] {
            assert!(text.parse::<SystemPackage>().is_err(), "{text}");
        }
    }

    fn result(packages: &[&str]) -> AptResult {
        let packages = packages.iter().map(|text| text.parse().unwrap()).collect();
        AptResult { of: Some(Digest::of(b"asked")), packages, after: None }
    }

    #[test]
    fn what_is_chosen_anew_is_given_up_and_known_to_be() {
        let chosen = result(&["curl=1", "git=2"]);
        let only = |pin| Upgrade::Only(vec![pin]);
        assert_eq!(chosen.released(&Upgrade::Nothing), chosen);
        assert_eq!(chosen.released(&only(Pin::Python)), chosen);
        let curl = chosen.released(&only(Pin::SystemPackage("curl".parse().unwrap())));
        assert_eq!((curl.of, &curl.packages), (None, &result(&["git=2"]).packages));
        for upgrade in [Upgrade::Everything, only(Pin::Apt), only(Pin::Debian), only(Pin::Base)] {
            let all = chosen.released(&upgrade);
            assert!(all.packages.is_empty() && all.of.is_none() && all.after.is_some(), "{upgrade:?}");
            assert_eq!(all.released(&upgrade), all, "nothing was chosen since");
            let again = AptResult { after: all.after, ..chosen.clone() };
            assert_ne!(again.released(&upgrade).after, all.after, "the same was chosen since");
        }
    }
}
