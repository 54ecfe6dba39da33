//! Where user names, passwords and tokens come from: files and helpers, in the order the caller gives.

mod error;
mod file;
mod program;
mod secret;
mod server;

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use imagewright_oci::ImageReference;
use tokio::sync::Mutex;

pub use error::CredentialsError;
pub use file::CredentialOverview;
pub use secret::Secret;

use file::ConfigFile;
use program::{ProgramAnswer, ask_program};
use server::{matching_keys, server_address};

/// Who to be towards a registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Credential {
    /// A user and a password or personal access token.
    Password {
        /// The user's name.
        username: String,
        /// The password.
        password: Secret,
    },
    /// A refresh token, exchanged at the token service (what `docker login` of some clouds stores).
    Identity {
        /// The refresh token.
        token: Secret,
    },
    /// A token to be sent to the registry as it is.
    Bearer {
        /// The token.
        token: Secret,
    },
}

/// One place to look for credentials.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CredentialSource {
    /// A credential that the caller has in hand.
    Given {
        /// The registry it is for, such as `ghcr.io`.
        registry: String,
        /// The credential.
        credential: Credential,
        /// What messages call it, such as the name of an option.
        label: String,
    },
    /// Docker's `config.json` or Podman's `auth.json`: they have the same shape.
    File {
        /// The file.
        path: PathBuf,
        /// Whether its absence is an error; the usual places are looked at and may be absent.
        required: bool,
    },
    /// Such a file, for one repository only.
    Repository {
        /// The repository; tag and digest say nothing.
        repository: ImageReference,
        /// The file, which has to be there.
        path: PathBuf,
    },
}

/// The places to look for credentials, in order: the first that has one for a registry wins.
///
/// Files are read and helpers run when a registry first asks for authentication, each once per process.
#[derive(Clone, Debug, Default)]
pub struct Credentials {
    sources: Arc<Vec<CredentialSource>>,
    cache: Arc<Mutex<Cache>>,
}

/// What a look-up brought, and where from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// The credential; none means anonymous.
    pub credential: Option<Credential>,
    /// Where it came from, or which places failed to give one.
    pub origin: Origin,
}

/// The source of a credential, never its value.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Origin {
    source: Option<String>,
    failed: Vec<String>,
}

#[derive(Debug, Default)]
struct Cache {
    files: BTreeMap<PathBuf, Option<Arc<ConfigFile>>>,
    helpers: BTreeMap<(String, String), ProgramAnswer>,
}

impl Credentials {
    /// Looks in `sources`, first to last.
    pub fn new(sources: Vec<CredentialSource>) -> Self {
        Self { sources: Arc::new(sources), cache: Arc::default() }
    }

    /// The credential for a repository, from the first source that has one.
    pub async fn find(&self, repository: &ImageReference) -> Result<Found, CredentialsError> {
        let mut failed = Vec::new();
        for source in self.sources.iter() {
            match source {
                CredentialSource::Given { registry, credential, label } => {
                    if server::same_registry(registry, repository.registry()) {
                        return Ok(Found::new(credential.clone(), label.clone()));
                    }
                }
                CredentialSource::File { path, required } => {
                    let Some(config) = self.file(path, *required).await? else { continue };
                    if let Some(found) = self.find_in(&config, repository, &mut failed).await? {
                        return Ok(found);
                    }
                }
                CredentialSource::Repository { repository: only, path } => {
                    if only.name_only() == repository.name_only()
                        && let Some(config) = self.file(path, true).await?
                        && let Some(found) = self.find_in(&config, repository, &mut failed).await?
                    {
                        return Ok(found);
                    }
                }
            }
        }
        Ok(Found { credential: None, origin: Origin { source: None, failed } })
    }

    /// For each file that is there, which registries it serves. Runs no helper.
    pub async fn overview(&self) -> Result<Vec<CredentialOverview>, CredentialsError> {
        let mut found = Vec::new();
        for source in self.sources.iter() {
            if let CredentialSource::File { path, required } = source
                && let Some(config) = self.file(path, *required).await?
            {
                found.push(config.overview());
            }
        }
        Ok(found)
    }

    async fn file(
        &self,
        path: &PathBuf,
        required: bool,
    ) -> Result<Option<Arc<ConfigFile>>, CredentialsError> {
        let mut cache = self.cache.lock().await;
        if let Some(read) = cache.files.get(path) {
            return Ok(read.clone());
        }
        let read = ConfigFile::load(path, required)?.map(Arc::new);
        cache.files.insert(path.clone(), read.clone());
        Ok(read)
    }

    /// Docker's order within one file: a helper for this registry, the helper for all, what is written there.
    async fn find_in(
        &self,
        config: &ConfigFile,
        repository: &ImageReference,
        failed: &mut Vec<String>,
    ) -> Result<Option<Found>, CredentialsError> {
        let keys = matching_keys(repository);
        let by_registry =
            keys.iter().find_map(|key| config.helper_for(key).map(|helper| ("credHelpers", helper)));
        let for_all = config.store().map(|helper| ("credsStore", helper));
        for (setting, helper) in by_registry.into_iter().chain(for_all) {
            let label = format!("{} ({setting} {helper})", config.path().display());
            match self.ask_helper(helper, &server_address(repository.registry())).await {
                ProgramAnswer::Found(credential) => return Ok(Some(Found::new(credential, label))),
                ProgramAnswer::Nothing => {}
                ProgramAnswer::Failed { because } => failed.push(format!("{label} {because}")),
            }
        }
        let written = keys.iter().find_map(|key| config.credential_for(key).transpose()).transpose()?;
        Ok(written.map(|credential| Found::new(credential, config.path().display().to_string())))
    }

    async fn ask_helper(&self, helper: &str, server: &str) -> ProgramAnswer {
        // The lock is held while the helper runs: some ask the user, and one question is enough.
        let mut cache = self.cache.lock().await;
        let key = (helper.to_owned(), server.to_owned());
        if let Some(answer) = cache.helpers.get(&key) {
            return answer.clone();
        }
        let answer = ask_program(helper, server).await;
        cache.helpers.insert(key, answer.clone());
        answer
    }
}

impl Found {
    fn new(credential: Credential, source: String) -> Self {
        Self { credential: Some(credential), origin: Origin { source: Some(source), failed: Vec::new() } }
    }
}

impl Origin {
    /// Whether a credential was found.
    pub fn is_anonymous(&self) -> bool {
        self.source.is_none()
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.source {
            Some(source) => write!(f, "credentials from {source}"),
            None if self.failed.is_empty() => f.write_str("no credentials"),
            None => write!(f, "no credentials: {}", self.failed.join(", ")),
        }
    }
}

#[cfg(test)]
mod tests;
