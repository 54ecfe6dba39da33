//! Sources, pinned and laid out as folders.

use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use imagewright_oci::{Digest, Hasher};
use imagewright_spec::{Field, Source, SourceEntry, SourceTree, below, clean, project};
use imagewright_store::{ArtifactFile, ScratchDirectory, Store};
use url::Url;

use super::archive::{set_mode, unpack};
use super::git::{Address, Repository};
use super::project::folder;
use super::{SourceError, SourcePin, WheelBuild};
use crate::LockError;
use crate::download::{Downloads, Wanted};
use crate::python::{IndexSettings, SourceLocation, SourceRequirement};
use crate::uv::Host;

/// Fetches sources.
#[derive(Clone, Copy, Debug)]
pub struct SourceFetcher<'a> {
    /// Keeps archives and copies of repositories.
    pub store: &'a Store,
    /// The network.
    pub downloads: &'a Downloads,
    /// The indexes, which know what the user wrote of passwords.
    pub indexes: &'a IndexSettings,
    /// The machine.
    pub host: &'a Host,
    /// Files that are about the image and not of it, its lock: they are no part of a project.
    pub left_out: &'a [PathBuf],
    /// Whether the network may not be used.
    pub offline: bool,
}

/// A source, laid out. It goes with the returned value.
#[derive(Debug)]
pub struct SourceFolder {
    _scratch: ScratchDirectory,
    /// Its top.
    pub top: PathBuf,
    /// Where the project in it is.
    pub project: PathBuf,
}

impl SourceFetcher<'_> {
    /// Pins what a requirement names.
    pub(super) async fn pin(&self, wanted: &SourceRequirement) -> Result<SourcePin, LockError> {
        let pin = match &wanted.location {
            SourceLocation::Git { url, revision } => {
                let commit = self.repository(url).resolve(revision.as_deref()).await?;
                SourcePin::Git { url: url.clone(), revision: revision.clone(), commit }
            }
            SourceLocation::Folder { path } => {
                let digest = self.folder(path)?.tree.digest();
                SourcePin::Folder { path: self.relative(path), digest }
            }
            SourceLocation::File { path } => {
                let url = Url::from_file_path(self.host.absolute(path)).expect("it is absolute");
                let artifact = self.artifact(&url, None).await?;
                SourcePin::File { path: self.relative(path), sha256: artifact.digest }
            }
            SourceLocation::Archive { url } => {
                let known = match &wanted.hashes[..] {
                    [one] => Some(*one),
                    _ => None,
                };
                let artifact = self.artifact(url, known).await?;
                SourcePin::Archive { url: url.clone(), sha256: artifact.digest }
            }
        };
        if let SourcePin::File { sha256, .. } | SourcePin::Archive { sha256, .. } = &pin
            && !wanted.hashes.is_empty()
            && !wanted.hashes.contains(sha256)
        {
            let (source_name, allowed) = (pin.to_string(), wanted.hashes.clone());
            return Err(SourceError::HashMismatch { source_name, allowed, found: *sha256 }.into());
        }
        Ok(pin)
    }

    /// Lays out the source of a build, as it was pinned.
    pub async fn lay_out(&self, build: &WheelBuild) -> Result<SourceFolder, LockError> {
        let scratch = self.store.scratch_directory()?;
        let target = scratch.path().join("source");
        let files = |source| SourceError::Files { source_name: build.source.to_string(), source };
        fs_err::create_dir(&target).map_err(files)?;
        let top = match &build.source {
            SourcePin::Git { url, commit, .. } => {
                self.repository(url).check_out(commit, &target).await?;
                target
            }
            SourcePin::Folder { path, digest } => {
                let source = self.folder(path)?;
                if source.tree.digest() != *digest {
                    return Err(SourceError::Changed { source_name: build.source.to_string() }.into());
                }
                copy(&source, build, &target)?;
                target
            }
            SourcePin::File { path, sha256 } => {
                let url = Url::from_file_path(self.host.absolute(path)).expect("it is absolute");
                self.unpacked(build, self.artifact(&url, Some(*sha256)).await?, &target).await?
            }
            SourcePin::Archive { url, sha256 } => {
                self.unpacked(build, self.artifact(url, Some(*sha256)).await?, &target).await?
            }
        };
        let project = folder(&top, build)?;
        Ok(SourceFolder { _scratch: scratch, top, project })
    }

    async fn unpacked(
        &self,
        build: &WheelBuild,
        archive: ArtifactFile,
        target: &Path,
    ) -> Result<PathBuf, LockError> {
        let (name, target) = (archive.file_name.clone(), target.to_owned());
        let file = archive.file;
        let unpacking = tokio::task::spawn_blocking(move || unpack(file, &name, &target));
        let unpacked = unpacking.await.expect("unpacking does not panic");
        let source_name = || build.source.to_string();
        Ok(unpacked.map_err(|source| SourceError::Archive { source_name: source_name(), source })?)
    }

    async fn artifact(&self, url: &Url, digest: Option<Digest>) -> Result<ArtifactFile, LockError> {
        let path = percent_encoding::percent_decode_str(url.path()).decode_utf8_lossy();
        let file_name = path.rsplit('/').next().unwrap_or_default().to_owned();
        Ok(self.downloads.artifact(&Wanted { url, file_name: &file_name, digest }).await?)
    }

    fn repository(&self, url: &Url) -> Repository<'_> {
        let Self { store, indexes, host, offline, .. } = *self;
        Repository { address: Address::of(url), store, host, indexes, offline, is_users: true }
    }

    /// What of a folder is built: the same as would be copied.
    fn folder(&self, path: &Path) -> Result<Source, SourceError> {
        let path = self.host.absolute(path);
        let directory = self.host.working_directory();
        // The rules of the working directory are for paths in it.
        let shown = path.strip_prefix(directory).unwrap_or(&path);
        let shown = if shown.as_os_str().is_empty() { Path::new(SourceTree::TOP) } else { shown };
        Ok(project(Field::Packages, shown, directory, self.left_out)?)
    }

    /// Below the working directory, where machines may agree on it.
    fn relative(&self, path: &Path) -> PathBuf {
        let absolute = self.host.absolute(path);
        match absolute.strip_prefix(self.host.working_directory()) {
            Ok(below) => clean(below).into(),
            Err(_) => absolute,
        }
    }
}

