use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use super::UvError;

/// One start of a program: everything it sees is given here, nothing is inherited.
#[derive(Debug)]
pub(crate) struct Invocation<'a> {
    pub(crate) program: &'a Path,
    pub(crate) arguments: Vec<String>,
    pub(crate) variables: BTreeMap<String, String>,
    pub(crate) directory: Option<PathBuf>,
    pub(crate) limit: Duration,
}

/// How a program ended, and what it wrote.
#[derive(Debug)]
pub(crate) struct Finished {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Invocation<'_> {
    /// Runs to the end; a program that is still running after the limit, or when this future is dropped, is
    /// killed.
    pub(crate) async fn run(self) -> Result<Finished, UvError> {
        let mut command = tokio::process::Command::new(self.program);
        command
            .args(&self.arguments)
            .env_clear()
            .envs(&self.variables)
            .stdin(Stdio::null())
            .kill_on_drop(true);
        if let Some(directory) = &self.directory {
            command.current_dir(directory);
        }
        let output = tokio::time::timeout(self.limit, command.output())
            .await
            .map_err(|_| UvError::TimedOut { program: self.program.to_owned(), limit: self.limit })?
            .map_err(|source| UvError::NotStarted { program: self.program.to_owned(), source })?;
        Ok(Finished {
            status: output.status,
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        })
    }
}
