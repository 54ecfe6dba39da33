use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use imagewright_spec::GIT_VARIABLES;

use super::Repository;
use crate::python::Credentials;
use crate::uv::{Finished, Invocation, UvError};
use crate::wheel_build::SourceError;

/// A large repository on a slow line takes some minutes.
const LIMIT: Duration = Duration::from_mins(15);

/// For every call: nothing of the user's is started before or after, and nothing goes on in the background.
const FIXED: [&str; 8] = [
    "-c",
    "core.hooksPath=/dev/null",
    "-c",
    "advice.detachedHead=false",
    "-c",
    "gc.auto=0",
    "-c",
    "maintenance.auto=false",
];

impl Repository<'_> {
    /// Runs git; that it fails is an error.
    pub(super) async fn done(&self, arguments: &[&str], folder: &Path) -> Result<Finished, SourceError> {
        let finished = self.run(arguments, folder).await?;
        if finished.status.success() {
            return Ok(finished);
        }
        let said = self.indexes.redact(finished.stderr.trim());
        let said = said.lines().map(|line| line.trim_start_matches("fatal: ")).collect::<Vec<_>>().join("\n");
        Err(SourceError::Git { source_name: self.address.to_string(), said })
    }

    pub(super) async fn run(&self, arguments: &[&str], folder: &Path) -> Result<Finished, SourceError> {
        let invocation = Invocation {
            program: Path::new("git"),
            arguments: FIXED.iter().chain(arguments).map(|&word| word.to_owned()).collect(),
            variables: self.variables(),
            directory: Some(folder.to_owned()),
            limit: LIMIT,
        };
        let source_name = self.address.to_string();
        invocation.run().await.map_err(|error| match error {
            UvError::NotStarted { source, .. } => SourceError::NoGit { source_name, source },
            _ => SourceError::GitTime { source_name, minutes: LIMIT.as_secs() / 60 },
        })
    }

    /// The user's own, without those of a repository that this may be started in. What was written of passwords is
    /// a header in a variable: in an address, other users would see it among the processes of this machine.
    fn variables(&self) -> BTreeMap<String, String> {
        let mut variables = self.host.variables().clone();
        for name in GIT_VARIABLES {
            variables.remove(name);
        }
        variables.insert("GIT_TERMINAL_PROMPT".to_owned(), "0".to_owned());
        if !self.is_users {
            variables.insert("GIT_PROTOCOL_FROM_USER".to_owned(), "0".to_owned());
        }
        let url = self.address.url();
        let credentials = url.as_ref().and_then(|url| self.indexes.credentials(url, self.host));
        if let (Some(url), Some(Credentials { user, password })) = (url, credentials) {
            let count: usize = variables.get("GIT_CONFIG_COUNT").and_then(|it| it.parse().ok()).unwrap_or(0);
            let header =
                format!("Authorization: Basic {}", BASE64_STANDARD.encode(format!("{user}:{password}")));
            let scope = &url[..url::Position::BeforePath];
            variables.insert(format!("GIT_CONFIG_KEY_{count}"), format!("http.{scope}/.extraHeader"));
            variables.insert(format!("GIT_CONFIG_VALUE_{count}"), header);
            variables.insert("GIT_CONFIG_COUNT".to_owned(), (count + 1).to_string());
        }
        variables
    }
}
