//! Commits of repositories, by the git of this machine, with the user's own access to them.
//!
//! The store has a copy of each repository. Whoever has the lease of its address reads and writes it, so that builds
//! at the same time do not meet in it.

mod address;
mod copy;
mod run;
mod submodules;
#[cfg(test)]
mod tests;

use std::path::Path;

use imagewright_oci::Digest;
use imagewright_store::Store;

use super::SourceError;
use super::document::Commit;
use crate::LockError;
use crate::python::IndexSettings;
use crate::uv::Host;

pub(super) use self::address::Address;
use self::copy::RepositoryCopy;

/// The branches and tags of a repository, and what else was asked for, as far as they are known here.
#[derive(Debug)]
pub(super) struct Repository<'a> {
    pub(super) address: Address,
    pub(super) store: &'a Store,
    pub(super) host: &'a Host,
    /// Hold what the user wrote of passwords.
    pub(super) indexes: &'a IndexSettings,
    pub(super) offline: bool,
    /// Whether the user named it, or another repository: git asks less of what its user names.
    pub(super) is_users: bool,
}

/// Where the repository's own `HEAD` is in the copy.
const FIRST: &str = "refs/imagewright/head";

impl Repository<'_> {
    /// The commit that a revision is now; without one, the commit that the repository shows first.
    pub(super) async fn resolve(&self, revision: Option<&str>) -> Result<Commit, LockError> {
        let copy = self.copy().await?;
        let Some(revision) = revision.filter(|&revision| revision != "HEAD") else {
            self.update(&copy, &[&format!("+HEAD:{FIRST}")]).await?;
            return self.known(&copy, FIRST).await?.ok_or_else(|| self.lacks("HEAD"));
        };
        self.update(&copy, &[]).await?;
        for name in [&format!("refs/heads/{revision}"), &format!("refs/tags/{revision}"), revision] {
            if let Some(commit) = self.known(&copy, name).await? {
                return Ok(commit);
            }
        }
        // A commit that no branch has any more, or a reference beside branches and tags.
        let wanted = format!("refs/imagewright/wanted/{}", Digest::of(revision.as_bytes()).hex());
        let may_be_had = revision.starts_with("refs/") || Commit::parse(revision).is_some();
        if may_be_had && !self.offline {
            // It was reached just now: what it refuses, it does not have.
            match self.fetch(&copy, &[&format!("+{revision}:{wanted}")]).await {
                Err(LockError::Source(SourceError::Git { .. })) => return Err(self.lacks(revision)),
                result => result?,
            }
        }
        self.known(&copy, &wanted).await?.ok_or_else(|| self.lacks(revision))
    }

    /// Lays out the files of a commit in `folder`, with those of its submodules, and with what tools read versions
    /// from: its history, and the tags in that.
    pub(super) async fn check_out(&self, commit: &Commit, folder: &Path) -> Result<(), LockError> {
        let copy = self.copy().await?;
        if self.known(&copy, commit.as_str()).await?.is_none() {
            self.update(&copy, &[]).await?;
        }
        let pinned = format!("refs/imagewright/pinned/{}", commit.as_str());
        if self.known(&copy, commit.as_str()).await?.is_none() {
            if self.offline {
                return Err(self.lacks(commit.as_str()));
            }
            self.fetch(&copy, &[&format!("+{}:{pinned}", commit.as_str())]).await?;
        }
        self.done(&["update-ref", &pinned, commit.as_str()], &copy.path).await?;
        self.done(&["init", "--quiet", "--template=", "."], folder).await?;
        let path = copy.path.display().to_string();
        // The tags that lead to what is fetched come with it. A submodule's address may be no folder; its copy is one.
        let fetch = ["-c", "protocol.file.allow=always", "fetch", "--quiet", "--", &path];
        self.done(&[&fetch[..], &[&format!("+{pinned}:{pinned}")]].concat(), folder).await?;
        drop(copy);
        self.done(&["remote", "add", "--", "origin", self.address.as_str()], folder).await?;
        self.done(&["checkout", "--quiet", "--force", "--detach", commit.as_str()], folder).await?;
        self.lay_out_submodules(folder).await
    }

    async fn copy(&self) -> Result<RepositoryCopy, LockError> {
        let copy = RepositoryCopy::take(self.store, &self.address).await?;
        let path = copy.path.display().to_string();
        self.done(&["init", "--quiet", "--bare", "--template=", "--", &path], &copy.folder).await?;
        Ok(copy)
    }

    /// Takes over all branches and tags, and `further`; those that are gone there, go here.
    async fn update(&self, copy: &RepositoryCopy, further: &[&str]) -> Result<(), LockError> {
        if self.offline {
            return Ok(());
        }
        let all = ["+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*"];
        self.fetch(copy, &[&all, further].concat()).await
    }

    async fn fetch(&self, copy: &RepositoryCopy, names: &[&str]) -> Result<(), LockError> {
        let fixed = ["fetch", "--quiet", "--force", "--no-tags", "--prune", "--", self.address.as_str()];
        self.done(&[&fixed, names].concat(), &copy.path).await?;
        Ok(())
    }

    async fn known(&self, copy: &RepositoryCopy, name: &str) -> Result<Option<Commit>, SourceError> {
        let commit = format!("{name}^{{commit}}");
        let arguments = ["rev-parse", "--quiet", "--verify", "--end-of-options", &commit];
        let finished = self.run(&arguments, &copy.path).await?;
        // Some releases of git repeat the words before what they mean.
        let found = finished.stdout.lines().last().and_then(|line| Commit::parse(line.trim()));
        Ok(found.filter(|_| finished.status.success()))
    }

    fn lacks(&self, revision: &str) -> LockError {
        let (url, revision) = (self.address.to_string(), revision.to_owned());
        if self.offline {
            return SourceError::Offline { url, revision }.into();
        }
        SourceError::NoRevision { url, revision }.into()
    }
}
