//! `lock`: pins everything that an image is made from, and writes it down.

use std::error::Error as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use imagewright_build::{GivenLock, Reporter};
use imagewright_lock::{Lock, LockChange, Pin, Upgrade};
use serde_json::json;

use super::{print, tell};
use crate::arguments::{LockArguments, OutputArguments, SpecArguments};
use crate::environment::Environment;
use crate::failure::Failure;
use crate::sandbox_arguments::SandboxArguments;
use crate::{interrupt, lock_file, progress, session, spec_request};

/// How many changes are told; `--json` has all of them.
const MOST_CHANGES: usize = 30;

/// Pin everything that an image is made from, and write the lock beside the spec: `image.lock` for `image.yaml`.
///
/// What the lock pins already stays where it still serves. For `apt_packages` the base's apt is asked what it would
/// install, and what has no wheel is built; both in the sandbox. With `--frozen` nothing is written: it fails when the
/// lock does not cover the spec, and names what it does not cover.
///
/// Packages without a wheel are built to be pinned: the code of their projects runs in the sandbox, with the spec's
/// `apt_packages` installed.
#[derive(Debug, Args)]
pub(crate) struct LockCommand {
    #[command(flatten)]
    pub(crate) spec: SpecArguments,
    /// Where the lock is written; `-` is standard output.
    #[arg(short, long, value_name = "FILE", conflicts_with = "frozen")]
    pub(crate) output: Option<PathBuf>,
    /// Choose anew: a package, `debian`, `python`, `base`, `apt`, a package of the system as `apt:curl`, or without a
    /// value everything. May be repeated; behind SPEC.
    #[arg(
        long,
        value_name = "WHAT",
        num_args = 0..=1,
        default_missing_value = EVERYTHING,
        value_parser = upgraded,
        conflicts_with = "frozen"
    )]
    pub(crate) upgrade: Vec<Upgrade>,
    #[command(flatten)]
    pub(crate) lock: LockArguments,
    #[command(flatten)]
    pub(crate) sandbox: SandboxArguments,
    #[command(flatten)]
    pub(crate) report: OutputArguments,
}

/// Stands for `--upgrade` without a value; no package has this name.
const EVERYTHING: &str = "*";

fn upgraded(text: &str) -> Result<Upgrade, String> {
    let looks_like_a_file = text.contains('/') || Path::new(text).is_file();
    if let Some((_, pin)) = Pin::SECTIONS.into_iter().find(|(name, _)| *name == text) {
        return Ok(Upgrade::Only(vec![pin]));
    }
    if let Some(name) = text.strip_prefix("apt:") {
        let name = name.parse().map_err(|_| format!("`{name}` is no name of a package of the system"))?;
        return Ok(Upgrade::Only(vec![Pin::SystemPackage(name)]));
    }
    match text {
        EVERYTHING => Ok(Upgrade::Everything),
        _ if looks_like_a_file => {
            Err(format!("{text} is a file, not a package: write `imagewright lock {text} --upgrade`"))
        }
        name => match name.parse() {
            Ok(name) => Ok(Upgrade::Only(vec![Pin::Package(name)])),
            Err(_) => Err("it is none of `debian`, `python`, `base`, `apt` and names of packages".to_owned()),
        },
    }
}

fn all(upgrades: &[Upgrade]) -> Upgrade {
    let mut pins = Vec::new();
    for upgrade in upgrades {
        match upgrade {
            Upgrade::Everything => return Upgrade::Everything,
            Upgrade::Only(some) => pins.extend(some.iter().cloned()),
            Upgrade::Nothing => {}
        }
    }
    if pins.is_empty() { Upgrade::Nothing } else { Upgrade::Only(pins) }
}

