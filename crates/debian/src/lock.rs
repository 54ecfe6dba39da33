use imagewright_oci::Digest;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};

use crate::{Architecture, DebianName, DebianVersion, Pocket, Suite};

/// The packages of a base, or of a compiler, each pinned by its hash.
///
/// It names no host: any mirror that has the files will do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DebianLock {
    /// The suite that the packages are of.
    pub suite: Suite,
    /// The processor that they are for.
    pub architecture: Architecture,
    /// The packages, sorted by name.
    pub packages: Vec<DebianPackage>,
}

/// One package file of the archive.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DebianPackage {
    /// Its name.
    pub name: DebianName,
    /// Its version.
    pub version: DebianVersion,
    /// `amd64`, `arm64`, or `all`.
    pub architecture: String,
    /// Its path in the archive, such as `pool/main/b/bash/bash_5.2.15-2+b8_amd64.deb`.
    #[serde(deserialize_with = "in_archive")]
    pub filename: String,
    /// Its size in bytes.
    pub size: u64,
    /// Its sha256.
    pub sha256: Digest,
    /// Where in the archive it is, which decides the mirror.
    pub pocket: Pocket,
    /// Which layer it belongs to.
    pub group: PackageGroup,
}

/// A lock may come with a project from anywhere, and its compiler is started: so no path leads out of a mirror.
fn in_archive<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let path = String::deserialize(deserializer)?;
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '+' | '-' | '~');
    let is_name = |name: &str| !matches!(name, "" | "." | "..") && name.chars().all(is_plain);
    if path.split('/').all(is_name) {
        return Ok(path);
    }
    Err(D::Error::custom(format_args!("the path `{path}` of a package is none of Debian's archive")))
}

/// Packages that become one layer.
///
/// The userland is solved first and on its own, so it is the same, and has the same digest, whether or not a
/// Python is put on top of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PackageGroup {
    /// Shell, tools, package manager, certificates, time zones.
    Userland,
    /// The suite's Python and the libraries that only it needs.
    Python,
    /// What compiles bytecode; no part of an image.
    Compiler,
    /// What builds from source; no part of an image.
    Tools,
}

impl PackageGroup {
    /// The groups of a base, lowest layer first.
    const OF_BASE: [Self; 2] = [Self::Userland, Self::Python];

    /// `userland`, as plans print it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Userland => "userland",
            Self::Python => "python",
            Self::Compiler => "compiler",
            Self::Tools => "tools",
        }
    }
}

impl DebianLock {
    /// The packages by the layer they belong to, lowest first; a group without packages is left out.
    pub fn groups(&self) -> Vec<(PackageGroup, Vec<&DebianPackage>)> {
        let of_group =
            |group| self.packages.iter().filter(|package| package.group == group).collect::<Vec<_>>();
        let groups = PackageGroup::OF_BASE.map(|group| (group, of_group(group)));
        groups.into_iter().filter(|(_, packages)| !packages.is_empty()).collect()
    }
}

impl DebianPackage {
    /// The name of the file, without the folder.
    pub fn file_name(&self) -> &str {
        self.filename.rsplit('/').next().unwrap_or(&self.filename)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_stay_in_a_mirror() {
        let read = |path: &str| {
            let sha256 = Digest::of(b"");
            let json = format!(
                r#"{{"name":"bash","version":"5.2","architecture":"amd64","filename":"{path}","size":1,
                    "sha256":"{sha256}","pocket":"main","group":"userland"}}"#
            );
            serde_json::from_str::<DebianPackage>(&json)
        };
        assert!(read("pool/main/b/bash/bash_5.2.15-2+b8~1_amd64.deb").is_ok());
        for path in [
            "http://elsewhere.test/bash.deb",
            "//elsewhere.test/bash.deb",
            "/bash.deb",
            "pool/../../bash.deb",
            "pool/%2e%2e/bash.deb",
            "pool//bash.deb",
            "bash.deb?a=b",
            "",
        ] {
            assert!(read(path).is_err(), "{path}");
        }
    }
}
