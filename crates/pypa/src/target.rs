use std::cmp::Reverse;
use std::collections::HashMap;
use std::fmt;

use imagewright_oci::Platform;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::python_version::UNKNOWN_PATCH;
use crate::{Tag, Version, WheelFilename};

/// The C library of an image, with the version that its wheels may need at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Libc {
    /// The GNU C library, such as 2.36: takes `manylinux` wheels (PEP 600).
    Glibc(u32, u32),
    /// musl, such as 1.2: takes `musllinux` wheels (PEP 656).
    Musl(u32, u32),
}

/// The CPython that packages are chosen for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TargetPython {
    major: u32,
    minor: u32,
    patch: Option<u32>,
    platform: Platform,
    libc: Libc,
    machine: &'static str,
}

/// The rank of every tag that a Python accepts: made once, asked for each distribution.
#[derive(Clone, Debug)]
pub struct WheelPreference {
    ranks: HashMap<Tag, usize>,
}

/// A platform that has no Python wheels.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("there are no Python wheels for {platform}")]
pub struct TargetError {
    /// What was asked for.
    pub platform: Platform,
}

impl TargetPython {
    /// CPython `major.minor` on a Linux platform.
    pub fn new(major: u32, minor: u32, platform: Platform, libc: Libc) -> Result<Self, TargetError> {
        match machine_of(&platform) {
            Some(machine) => Ok(Self { major, minor, patch: None, machine, platform, libc }),
            None => Err(TargetError { platform }),
        }
    }

    /// The same with a known patch release, which `python_full_version` markers and `Requires-Python` see.
    pub fn with_patch(self, patch: u32) -> Self {
        Self { patch: Some(patch), ..self }
    }

    /// `(3, 11)`.
    pub fn version(&self) -> (u32, u32) {
        (self.major, self.minor)
    }

    /// The patch release, when it is known.
    pub fn patch(&self) -> Option<u32> {
        self.patch
    }

    /// The version in full; a patch release that is not known is newer than any.
    pub fn full_version(&self) -> Version {
        let text = format!("{}.{}.{}", self.major, self.minor, self.patch.unwrap_or(UNKNOWN_PATCH));
        text.parse().expect("three numbers are a version")
    }

    /// The platform of the image.
    pub fn platform(&self) -> &Platform {
        &self.platform
    }

    /// The C library of the image.
    pub fn libc(&self) -> Libc {
        self.libc
    }

    /// The processor in the kernel's words, as wheels write it: `x86_64`, `aarch64`, ...
    pub fn machine(&self) -> &'static str {
        self.machine
    }

    /// Every tag this Python accepts, the most preferred first, in the order of the `packaging` library.
    pub fn compatible_tags(&self) -> Vec<Tag> {
        let platforms = self.platform_tags();
        let (major, minor) = (self.major, self.minor);
        let native = format!("cp{major}{minor}");
        let older = (0..minor).rev();
        let mut tags = Vec::new();
        let mut on_each_platform = |interpreter: &str, abi: &str| {
            tags.extend(platforms.iter().map(|platform| Tag::new(interpreter, abi, platform)));
        };
        on_each_platform(&native, &native);
        on_each_platform(&native, "abi3");
        on_each_platform(&native, "none");
        for minor in older.clone().filter(|minor| *minor >= FIRST_STABLE_ABI_MINOR) {
            on_each_platform(&format!("cp{major}{minor}"), "abi3");
        }
        let generic: Vec<String> = [format!("py{major}{minor}"), format!("py{major}")]
            .into_iter()
            .chain(older.map(|minor| format!("py{major}{minor}")))
            .collect();
        for interpreter in &generic {
            on_each_platform(interpreter, "none");
        }
        tags.push(Tag::new(&native, "none", "any"));
        tags.extend(generic.iter().map(|interpreter| Tag::new(interpreter, "none", "any")));
        tags
    }

    /// The order in which this Python prefers wheels.
    pub fn preference(&self) -> WheelPreference {
        WheelPreference { ranks: self.compatible_tags().into_iter().zip(0..).collect() }
    }

    fn platform_tags(&self) -> Vec<String> {
        let machine = self.machine;
        let mut tags = vec![format!("linux_{machine}")];
        match self.libc {
            Libc::Glibc(major, newest) => {
                for minor in (oldest_glibc_minor(machine)..=newest).rev() {
                    tags.push(format!("manylinux_{major}_{minor}_{machine}"));
                    let legacy = LEGACY_MANYLINUX.iter().find(|(alias_of, _)| *alias_of == minor);
                    tags.extend(legacy.map(|(_, name)| format!("{name}_{machine}")));
                }
            }
            Libc::Musl(major, newest) => {
                tags.extend((0..=newest).rev().map(|minor| format!("musllinux_{major}_{minor}_{machine}")));
            }
        }
        tags
    }
}

