//! Commits of repositories, by the git of this machine, with the user's own access to them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use imagewright_oci::Digest;
use url::Url;

use super::SourceError;
use super::document::Commit;
use crate::python::{Credentials, IndexSettings};
use crate::uv::{Finished, Host, Invocation, UvError};

/// A large repository on a slow line takes some minutes.
const LIMIT: Duration = Duration::from_mins(15);

/// The branches and tags of a repository, and what else was asked for, as far as they are known here.
#[derive(Debug)]
pub(super) struct Repository<'a> {
    pub(super) url: &'a Url,
    pub(super) host: &'a Host,
    /// Hold what the user wrote of passwords.
    pub(super) indexes: &'a IndexSettings,
    /// The folder of the store with copies of repositories.
    pub(super) cache: PathBuf,
    pub(super) offline: bool,
}

impl Repository<'_> {
    /// The commit that a revision is now; without one, the commit that the repository shows first.
    pub(super) async fn resolve(&self, revision: Option<&str>) -> Result<Commit, SourceError> {
        let copy = self.copy().await?;
        self.update(&copy).await?;
        let names = match revision {
            None => vec!["refs/imagewright/head".to_owned()],
            Some(revision) => {
                vec![format!("refs/heads/{revision}"), format!("refs/tags/{revision}"), revision.to_owned()]
            }
        };
        for name in &names {
            if let Some(commit) = self.known(&copy, name).await? {
                return Ok(commit);
            }
        }
        let shown = revision.unwrap_or("HEAD");
        // A commit that no branch has any more, or a reference beside branches and tags.
        if (shown.starts_with("refs/") || Commit::parse(shown).is_some())
            && self.fetch(&copy, &[&format!("+{shown}:refs/imagewright/asked")]).await.is_ok()
            && let Some(commit) = self.known(&copy, "refs/imagewright/asked").await?
        {
            return Ok(commit);
        }
        Err(SourceError::NoRevision { url: self.url.to_string(), revision: shown.to_owned() })
    }

    /// Lays out the files of a commit in `folder`, with those of its submodules, and with the history that tools
    /// read versions from.
    pub(super) async fn check_out(&self, commit: &Commit, folder: &Path) -> Result<(), SourceError> {
        let copy = self.copy().await?;
        if self.known(&copy, commit.as_str()).await?.is_none() {
            self.update(&copy).await?;
        }
        if self.known(&copy, commit.as_str()).await?.is_none() {
            self.fetch(&copy, &[&format!("+{}:refs/imagewright/asked", commit.as_str())]).await?;
        }
        let (copy, target) = (copy.display().to_string(), folder.display().to_string());
        self.done(&["clone", "--quiet", "--no-checkout", "--no-hardlinks", &copy, &target], folder).await?;
        self.done(&["fetch", "--quiet", &copy, "+refs/*:refs/imagewright/*"], folder).await?;
        self.done(&["remote", "set-url", "origin", self.url.as_str()], folder).await?;
        self.done(&["checkout", "--quiet", "--force", "--detach", commit.as_str()], folder).await?;
        if folder.join(".gitmodules").exists() {
            self.done(&["submodule", "--quiet", "update", "--init", "--recursive"], folder).await?;
        }
        Ok(())
    }

    async fn copy(&self) -> Result<PathBuf, SourceError> {
        let copy = self.cache.join(Digest::of(self.url.as_str().as_bytes()).hex());
        if !copy.join("HEAD").exists() {
            let path = copy.display().to_string();
            self.done(&["init", "--quiet", "--bare", &path], &self.cache).await?;
        }
        Ok(copy)
    }

    async fn update(&self, copy: &Path) -> Result<(), SourceError> {
        if self.offline {
            return Ok(());
        }
        let all = ["+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*", "+HEAD:refs/imagewright/head"];
        self.fetch(copy, &all).await
    }

    async fn fetch(&self, copy: &Path, names: &[&str]) -> Result<(), SourceError> {
        let fixed = ["fetch", "--quiet", "--force", "--no-tags", self.url.as_str()];
        let arguments: Vec<&str> = fixed.iter().chain(names).copied().collect();
        self.done(&arguments, copy).await
    }

    async fn known(&self, copy: &Path, name: &str) -> Result<Option<Commit>, SourceError> {
        let commit = format!("{name}^{{commit}}");
        let arguments = ["rev-parse", "--quiet", "--verify", "--end-of-options", &commit];
        let finished = self.run(&arguments, copy).await?;
        // Some releases of git repeat the words before what they mean.
        let found = finished.stdout.lines().last().and_then(|line| Commit::parse(line.trim()));
        Ok(found.filter(|_| finished.status.success()))
    }

    async fn done(&self, arguments: &[&str], folder: &Path) -> Result<(), SourceError> {
        let finished = self.run(arguments, folder).await?;
        if finished.status.success() {
            return Ok(());
        }
        let said = self.indexes.redact(finished.stderr.trim());
        let said = said.lines().map(|line| line.trim_start_matches("fatal: ")).collect::<Vec<_>>().join("\n");
        Err(SourceError::Git { source_name: self.url.to_string(), said })
    }

    async fn run(&self, arguments: &[&str], folder: &Path) -> Result<Finished, SourceError> {
        let fixed = ["-c", "core.hooksPath=/dev/null", "-c", "advice.detachedHead=false"];
        let invocation = Invocation {
            program: Path::new("git"),
            arguments: fixed.iter().chain(arguments).map(|&word| word.to_owned()).collect(),
            variables: self.variables(),
            directory: Some(folder.to_owned()),
            limit: LIMIT,
        };
        let source_name = self.url.to_string();
        invocation.run().await.map_err(|error| match error {
            UvError::NotStarted { source, .. } => SourceError::NoGit { source_name, source },
            _ => SourceError::GitTime { source_name, minutes: LIMIT.as_secs() / 60 },
        })
    }

    /// The user's own, without those of a repository that this may be started in. What was written of passwords is
    /// a header in a variable: in an address, other users would see it among the processes of this machine.
    fn variables(&self) -> BTreeMap<String, String> {
        let mut variables = self.host.variables().clone();
        for name in ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_PREFIX"] {
            variables.remove(name);
        }
        variables.insert("GIT_TERMINAL_PROMPT".to_owned(), "0".to_owned());
        if let Some(Credentials { user, password }) = self.indexes.credentials(self.url, self.host) {
            let count: usize = variables.get("GIT_CONFIG_COUNT").and_then(|it| it.parse().ok()).unwrap_or(0);
            let header =
                format!("Authorization: Basic {}", BASE64_STANDARD.encode(format!("{user}:{password}")));
            let scope = &self.url[..url::Position::BeforePath];
            variables.insert(format!("GIT_CONFIG_KEY_{count}"), format!("http.{scope}/.extraHeader"));
            variables.insert(format!("GIT_CONFIG_VALUE_{count}"), header);
            variables.insert("GIT_CONFIG_COUNT".to_owned(), (count + 1).to_string());
        }
        variables
    }
}
