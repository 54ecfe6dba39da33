//! Which Debian packages a base, or the compiler of bytecode, is made of (design D5, D6).

use std::collections::BTreeMap;
use std::fmt;
use std::time::{Duration, UNIX_EPOCH};

use bytes::Bytes;
use imagewright_debian::{
    Architecture, DebianError, DebianLock, DebianPackage, Fetch, FetchError, Mirrors, PackageFiles, Releases,
    Suite,
};
use imagewright_oci::{Digest, canonical_json};
use imagewright_store::{ArtifactFile, DocumentKind, Store};
use serde::{Deserialize, Serialize};
use url::Url;

use crate::LockError;
use crate::download::{DownloadError, Downloads, Transfer, Wanted};
use crate::lease::lease;
use crate::python::Refresh;

/// A solution, and the state of the archive that it is for.
const SOLUTION: DocumentKind = DocumentKind("debian-solution");
/// How long the archive's state is taken as known, in seconds; the same as for pages of package indexes.
const FRESH: u64 = 600;

/// Solves packages out of Debian's archive.
#[derive(Clone, Copy, Debug)]
pub struct DebianResolver<'a> {
    /// Keeps solutions.
    pub store: &'a Store,
    /// The network.
    pub downloads: &'a Downloads,
    /// Where the archive is.
    pub mirrors: &'a Mirrors,
    /// Whether the archive's state is asked for anew.
    pub refresh: Refresh,
    /// Whether only what is known may be used.
    pub offline: bool,
}

/// What packages are wanted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// A base without Python.
    Userland,
    /// A base with the suite's Python.
    Python,
    /// The interpreter that compiles bytecode.
    Compiler,
    /// What a base lacks to build from source.
    Tools,
    /// The same, with the headers of the suite's Python.
    ToolsForPython,
    /// What a base lacks to read the history of a repository.
    Git,
}

impl fmt::Display for Purpose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Userland | Self::Python => "the base",
            Self::Compiler => "the compiler",
            Self::Tools | Self::ToolsForPython | Self::Git => "building from source",
        })
    }
}

#[derive(Serialize, Deserialize)]
struct Solution {
    checked: u64,
    state: Digest,
    lock: DebianLock,
}