pub(crate) fn run(environment: &Environment, arguments: &LockCommand) -> Result<ExitCode, Failure> {
    let asked = spec_request::read(environment, &arguments.spec)?;
    let mut machine =
        session::machine(environment, &asked.spec, progress::reporter(arguments.report.progress))?;
    let (title, file) = (asked.title.clone(), asked.file.clone());
    let beside = || lock_file::beside(&file);
    machine.sandbox.mode = arguments.sandbox.mode();
    let output = arguments.output.clone().or_else(beside).ok_or_else(|| Failure::Arguments {
        message: "a spec from standard input has no file that its lock could be beside".to_owned(),
        hint: Some("say where the lock goes: `--output FILE`, or `--output -`".to_owned()),
    })?;
    lock_file::check_place(&output)?;
    let written = current(&machine.reporter, &output, arguments.lock.frozen)?;
    let start = start(&machine.reporter, arguments, &file, &output, written.as_ref())?;
    let mut request = session::request_with(environment, asked, Some(&arguments.lock), start)?;
    request.left_out.push(output.clone());
    request.upgrade = all(&arguments.upgrade);
    let lock = interrupt::run_with(&machine.store, machine.lock(&request))?;
    if arguments.lock.frozen {
        let place = request.lock.map(|given| given.place).unwrap_or_default();
        tell(arguments.report.progress, format!("{place} covers {title}"));
        return Ok(ExitCode::SUCCESS);
    }
    if output == Path::new("-") {
        print(lock.to_text().trim_end())?;
        return Ok(ExitCode::SUCCESS);
    }
    let is_new = written.as_ref().is_none_or(|given| given.lock != lock);
    if is_new {
        lock_file::write(&output, &lock)?;
    }
    report(arguments, &output, written.as_ref(), &lock, is_new)?;
    Ok(ExitCode::SUCCESS)
}

/// The lock that is replaced. A damaged one is mended by this command, so it is in nobody's way.
fn current(reporter: &Reporter, output: &Path, is_frozen: bool) -> Result<Option<GivenLock>, Failure> {
    if is_frozen {
        return lock_file::read_if_there(output);
    }
    read_or_warn(reporter, output, "it is made anew")
}

/// The lock whose pins are preferred: the one that is named, the one that is replaced, or the one beside the spec.
/// Only the first was asked for, so a damaged one beside the spec is no reason to write none elsewhere.
fn start(
    reporter: &Reporter,
    arguments: &LockCommand,
    spec: &Path,
    output: &Path,
    written: Option<&GivenLock>,
) -> Result<Option<GivenLock>, Failure> {
    let beside = lock_file::beside(spec);
    match &arguments.lock.lock {
        Some(named) => lock_file::find(Some(named), spec),
        None if written.is_some() => Ok(written.cloned()),
        None => match beside.filter(|beside| beside != output) {
            Some(beside) => read_or_warn(reporter, &beside, "nothing that it pins is kept"),
            None => Ok(None),
        },
    }
}

fn read_or_warn(reporter: &Reporter, path: &Path, outcome: &str) -> Result<Option<GivenLock>, Failure> {
    lock_file::read_unless_damaged(path, |error| {
        let because = error.source().map(|source| format!(" ({source})")).unwrap_or_default();
        reporter.warn(format!("{error}{because}; {outcome}"), None);
    })
}

fn report(
    arguments: &LockCommand,
    output: &Path,
    before: Option<&GivenLock>,
    lock: &Lock,
    is_new: bool,
) -> Result<(), Failure> {
    let changes = before.map(|before| lock.changes_since(&before.lock)).unwrap_or_default();
    let place = output.display().to_string();
    if arguments.report.json {
        let digest = lock.digest();
        return print(json!({ "path": place, "digest": digest, "written": is_new, "changes": changes }));
    }
    let style = arguments.report.progress;
    if !is_new {
        tell(style, format!("{place} is up to date"));
        return Ok(());
    }
    let count: usize = lock.platforms.values().map(|platform| platform.packages.len()).sum();
    tell(style, format!("wrote {place}: {count} packages{}", shown(&changes)));
    Ok(())
}

fn shown(changes: &[LockChange]) -> String {
    let lines = changes.iter().take(MOST_CHANGES).map(ToString::to_string);
    let more = changes.len().saturating_sub(MOST_CHANGES);
    let rest = (more > 0).then(|| format!("and {more} more"));
    lines.chain(rest).flat_map(|line| ["\n  ".to_owned(), line]).collect()
}
