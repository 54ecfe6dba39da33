//! A base that is assembled from Debian's packages: its facts follow from them, before any is unpacked.

use std::collections::BTreeMap;

use imagewright_debian::{DebianLock, PackageGroup, UnpackedPackage, package_layer};
use imagewright_layer::{Content, TreeEntry, TreeKind};
use imagewright_oci::{ImageConfig, Platform};
use imagewright_pypa::Libc;
use imagewright_store::ArtifactFile;

use crate::LockError;
use crate::base_image::BaseImage;
use crate::facts::{Accounts, BaseFacts, Directory, Interpreter};

/// The `PATH` of Debian's own images.
const PATH: &str = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// The package with the masters of `passwd` and `group`.
pub(crate) const ACCOUNTS_PACKAGE: &str = "base-passwd";

/// The base of `lock`'s packages; `accounts` is the file of its [`ACCOUNTS_PACKAGE`].
pub(crate) fn assembled_base(
    lock: &DebianLock,
    platform: &Platform,
    accounts: ArtifactFile,
) -> Result<BaseImage, LockError> {
    let mut config = ImageConfig::new(platform.clone());
    config.config.env = Some(vec![PATH.to_owned()]);
    config.config.cmd = Some(vec!["bash".to_owned()]);
    let directory = |(path, mode): (&str, u32)| Directory { path: path.to_owned(), mode, uid: 0, gid: 0 };
    let facts = BaseFacts {
        system: Some(format!("Debian {}", lock.suite)),
        libc: version_of(lock, "libc6").and_then(libc),
        interpreters: interpreter(lock).into_iter().collect(),
        accounts: read_accounts(lock, accounts)?,
        ca_bundle: true,
        directories: [("etc", 0o755), ("home", 0o755), ("opt", 0o755), ("root", 0o700)]
            .map(directory)
            .to_vec(),
        ..BaseFacts::empty()
    };
    Ok(BaseImage { origin: None, config, layers: Vec::new(), facts })
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
    Some(Interpreter { path: format!("/usr/bin/python{minor}"), aliases, minor, full: Some(full.to_owned()) })
}

/// The users and groups that the package would set up.
fn read_accounts(lock: &DebianLock, mut file: ArtifactFile) -> Result<Accounts, LockError> {
    let package = lock.packages.iter().find(|package| package.name.as_str() == ACCOUNTS_PACKAGE);
    let package = package.expect("every base has the essential packages");
    let unpacked = UnpackedPackage::read(&package.name, &mut file.file, None)?;
    let entries = package_layer(lock.suite, lock.architecture, vec![(package, unpacked)])?;
    let mut texts: BTreeMap<String, String> = entries.into_iter().filter_map(text).collect();
    let mut take = |path: &str| texts.remove(path).unwrap_or_default();
    Ok(Accounts { passwd: take("etc/passwd"), group: take("etc/group") })
}

fn text(entry: TreeEntry) -> Option<(String, String)> {
    match entry.kind {
        TreeKind::File { content: Content::Bytes(bytes), .. } => {
            Some((entry.path.to_string(), String::from_utf8(bytes).ok()?))
        }
        _ => None,
    }
}