/// Copies a folder as it was found, without what it ignores. A file that is not any more what was found fails, or a
/// wheel would be kept as that of another source.
fn copy(source: &Source, build: &WheelBuild, target: &Path) -> Result<(), SourceError> {
    let files = |source| SourceError::Files { source_name: build.source.to_string(), source };
    for (path, entry) in &source.tree.entries {
        let (from, to) = (below(&source.place, path), below(target, path));
        match entry {
            SourceEntry::Folder => fs_err::create_dir_all(to).map_err(files)?,
            SourceEntry::Link { target } => fs_err::os::unix::fs::symlink(target, to).map_err(files)?,
            SourceEntry::File { executable, digest, .. } => {
                if copy_file(&from, &to).map_err(files)? != *digest {
                    let (source_name, path) = (build.source.to_string(), path.clone());
                    return Err(SourceError::Unsteady { source_name, path });
                }
                set_mode(&to, *executable).map_err(files)?;
            }
        }
    }
    Ok(())
}

/// The digest of what was copied.
fn copy_file(from: &Path, to: &Path) -> io::Result<Digest> {
    let (mut from, mut to) = (fs_err::File::open(from)?, fs_err::File::create(to)?);
    let (mut hasher, mut buffer) = (Hasher::new(), vec![0; 64 * 1024]);
    loop {
        match from.read(&mut buffer)? {
            0 => return Ok(hasher.finish()),
            count => {
                hasher.update(&buffer[..count]);
                to.write_all(&buffer[..count])?;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use fs_err::os::unix::fs::symlink;
    use tempfile::TempDir;

    use super::*;
    use crate::wheel_build::Project;

    /// A folder with these files, and a build of it.
    fn source(files: &[(&str, &str)]) -> (TempDir, WheelBuild) {
        let folder = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = folder.path().join(path);
            fs_err::create_dir_all(path.parent().unwrap()).unwrap();
            fs_err::write(path, text).unwrap();
        }
        let source = SourcePin::Folder { path: "app".into(), digest: Digest::of(b"") };
        (folder, WheelBuild { source, subdirectory: None, requirements: Vec::new(), tools: None })
    }

    #[test]
    fn a_file_that_changes_while_it_is_copied_is_named() {
        let (folder, build) = source(&[("a.py", "one"), ("sub/b.py", "one")]);
        let found = project(Field::Packages, Path::new("."), folder.path(), &[]).unwrap();
        let copies = tempfile::tempdir().unwrap();
        copy(&found, &build, &copies.path().join("steady")).unwrap();
        assert_eq!(fs_err::read(copies.path().join("steady/sub/b.py")).unwrap(), b"one");
        fs_err::write(folder.path().join("sub/b.py"), "two").unwrap();
        let error = copy(&found, &build, &copies.path().join("unsteady")).unwrap_err();
        assert_eq!(error.to_string(), "`sub/b.py` in the folder `app` changed while it was copied");
    }

    #[test]
    fn links_in_a_source_are_followed_as_long_as_they_stay_in_it() {
        let (outside, _) = source(&[("secret.toml", "password = 'x"), ("setup.py", "")]);
        let store = Store::open(&outside.path().join("store"), 1).unwrap();
        let read = |prepare: &dyn Fn(&Path), subdirectory: &str| {
            let (top, mut build) = source(&[("shared.toml", "[project]\nname = 'a'\n")]);
            prepare(top.path());
            build.subdirectory = Some(subdirectory.to_owned());
            let project = folder(top.path(), &build)?;
            let scratch = store.scratch_directory().unwrap();
            Project::read(&SourceFolder { _scratch: scratch, top: top.path().to_owned(), project }, &build)
        };
        read(&|top| symlink("shared.toml", top.join("pyproject.toml")).unwrap(), ".").unwrap();
        let secret = outside.path().join("secret.toml");
        let error = read(&|top| symlink(&secret, top.join("pyproject.toml")).unwrap(), ".").unwrap_err();
        assert!(matches!(error, SourceError::Files { .. }), "{error}");
        let error = read(&|top| symlink(outside.path(), top.join("out")).unwrap(), "out").unwrap_err();
        assert!(matches!(error, SourceError::NoSubdirectory { .. }), "{error}");
    }
}
