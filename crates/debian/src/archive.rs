use std::io::Read as _;
use std::time::SystemTime;

use bytes::Bytes;
use futures_util::future::try_join_all;
use imagewright_oci::{Digest, Hasher};
use imagewright_pypa::PythonMinor;

use crate::index::PackageIndex;
use crate::release::{FileEntry, Release};
use crate::roots::{Roots, base_roots, compiler_roots, git_roots, tools_roots};
use crate::solve::solve;
use crate::{
    Architecture, DebianError, DebianLock, DebianPackage, Fetch, FetchError, Mirrors, PackageGroup, Pocket,
    Suite,
};

/// The signed indexes of a suite: what its archive holds at this time.
#[derive(Clone, Debug)]
pub struct Releases {
    suite: Suite,
    pockets: Vec<Release>,
}

/// The lists of packages of a suite for one architecture, checked and still compressed.
#[derive(Clone, Debug)]
pub struct PackageFiles {
    suite: Suite,
    architecture: Architecture,
    files: Vec<(Pocket, Bytes)>,
}

/// The packages of a suite for one architecture.
#[derive(Debug)]
pub struct Archive {
    suite: Suite,
    architecture: Architecture,
    indexes: Vec<PackageIndex>,
}

impl Releases {
    /// Fetches and checks the signed indexes of the release, its updates and its security updates.
    pub async fn fetch(
        fetch: &impl Fetch,
        mirrors: &Mirrors,
        suite: Suite,
        now: SystemTime,
    ) -> Result<Self, DebianError> {
        let documents = Pocket::ALL.map(|pocket| async move {
            let release = pocket.codename(suite);
            let url = mirrors.url(pocket, &format!("dists/{release}/InRelease"))?;
            match fetch.get(&url).await {
                Ok(bytes) => Ok((pocket, bytes)),
                Err(FetchError::NotFound) => Err(DebianError::NoRelease { release, url: url.into() }),
                Err(source) => Err(DebianError::Fetch { url: url.into(), source }),
            }
        });
        Self::verify(suite, &try_join_all(documents).await?, now)
    }

    /// Checks the three documents of a suite.
    pub fn verify(suite: Suite, documents: &[(Pocket, Bytes)], now: SystemTime) -> Result<Self, DebianError> {
        let releases = documents.iter().map(|(pocket, bytes)| {
            let text = std::str::from_utf8(bytes)
                .map_err(|_| DebianError::NotText { release: pocket.codename(suite) })?;
            Release::verify(text, suite, *pocket, now)
        });
        Ok(Self { suite, pockets: releases.collect::<Result<_, _>>()? })
    }

    /// Stands for all lists of packages of an architecture: with an equal digest, a solution is equal too.
    pub fn state(&self, architecture: Architecture) -> Result<Digest, DebianError> {
        let mut hasher = Hasher::new();
        for release in &self.pockets {
            hasher.update(release.packages_file(architecture)?.1.digest.as_bytes());
        }
        Ok(hasher.finish())
    }

    /// Fetches the lists of packages for an architecture, by hash where the archive has them by hash.
    pub async fn fetch_packages(
        &self,
        fetch: &impl Fetch,
        mirrors: &Mirrors,
        architecture: Architecture,
    ) -> Result<PackageFiles, DebianError> {
        let files = self.pockets.iter().map(|release| async move {
            Ok((release.pocket, fetch_listed(fetch, mirrors, release, architecture).await?))
        });
        Ok(PackageFiles { suite: self.suite, architecture, files: try_join_all(files).await? })
    }
}

impl PackageFiles {
    /// Decompresses the lists and notes where each package is: most of a second of work that blocks.
    pub fn read(&self) -> Result<Archive, DebianError> {
        let indexes = self.files.iter().map(|(pocket, bytes)| {
            let release = || pocket.codename(self.suite);
            let mut text = String::new();
            liblzma::read::XzDecoder::new(bytes.as_ref())
                .read_to_string(&mut text)
                .map_err(|source| DebianError::Decompress { release: release(), source })?;
            PackageIndex::new(*pocket, text)
        });
        let indexes = indexes.collect::<Result<_, _>>()?;
        Ok(Archive { suite: self.suite, architecture: self.architecture, indexes })
    }
}

