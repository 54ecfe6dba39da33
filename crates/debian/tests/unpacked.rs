//! Bases and compilers out of the real archive.

use std::io::Read;
use std::num::NonZeroUsize;
use std::path::Path;
use std::process::Command;

use bytes::Bytes;
use imagewright_debian::{
    Architecture, Archive, DebianLock, DebianName, DebianPackage, Fetch, FetchError, Mirrors, PackageRecord,
    Pocket, Releases, Spool, Suite, UnpackedPackage, database_layer, package_layer, unpack_packages,
};
use imagewright_layer::{EncodeOptions, TreeEntry, encode_tree};
use imagewright_oci::{DiffId, Digest};

use crate::network::{CachingFetch, block_on, now};

/// A base with the packages that it is made of.
pub(crate) struct Base {
    pub(crate) lock: DebianLock,
    files: Vec<(DebianPackage, Bytes)>,
}

/// What a lock of the archive is wanted for.
#[derive(Clone, Copy)]
pub(crate) enum Purpose {
    Base,
    Compiler,
}

impl Base {
    pub(crate) fn fetch(
        mirrors: &Mirrors,
        suite: Suite,
        architecture: Architecture,
        purpose: Purpose,
    ) -> Self {
        Self::fetch_some(mirrors, suite, architecture, purpose, |_| true)
    }

    /// A base of whose packages only some are fetched.
    pub(crate) fn fetch_some(
        mirrors: &Mirrors,
        suite: Suite,
        architecture: Architecture,
        purpose: Purpose,
        is_wanted: impl Fn(&DebianPackage) -> bool + Copy,
    ) -> Self {
        let fetch = CachingFetch::new();
        block_on(async {
            let releases = Releases::fetch(&fetch, mirrors, suite, now()).await.unwrap();
            let archive = read(&fetch, mirrors, &releases, architecture).await;
            let lock = match purpose {
                Purpose::Base => archive.base(Some(suite.python())).unwrap(),
                Purpose::Compiler => archive.compiler().unwrap(),
            };
            match Self::of(&fetch, mirrors, lock, is_wanted).await {
                Err(gone) if suite.warning().is_some() => {
                    println!(
                        "{suite} {architecture}: the mirror lacks {gone}; taking the release without updates"
                    );
                    Self::without_updates(&fetch, mirrors, suite, architecture).await
                }
                base => base.unwrap(),
            }
        })
    }

    /// The base of a lock; else the package that the mirror no longer has.
    async fn of(
        fetch: &CachingFetch,
        mirrors: &Mirrors,
        lock: DebianLock,
        is_wanted: impl Fn(&DebianPackage) -> bool,
    ) -> Result<Self, DebianName> {
        let mut files = Vec::new();
        for package in lock.packages.iter().filter(|package| is_wanted(package)) {
            let url = mirrors.url(package.pocket, &package.filename).unwrap();
            let bytes = match fetch.get(&url).await {
                Err(FetchError::NotFound) => return Err(package.name.clone()),
                bytes => bytes.unwrap(),
            };
            assert_eq!(Digest::of(&bytes), package.sha256, "{url}");
            files.push((package.clone(), bytes));
        }
        Ok(Self { lock, files })
    }

    /// Mirrors drop the security updates of a release that has ended before they drop the release.
    async fn without_updates(
        fetch: &CachingFetch,
        mirrors: &Mirrors,
        suite: Suite,
        architecture: Architecture,
    ) -> Self {
        let url = mirrors.url(Pocket::Main, &format!("dists/{suite}/InRelease")).unwrap();
        let document = [(Pocket::Main, fetch.get(&url).await.unwrap())];
        let releases = Releases::verify(suite, &document, now()).unwrap();
        let archive = read(fetch, mirrors, &releases, architecture).await;
        Self::of(fetch, mirrors, archive.base(Some(suite.python())).unwrap(), |_| true).await.unwrap()
    }

    pub(crate) fn unpack<'a>(
        &self,
        packages: &[&'a DebianPackage],
    ) -> Vec<(&'a DebianPackage, UnpackedPackage)> {
        let open = |package: &DebianPackage| -> std::io::Result<Box<dyn Read>> {
            let (_, bytes) = self.files.iter().find(|(of, _)| of == package).unwrap();
            Ok(Box::new(std::io::Cursor::new(bytes.clone())))
        };
        let spool = Spool::new(fs_err::File::from_parts(tempfile::tempfile().unwrap(), "spool"));
        unpack_packages(packages, &open, &spool, 2).unwrap()
    }

    /// The layers of the base, lowest first.
    pub(crate) fn layers(&self) -> Vec<(&'static str, Vec<TreeEntry>)> {
        let (suite, architecture) = (self.lock.suite, self.lock.architecture);
        let mut layers = Vec::new();
        let mut records = Vec::new();
        for (group, packages) in self.lock.groups() {
            let unpacked = self.unpack(&packages);
            records.extend(
                unpacked.iter().map(|(package, unpacked)| PackageRecord::of(package, unpacked).unwrap()),
            );
            layers.push((group.as_str(), package_layer(suite, architecture, unpacked).unwrap()));
        }
        layers.push(("database", database_layer(records)));
        layers
    }

    /// Writes the layers as an engine would: each is encoded, and unpacked with tar over those before it.
    pub(crate) fn write(&self, root: &Path) -> Vec<(&'static str, DiffId)> {
        let encode = |(name, entries)| {
            let file = root.with_extension("layer");
            let diff_id = encode(entries, &mut fs_err::File::create(&file).unwrap());
            let mut tar = tar();
            run(tar.arg("--extract").arg("--file").arg(&file).arg("--directory").arg(root));
            (name, diff_id)
        };
        self.layers().into_iter().map(encode).collect()
    }
}

async fn read(
    fetch: &CachingFetch,
    mirrors: &Mirrors,
    releases: &Releases,
    architecture: Architecture,
) -> Archive {
    releases.fetch_packages(fetch, mirrors, architecture).await.unwrap().read().unwrap()
}

/// The diff id of a layer, whose bytes go to `inline`.
pub(crate) fn encode(entries: Vec<TreeEntry>, inline: &mut dyn std::io::Write) -> DiffId {
    let options = EncodeOptions { epoch: 315_532_800, threads: NonZeroUsize::new(2).unwrap() };
    encode_tree(entries, &options, inline).unwrap().diff_id
}

#[expect(clippy::disallowed_methods, reason = "layers are unpacked with GNU tar, as a peer")]
fn tar() -> Command {
    let mut tar = Command::new("tar");
    tar.args(["--gzip", "--preserve-permissions", "--numeric-owner", "--keep-directory-symlink"]);
    tar
}

/// Runs a command and returns its output; what it said is shown if it fails.
#[track_caller]
pub(crate) fn run(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{command:?}: {}\n{out}\n{err}", output.status);
    out.into_owned()
}
