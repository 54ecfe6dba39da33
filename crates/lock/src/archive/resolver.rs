use std::collections::{BTreeMap, BTreeSet};

use imagewright_pypa::{PythonMinor, PythonVersion};
use imagewright_store::{ArtifactFile, Store};

use super::checksums::checksums;
use super::listing::{Listed, listing};
use super::{InterpreterArchive, PythonMirror, Triple};
use crate::LockError;
use crate::download::{Downloads, Wanted};
use crate::uv::{Host, Uv};

/// Chooses archives and pins them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ArchiveResolver<'a> {
    pub(crate) store: &'a Store,
    pub(crate) downloads: &'a Downloads,
    pub(crate) mirror: &'a PythonMirror,
    pub(crate) uv: &'a Uv,
    pub(crate) host: &'a Host,
}

impl ArchiveResolver<'_> {
    /// The newest archive of a version with programs for `triple`.
    pub(crate) async fn interpreter(
        &self,
        wanted: PythonVersion,
        triple: &Triple,
    ) -> Result<InterpreterArchive, LockError> {
        let listed = listing(self.uv, self.host, Some(wanted.minor)).await?;
        if let Some(found) = newest(&listed, wanted, triple) {
            return self.pin(found).await;
        }
        let newest = newest(&listed, wanted.minor.into(), triple).map(|other| other.version);
        let minors = if newest.is_none() { self.minors(triple).await? } else { Vec::new() };
        Err(LockError::NoArchive { version: wanted, triple: triple.clone(), newest, minors })
    }

    /// The archives of one version, for every machine that images are built on and that the release serves: so
    /// that the lock is the same wherever it is made.
    pub(crate) async fn compilers(
        &self,
        wanted: PythonVersion,
    ) -> Result<BTreeMap<Triple, InterpreterArchive>, LockError> {
        let own = Triple::of_this_machine();
        let listed = listing(self.uv, self.host, Some(wanted.minor)).await?;
        let found = newest(&listed, wanted, &own).ok_or_else(|| LockError::NoArchive {
            version: wanted,
            triple: own.clone(),
            newest: None,
            minors: Vec::new(),
        })?;
        let own_archive = self.pin(found).await?;
        let mut archives = BTreeMap::from([(own, own_archive)]);
        for triple in Triple::of_all_machines() {
            let same_release =
                |one: &&Listed| one.path.release() == found.path.release() && one.triple == triple;
            if !archives.contains_key(&triple)
                && let Some(other) =
                    listed.iter().filter(same_release).find(|one| one.version == found.version)
                && let Some(archive) = self.pin_if_there(other).await?
            {
                archives.insert(triple, archive);
            }
        }
        Ok(archives)
    }

    /// The minor releases that there are for `triple`, the oldest first.
    async fn minors(&self, triple: &Triple) -> Result<Vec<PythonMinor>, LockError> {
        let listed = listing(self.uv, self.host, None).await?;
        let minors: BTreeSet<PythonMinor> =
            listed.iter().filter(|one| one.triple == *triple).map(|one| one.version.minor).collect();
        Ok(minors.into_iter().collect())
    }

    /// Whether the mirror has an archive of a lock that nobody here made.
    pub(crate) async fn confirms(&self, archive: &InterpreterArchive) -> Result<bool, LockError> {
        let (release, file_name) = (archive.path.release(), archive.path.file_name());
        // The file says its version, and that the lock says the same is what others rely on.
        if !file_name.starts_with(&format!("cpython-{}+", archive.version)) {
            return Ok(false);
        }
        match checksums(self.store, self.downloads, self.mirror, release, file_name).await {
            Ok(known) => Ok(known[file_name] == archive.sha256),
            Err(LockError::NoChecksum { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    async fn pin(&self, listed: &Listed) -> Result<InterpreterArchive, LockError> {
        let (release, file_name) = (listed.path.release(), listed.path.file_name());
        let known = checksums(self.store, self.downloads, self.mirror, release, file_name).await?;
        Ok(listed.pinned(known[file_name]))
    }

    /// Nothing when the mirror does not have this one.
    async fn pin_if_there(&self, listed: &Listed) -> Result<Option<InterpreterArchive>, LockError> {
        match self.pin(listed).await {
            Ok(archive) => Ok(Some(archive)),
            Err(LockError::NoChecksum { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// The newest of a version and, of equal versions, of the newest release.
fn newest<'a>(listed: &'a [Listed], wanted: PythonVersion, triple: &Triple) -> Option<&'a Listed> {
    let fitting = listed.iter().filter(|one| wanted.accepts(&one.version) && one.triple == *triple);
    fitting.max_by_key(|one| (one.version, one.path.release()))
}

impl Listed {
    fn pinned(&self, sha256: imagewright_oci::Digest) -> InterpreterArchive {
        InterpreterArchive { version: self.version, path: self.path.clone(), sha256 }
    }
}

/// An archive, from the store or the mirror.
pub async fn interpreter_artifact(
    downloads: &Downloads,
    mirror: &PythonMirror,
    archive: &InterpreterArchive,
) -> Result<ArtifactFile, LockError> {
    let url = mirror.url(archive.path.as_str());
    let wanted = Wanted { url: &url, file_name: archive.path.file_name(), digest: Some(archive.sha256) };
    downloads.artifact(&wanted).await.map_err(|source| LockError::Archive {
        file_name: archive.path.file_name().to_owned(),
        source: Box::new(source),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(version: &str, release: &str, triple: &str) -> Listed {
        Listed {
            version: version.parse().unwrap(),
            triple: Triple(triple.to_owned()),
            path: format!("{release}/cpython-{version}+{release}-{triple}-install_only.tar.gz")
                .parse()
                .unwrap(),
        }
    }

    #[test]
    fn a_minor_release_means_its_newest() {
        let (gnu, musl) = ("x86_64-unknown-linux-gnu", "x86_64-unknown-linux-musl");
        let all = [
            listed("3.12.4", "20240726", gnu),
            listed("3.12.10", "20250409", gnu),
            listed("3.12.10", "20250412", gnu),
            listed("3.12.11", "20250612", musl),
        ];
        let found = |wanted: &str, triple: &str| {
            let found = newest(&all, wanted.parse().unwrap(), &Triple(triple.to_owned()));
            found.map(|one| format!("{} {}", one.version, one.path.release()))
        };
        assert_eq!(found("3.12", gnu).as_deref(), Some("3.12.10 20250412"));
        assert_eq!(found("3.12", musl).as_deref(), Some("3.12.11 20250612"));
        assert_eq!(found("3.12.4", gnu).as_deref(), Some("3.12.4 20240726"));
        assert_eq!(found("3.12.5", gnu), None);
        assert_eq!(found("3.11", gnu), None);
    }
}