impl Archive {
    /// The packages of a base, with the suite's Python or without one.
    pub fn base(&self, python: Option<PythonMinor>) -> Result<DebianLock, DebianError> {
        match python {
            Some(python) if python != self.suite.python() => {
                Err(DebianError::NoPython { suite: self.suite, python })
            }
            _ => self.solve(&base_roots(self.suite, python)),
        }
    }

    /// The packages of the interpreter that compiles bytecode for the suite's Python.
    pub fn compiler(&self) -> Result<DebianLock, DebianError> {
        self.solve(&compiler_roots(self.suite.python()))
    }

    /// The packages that building from source needs above a base, with the headers of the suite's Python or without.
    pub fn tools(&self, python: Option<PythonMinor>) -> Result<DebianLock, DebianError> {
        self.only_tools(&tools_roots(self.suite, python))
    }

    /// The packages that git needs above a base.
    pub fn git(&self) -> Result<DebianLock, DebianError> {
        self.only_tools(&git_roots(self.suite))
    }

    fn only_tools(&self, roots: &[Roots]) -> Result<DebianLock, DebianError> {
        let mut lock = self.solve(roots)?;
        lock.packages.retain(|package| package.group == PackageGroup::Tools);
        Ok(lock)
    }

    /// Whether every package of a lock is listed here, with the same file.
    pub fn lists(&self, lock: &DebianLock) -> Result<bool, DebianError> {
        if (lock.suite, lock.architecture) != (self.suite, self.architecture) {
            return Ok(false);
        }
        for package in &lock.packages {
            if !self.lists_package(package)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn lists_package(&self, package: &DebianPackage) -> Result<bool, DebianError> {
        for index in &self.indexes {
            for entry in index.named(package.name.as_str()) {
                if entry?.package(package.group)? == *package {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    /// The packages that any roots need.
    fn solve(&self, roots: &[Roots]) -> Result<DebianLock, DebianError> {
        let packages = solve(&self.indexes, roots)?;
        Ok(DebianLock { suite: self.suite, architecture: self.architecture, packages })
    }
}

async fn fetch_listed(
    fetch: &impl Fetch,
    mirrors: &Mirrors,
    release: &Release,
    architecture: Architecture,
) -> Result<Bytes, DebianError> {
    let (path, entry) = release.packages_file(architecture)?;
    let folder = format!("dists/{}", release.codename);
    let by_hash =
        path.rsplit_once('/').map(|(parent, _)| format!("{parent}/by-hash/SHA256/{}", entry.digest.hex()));
    // A mirror need not have the file by hash; the plain name is the same file unless an update is under way.
    for path in by_hash.filter(|_| release.by_hash).iter().chain([&path]) {
        let url = mirrors.url(release.pocket, &format!("{folder}/{path}"))?;
        match fetch.get(&url).await {
            Ok(bytes) => {
                check(&format!("{folder}/{path}"), entry, &bytes)?;
                return Ok(bytes);
            }
            Err(FetchError::NotFound) => {}
            Err(source) => return Err(DebianError::Fetch { url: url.into(), source }),
        }
    }
    let url = mirrors.url(release.pocket, &format!("{folder}/{path}"))?;
    Err(DebianError::NoRelease { release: release.codename.clone(), url: url.into() })
}

fn check(what: &str, expected: FileEntry, bytes: &[u8]) -> Result<(), DebianError> {
    let (what, found) = (what.to_owned(), bytes.len() as u64);
    if found != expected.size {
        return Err(DebianError::WrongSize { what, expected: expected.size, found });
    }
    match Digest::of(bytes) {
        digest if digest == expected.digest => Ok(()),
        digest => Err(DebianError::WrongDigest { what, expected: expected.digest, found: digest }),
    }
}