impl DebianResolver<'_> {
    /// The packages for a purpose: a solution is made anew only when the archive has changed.
    pub async fn solve(
        &self,
        suite: Suite,
        architecture: Architecture,
        purpose: Purpose,
    ) -> Result<DebianLock, LockError> {
        let now = self.store.now();
        let known = self.known(suite, architecture, purpose)?;
        let is_fresh =
            |known: &&Solution| self.refresh == Refresh::WhenOld && now.saturating_sub(known.checked) < FRESH;
        if let Some(known) = known.as_ref().filter(|known| is_fresh(known) || self.offline) {
            return Ok(known.lock.clone());
        }
        let lease =
            lease(self.store, Digest::of(&canonical_json(&("solution", suite, architecture, purpose))))
                .await?;
        let known = self.known(suite, architecture, purpose)?;
        // What somebody else has asked for meanwhile is new, whatever is new enough.
        let is_new = |known: &&Solution| !lease.waited().is_zero() && known.checked >= now;
        if let Some(known) = known.as_ref().filter(|known| is_fresh(known) || is_new(known)) {
            return Ok(known.lock.clone());
        }
        let subject = format!("Debian's package lists, {suite} for {architecture}, for {purpose}");
        self.downloads.tell(Transfer::Started { subject: &subject });
        let (fetch, releases) = self.releases(suite).await?;
        let state = releases.state(architecture)?;
        let lock = match known.filter(|known| known.state == state) {
            Some(known) => known.lock,
            None => {
                solution(releases.fetch_packages(&fetch, self.mirrors, architecture).await?, suite, purpose)
                    .await?
            }
        };
        self.downloads.tell(Transfer::Ended { subject: &subject });
        let solution = Solution { checked: now, state, lock: lock.clone() };
        self.store.put_document(SOLUTION, &key(suite, architecture, purpose), &solution)?;
        Ok(lock)
    }

    /// Whether the archive has every package of locks that nobody here made: as solutions of this machine do, else by
    /// its signed indexes.
    pub(crate) async fn confirms(&self, locks: &[&DebianLock]) -> Result<bool, LockError> {
        let mut unknown: BTreeMap<(Suite, Architecture), Vec<DebianLock>> = BTreeMap::new();
        for &lock in locks {
            if !self.is_solution(lock)? {
                unknown.entry((lock.suite, lock.architecture)).or_default().push(lock.clone());
            }
        }
        for ((suite, architecture), locks) in unknown {
            let subject = format!("Debian's package lists, {suite} for {architecture}, for an attached lock");
            self.downloads.tell(Transfer::Started { subject: &subject });
            let (fetch, releases) = self.releases(suite).await?;
            let files = releases.fetch_packages(&fetch, self.mirrors, architecture).await?;
            if !tokio::task::spawn_blocking(move || lists(&files, &locks))
                .await
                .expect("reading indexes does not panic")?
            {
                return Ok(false);
            }
            self.downloads.tell(Transfer::Ended { subject: &subject });
        }
        Ok(true)
    }

    fn is_solution(&self, lock: &DebianLock) -> Result<bool, LockError> {
        for purpose in [Purpose::Userland, Purpose::Python, Purpose::Compiler] {
            let known = self.known(lock.suite, lock.architecture, purpose)?;
            if known.is_some_and(|known| known.lock == *lock) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn known(
        &self,
        suite: Suite,
        architecture: Architecture,
        purpose: Purpose,
    ) -> Result<Option<Solution>, LockError> {
        Ok(self.store.document(SOLUTION, &key(suite, architecture, purpose))?)
    }

    async fn releases(&self, suite: Suite) -> Result<(ArchiveFetch<'_>, Releases), LockError> {
        let fetch = ArchiveFetch { downloads: self.downloads };
        let time = UNIX_EPOCH + Duration::from_secs(self.store.now());
        let releases = Releases::fetch(&fetch, self.mirrors, suite, time).await?;
        Ok((fetch, releases))
    }
}

fn key(suite: Suite, architecture: Architecture, purpose: Purpose) -> Digest {
    Digest::of(&canonical_json(&(suite, architecture, purpose)))
}

fn lists(files: &PackageFiles, locks: &[DebianLock]) -> Result<bool, DebianError> {
    let archive = files.read()?;
    for lock in locks {
        if !archive.lists(lock)? {
            return Ok(false);
        }
    }
    Ok(true)
}

async fn solution(files: PackageFiles, suite: Suite, purpose: Purpose) -> Result<DebianLock, LockError> {
    let solved = tokio::task::spawn_blocking(move || {
        let archive = files.read()?;
        match purpose {
            Purpose::Userland => archive.base(None),
            Purpose::Python => archive.base(Some(suite.python())),
            Purpose::Compiler => archive.compiler(),
            Purpose::Tools => archive.tools(None),
            Purpose::ToolsForPython => archive.tools(Some(suite.python())),
            Purpose::Git => archive.git(),
        }
    });
    Ok(solved.await.expect("solving does not panic")?)
}

/// A package file, from the store or a mirror.
pub async fn debian_artifact(
    downloads: &Downloads,
    mirrors: &Mirrors,
    package: &DebianPackage,
) -> Result<ArtifactFile, LockError> {
    let url = mirrors.url(package.pocket, &package.filename)?;
    let wanted = Wanted { url: &url, file_name: package.file_name(), digest: Some(package.sha256) };
    downloads.artifact(&wanted).await.map_err(|error| match error {
        DownloadError::Refused { status, server, .. } if matches!(status.as_u16(), 404 | 410) => {
            LockError::PackageGone {
                name: package.name.to_string(),
                version: package.version.to_string(),
                server,
            }
        }
        error => error.into(),
    })
}

struct ArchiveFetch<'a> {
    downloads: &'a Downloads,
}

impl Fetch for ArchiveFetch<'_> {
    async fn get(&self, url: &Url) -> Result<Bytes, FetchError> {
        let file_name = url.path_segments().and_then(Iterator::last).unwrap_or_default();
        let wanted = Wanted { url, file_name, digest: None };
        match self.downloads.document(&wanted).await {
            Ok(Some(bytes)) => Ok(bytes.into()),
            Ok(None) => Err(FetchError::NotFound),
            Err(error) => Err(FetchError::Transfer { source: Box::new(error) }),
        }
    }
}