impl WheelPreference {
    /// The position of the wheel that an installer would choose; none when no wheel fits.
    ///
    /// The most preferred tag wins, then the highest build tag, then the first in the list.
    pub fn best<'a>(&self, files: impl IntoIterator<Item = &'a WheelFilename>) -> Option<usize> {
        let rank_of =
            |file: &WheelFilename| file.tags().filter_map(|tag| self.ranks.get(&tag).copied()).min();
        files
            .into_iter()
            .enumerate()
            .filter_map(|(position, file)| Some((rank_of(file)?, Reverse(file.build()), position)))
            .min()
            .map(|(_, _, position)| position)
    }
}

impl fmt::Display for TargetPython {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Python {}.{} on {} with {}", self.major, self.minor, self.platform, self.libc)
    }
}

impl fmt::Display for Libc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Glibc(major, minor) => write!(f, "glibc {major}.{minor}"),
            Self::Musl(major, minor) => write!(f, "musl {major}.{minor}"),
        }
    }
}

/// The stable ABI came with Python 3.2 (PEP 384).
const FIRST_STABLE_ABI_MINOR: u32 = 2;

/// Names that PEP 600 keeps for the glibc versions of PEP 513, 571 and 599.
const LEGACY_MANYLINUX: [(u32, &str); 3] = [(17, "manylinux2014"), (12, "manylinux2010"), (5, "manylinux1")];

fn oldest_glibc_minor(machine: &str) -> u32 {
    if matches!(machine, "x86_64" | "i686") { 5 } else { 17 }
}

fn machine_of(platform: &Platform) -> Option<&'static str> {
    if platform.os != "linux" {
        return None;
    }
    Some(match (platform.architecture.as_str(), platform.variant.as_deref()) {
        ("amd64", _) => "x86_64",
        ("arm64", _) => "aarch64",
        ("386", _) => "i686",
        ("arm", None | Some("v7")) => "armv7l",
        ("ppc64le", _) => "ppc64le",
        ("s390x", _) => "s390x",
        ("riscv64", _) => "riscv64",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::PythonMinor;

    fn python(minor: u32, platform: &str, libc: Libc) -> TargetPython {
        TargetPython::new(3, minor, platform.parse().unwrap(), libc).unwrap()
    }

    fn best(target: &TargetPython, files: &[&str]) -> Option<String> {
        let names: Vec<WheelFilename> = files.iter().map(|file| file.parse().unwrap()).collect();
        target.preference().best(&names).map(|position| files[position].to_owned())
    }

    #[test]
    fn a_patch_release_that_is_not_known_is_a_new_one_everywhere() {
        let target = python(11, "linux/amd64", Libc::Glibc(2, 36));
        for (text, expected) in [(">=3.11.4", true), ("<3.11.4", false), (">=3.11,<3.12", true)] {
            let version = target.full_version();
            assert_eq!(text.parse::<crate::Specifiers>().unwrap().contains(&version), expected, "{text}");
            let required: crate::RequiresPython = text.parse().unwrap();
            let newest = required.version(PythonMinor(11));
            assert_eq!(newest.is_some_and(|version| version.patch.is_none()), expected, "{text}");
        }
        let marker: crate::Marker = "python_full_version >= '3.11.4'".parse().unwrap();
        assert!(marker.holds(&crate::MarkerEnvironment::of(&target)));
        assert!(!marker.holds(&crate::MarkerEnvironment::of(&target.with_patch(2))));
    }

    #[test]
    fn chooses_the_nearest_wheel() {
        let debian = python(11, "linux/amd64", Libc::Glibc(2, 36));
        let files = [
            "a-1-py3-none-any.whl",
            "a-1-cp39-abi3-manylinux_2_17_x86_64.whl",
            "a-1-cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64.whl",
            "a-1-cp311-cp311-manylinux_2_28_x86_64.whl",
            "a-1-cp311-cp311-manylinux_2_40_x86_64.whl",
            "a-1-cp312-cp312-manylinux_2_28_x86_64.whl",
            "a-1-cp311-cp311-musllinux_1_2_x86_64.whl",
            "a-1-cp311-cp311-win_amd64.whl",
        ];
        assert_eq!(best(&debian, &files).as_deref(), Some(files[3]));
        assert_eq!(best(&python(10, "linux/amd64", Libc::Glibc(2, 36)), &files).as_deref(), Some(files[1]));
        assert_eq!(best(&python(11, "linux/amd64", Libc::Musl(1, 2)), &files).as_deref(), Some(files[6]));
        assert_eq!(best(&python(11, "linux/arm64", Libc::Glibc(2, 36)), &files).as_deref(), Some(files[0]));
        assert_eq!(best(&debian, &files[4..]), None);
    }

    #[test]
    fn the_highest_build_wins_a_tie() {
        let debian = python(11, "linux/amd64", Libc::Glibc(2, 36));
        let files = ["a-1-2-py3-none-any.whl", "a-1-10-py3-none-any.whl", "a-1-py3-none-any.whl"];
        assert_eq!(best(&debian, &files).as_deref(), Some(files[1]));
    }

    #[test]
    fn has_no_wheels_for_other_systems() {
        for platform in ["windows/amd64", "darwin/arm64", "linux/mips", "linux/arm/v6"] {
            let error = TargetPython::new(3, 11, platform.parse().unwrap(), Libc::Glibc(2, 36)).unwrap_err();
            assert!(error.to_string().contains(platform));
        }
    }
}
