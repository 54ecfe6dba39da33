//! A keeper runs one server for as long as its own standard input is open.
//!
//! The other end of that pipe is held by the program that wants the server. However that program ends (normally, with an
//! error, by Ctrl-C, by `kill -9`), the pipe closes, and the keeper stops the server and removes its directories. So no
//! signal handler is needed, and nothing outlives its owner.

use std::ffi::OsString;
use std::io::{Read, stdin};
use std::path::{Path, PathBuf};
use std::process::{Child, ExitCode, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use rustix::process::{Pid, Signal, kill_process};

use crate::process;

/// How long a server may take to stop before it is killed.
const PATIENCE: Duration = Duration::from_secs(20);

/// Run a server until standard input closes.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// A directory to remove after the server has stopped.
    #[arg(long)]
    remove: Vec<PathBuf>,
    /// The server and its arguments.
    #[arg(last = true, required = true)]
    server: Vec<OsString>,
}

/// Runs the server; its own end is the keeper's end, too.
pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let mut server = process::command(&arguments.server[0])
        .args(&arguments.server[1..])
        .stdin(Stdio::null())
        .spawn()
        .with_context(|| format!("cannot start {}", arguments.server[0].display()))?;
    let (closed, owner) = mpsc::channel();
    thread::spawn(move || {
        // An error of the pipe means the same as its end: nobody is there.
        while matches!(stdin().read(&mut [0; 64]), Ok(1..)) {}
        closed.send(())
    });
    let mut ended = false;
    while !ended && owner.recv_timeout(Duration::from_millis(50)).is_err() {
        ended = server.try_wait()?.is_some();
    }
    if !ended {
        stop(&mut server)?;
    }
    for folder in &arguments.remove {
        remove(folder)?;
    }
    Ok(if ended { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn stop(server: &mut Child) -> Result<()> {
    kill_process(Pid::from_child(server), Signal::TERM).context("cannot signal the server")?;
    let start = Instant::now();
    while server.try_wait()?.is_none() {
        if start.elapsed() > PATIENCE {
            server.kill()?;
            server.wait()?;
            break;
        }
        thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

/// Removes a directory and what a server left mounted below it.
fn remove(folder: &Path) -> Result<()> {
    if !folder.exists() {
        return Ok(());
    }
    let folder = fs_err::canonicalize(folder)?;
    let mounts = fs_err::read_to_string("/proc/self/mounts")?;
    let below = mounts
        .lines()
        .filter_map(|line| line.split(' ').nth(1))
        .filter(|at| Path::new(at).starts_with(&folder));
    for at in below.collect::<Vec<_>>().into_iter().rev() {
        process::run(process::command("umount").arg("--lazy").arg(at))?;
    }
    Ok(fs_err::remove_dir_all(folder)?)
}
