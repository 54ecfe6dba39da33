use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, WaitOptions, waitpid};

use crate::process::{command, read};

/// How often the resident size is read; it only grows, so the last reading is the highest.
const INTERVAL: Duration = Duration::from_millis(1);

/// One run.
#[derive(Debug, Clone, Default)]
pub(super) struct Sample {
    /// From the command to the pushed image.
    pub(super) seconds: f64,
    /// Bytes by which the registry's storage has grown.
    pub(super) stored: u64,
    /// Requests to the registry, where the builder says.
    pub(super) requests: Option<u64>,
    /// Highest resident size of the builder's process, in bytes, where there is one process.
    pub(super) resident: Option<u64>,
}

/// What one builder did in all runs.
#[derive(Debug)]
pub(super) struct Side {
    pub(super) builder: &'static str,
    pub(super) samples: Vec<Sample>,
}

/// A command that ended well: its output, its time and its highest resident size.
pub(super) struct Timed {
    pub(super) output: String,
    pub(super) seconds: f64,
    pub(super) resident: u64,
}

/// Runs a command and watches its process, but not the processes it starts.
pub(super) fn timed(command: &mut Command, output: &Path) -> Result<Timed> {
    let file = fs_err::File::create(output)?.into_parts().0;
    let start = Instant::now();
    let child = command.stdout(file).spawn()?;
    let id = Pid::from_child(&child);
    let status = format!("/proc/{}/status", child.id());
    let mut resident = 0;
    let ended = loop {
        resident = highest(&status).unwrap_or(resident);
        if let Some((_, ended)) = waitpid(Some(id), WaitOptions::NOHANG)? {
            break ended;
        }
        thread::sleep(INTERVAL);
    };
    let seconds = start.elapsed().as_secs_f64();
    if ended.exit_status() != Some(0) {
        bail!("{ended:?}: {command:?}");
    }
    Ok(Timed { output: fs_err::read_to_string(output)?, seconds, resident })
}

/// `VmHWM` of a process that still has memory.
fn highest(status: &str) -> Option<u64> {
    let text = fs_err::read_to_string(status).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().strip_suffix(" kB")?.parse::<u64>().ok()? * 1024)
}

/// The bytes of all files below a directory.
pub(super) fn stored(folder: &Path) -> Result<u64> {
    let text = read(command("du").args(["--summarize", "--bytes", "--apparent-size"]).arg(folder))?;
    text.split_whitespace().next().and_then(|word| word.parse().ok()).context("du prints a number")
}
