//! A server that lives as long as a value.

use std::ffi::OsStr;
use std::io::{Read, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::process::command;
use crate::workspace::Workspace;

/// How long a server may take until it answers.
const PATIENCE: Duration = Duration::from_mins(1);

/// A server, run by a keeper (see [`crate::keep`]) that stops it when this is dropped or this process ends.
#[derive(Debug)]
pub(super) struct Server {
    keeper: Child,
    owner: Option<ChildStdin>,
    log: PathBuf,
}

impl Server {
    /// Starts a command; its output goes to a log file, and `folders` are removed when it has stopped.
    pub(super) fn start(workspace: &Workspace, server: &Command, folders: &[&Path]) -> Result<Self> {
        let name = Path::new(server.get_program()).file_name().context("a server has a name")?;
        let log = workspace.cache("logs").join(name).with_extension("log");
        fs_err::create_dir_all(workspace.cache("logs"))?;
        let output = fs_err::File::create(&log)?.into_parts().0;
        let mut keeper = command(std::env::current_exe()?);
        keeper.arg("keep");
        for folder in folders {
            keeper.arg("--remove").arg(folder);
        }
        keeper.arg("--").arg(server.get_program()).args(server.get_args());
        // A group of its own: Ctrl-C reaches the owner, and the keeper learns of it by its pipe.
        keeper.process_group(0).stdin(Stdio::piped()).stderr(output.try_clone()?).stdout(output);
        let mut keeper = keeper.spawn().context("cannot start a keeper")?;
        let owner = keeper.stdin.take();
        Ok(Self { keeper, owner, log })
    }

    /// What it prints.
    pub(super) fn log(&self) -> &Path {
        &self.log
    }

    /// Waits until `path` is answered with 200 over a fresh connection.
    pub(super) fn wait<C: Read + Write>(
        &mut self,
        path: &str,
        mut connect: impl FnMut() -> Option<C>,
    ) -> Result<()> {
        let start = Instant::now();
        loop {
            if connect().is_some_and(|connection| answers(connection, path)) {
                return Ok(());
            }
            let ended = self.keeper.try_wait()?.is_some();
            if ended || start.elapsed() > PATIENCE {
                let log = fs_err::read_to_string(&self.log)?;
                let tail = log.lines().rev().take(15).collect::<Vec<_>>();
                let tail = tail.into_iter().rev().collect::<Vec<_>>().join("\n");
                let what = if ended { "ended" } else { "does not answer" };
                bail!("the server {what}; the end of {}:\n{tail}", self.log.display());
            }
            thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.owner.take());
        if let Err(error) = self.keeper.wait() {
            eprintln!("warning: a keeper cannot be waited for: {error}");
        }
    }
}

fn answers(mut connection: impl Read + Write, path: &str) -> bool {
    let mut answer = [0; 12];
    connection.write_all(format!("GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n").as_bytes()).is_ok()
        && connection.read_exact(&mut answer).is_ok()
        && answer.ends_with(b" 200")
}

/// A directory for this process, empty, below `parent`.
pub(super) fn fresh(parent: &Path, name: impl AsRef<OsStr>) -> Result<PathBuf> {
    let mut unique = name.as_ref().to_owned();
    unique.push(format!("-{}", std::process::id()));
    let folder = parent.join(unique);
    fs_err::create_dir_all(&folder)?;
    Ok(folder)
}
