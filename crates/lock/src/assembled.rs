//! A base that is assembled from Debian's packages: its facts follow from them, before any is unpacked.

use std::collections::BTreeMap;

use imagewright_debian::{
    DebianError, DebianLock, DebianPackage, PackageGroup, UnpackedPackage, package_layer,
};
use imagewright_layer::{Content, TreeEntry, TreeKind};
use imagewright_oci::{DEFAULT_PATH, ImageConfig, Platform};
use imagewright_pypa::{Libc, PythonVersion};
use imagewright_store::ArtifactFile;

use crate::LockError;
use crate::base_image::BaseImage;
use crate::facts::{Accounts, BaseFacts, Directory, Interpreter};

/// The package with the masters of `passwd` and `group`.
pub(crate) const ACCOUNTS_PACKAGE: &str = "base-passwd";

/// The base of `lock`'s packages; `accounts` is its [`accounts_package`] and the file of that.
pub(crate) fn assembled_base(
    lock: &DebianLock,
    platform: &Platform,
    (package, file): (&DebianPackage, ArtifactFile),
) -> Result<BaseImage, LockError> {
    let mut config = ImageConfig::new(platform.clone());
    config.config.set_env("PATH", DEFAULT_PATH);
    config.config.cmd = Some(vec!["bash".to_owned()]);
    let directory = |(path, mode): (&str, u32)| Directory { path: path.to_owned(), mode, uid: 0, gid: 0 };
    let facts = BaseFacts {
        system: Some(format!("Debian {}", lock.suite)),
        libc: version_of(lock, "libc6").and_then(libc),
        interpreters: interpreter(lock).into_iter().collect(),
        accounts: read_accounts(lock, package, file)?,
        ca_bundle: true,
        apt: version_of(lock, "apt").is_some(),
        unconfigured: true,
        directories: [("etc", 0o755), ("home", 0o755), ("opt", 0o755), ("root", 0o700)]
            .map(directory)
            .to_vec(),
        ..BaseFacts::empty()
    };
    Ok(BaseImage { origin: None, config, layers: Vec::new(), facts, homes: Vec::new() })
}

fn version_of<'a>(lock: &'a DebianLock, name: &str) -> Option<&'a str> {
    let package = lock.packages.iter().find(|package| package.name.as_str() == name)?;
    Some(package.version.as_str())
}

/// `2.36` of `2.36-9+deb12u10`.
fn libc(version: &str) -> Option<Libc> {
    let mut numbers = version.split(|c: char| !c.is_ascii_digit());
    Some(Libc::Glibc(numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

/// The suite's Python, when its packages are among them.
fn interpreter(lock: &DebianLock) -> Option<Interpreter> {
    lock.packages.iter().find(|package| package.group == PackageGroup::Python)?;
    let minor = lock.suite.python();
    let version = version_of(lock, &format!("python{minor}-minimal"))?;
    let full = version.split(|c: char| !c.is_ascii_digit() && c != '.').next()?;
    let aliases = vec!["/usr/bin/python3".to_owned()];
    Some(Interpreter { path: format!("/usr/bin/python{minor}"), aliases, minor, full: full.parse().ok() })
}

/// Whether `lock` has the Python that is asked for, or rightly none, because one is added: of another minor release
/// than the suite's, or a patch release that the suite does not have. The suite's would only lie beside that.
pub(crate) fn has_fitting_python(lock: &DebianLock, wanted: PythonVersion) -> bool {
    let found = interpreter(lock).and_then(|found| Some(found.full?.release()));
    found
        .map_or(lock.suite.python() != wanted.minor || wanted.patch.is_some(), |found| wanted.accepts(&found))
}

/// The package with the masters of `passwd` and `group`; every base has it.
pub(crate) fn accounts_package(lock: &DebianLock) -> Option<&DebianPackage> {
    lock.packages.iter().find(|package| package.name.as_str() == ACCOUNTS_PACKAGE)
}

/// The users and groups that `package` would set up.
fn read_accounts(
    lock: &DebianLock,
    package: &DebianPackage,
    mut file: ArtifactFile,
) -> Result<Accounts, LockError> {
    let unpacked = UnpackedPackage::read(&package.name, &mut file.file, None)?;
    let entries = package_layer(lock.suite, lock.architecture, vec![(package, unpacked)])?;
    let mut texts: BTreeMap<String, String> = entries.into_iter().filter_map(text).collect();
    let mut take = |path: &str| {
        let missing = || DebianError::PackageText { package: ACCOUNTS_PACKAGE, path: path.to_owned() };
        texts.remove(path).ok_or_else(missing)
    };
    Ok(Accounts { passwd: take("etc/passwd")?, group: take("etc/group")? })
}

fn text(entry: TreeEntry) -> Option<(String, String)> {
    match entry.kind {
        TreeKind::File { content: Content::Bytes(bytes), .. } => {
            Some((entry.path.to_string(), String::from_utf8(bytes).ok()?))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn bookworm(python: &[&str]) -> DebianLock {
        let package = |name: &&str| {
            json!({
                "name": name, "version": "3.11.2-6+deb12u6", "architecture": "amd64", "filename": "pool/p.deb",
                "size": 1, "sha256": imagewright_oci::Digest::of(b""), "pocket": "main", "group": "python",
            })
        };
        let packages: Vec<_> = python.iter().map(package).collect();
        let lock = json!({ "suite": "bookworm", "architecture": "amd64", "packages": packages });
        serde_json::from_value(lock).unwrap()
    }

    #[test]
    fn the_suites_python_is_there_when_it_serves() {
        let (with, without) = (bookworm(&["python3.11-minimal"]), bookworm(&[]));
        for (wanted, fits, fits_without) in [
            ("3.11", true, false),
            ("3.11.2", true, true),
            ("3.11.7", false, true),
            ("3.12", false, true),
            ("3.12.4", false, true),
        ] {
            let wanted = wanted.parse().unwrap();
            assert_eq!(has_fitting_python(&with, wanted), fits, "{wanted}");
            assert_eq!(has_fitting_python(&without, wanted), fits_without, "{wanted}");
        }
    }
}
