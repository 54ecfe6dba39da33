//! `cargo xtask test`: all of it, from an empty machine to the closing line of the tests.

use std::ffi::OsString;
use std::process::{Command, ExitCode};
use std::thread;

use anyhow::{Context, Result};

use crate::peers::{Prepared, Running};
use crate::process::{cargo, find, run as run_command, step};
use crate::workspace::Workspace;
use crate::{bases, lint, peers, python};

/// Install what is missing, build, lint, start the peers, test, and stop what was started.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Only the offline tests: nothing is installed, started or linted.
    #[arg(long)]
    fast: bool,
    /// Also the tests that take minutes each, which the pipeline leaves out.
    #[arg(long)]
    long: bool,
    /// Do not lint.
    #[arg(long)]
    no_lint: bool,
    /// Arguments of the test runner.
    #[arg(last = true)]
    runner: Vec<OsString>,
}

/// Runs everything. The tests come last, so that their summary ends the output.
pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    if arguments.fast {
        // Elsewhere a skipped test is an error in CI; here it was asked for.
        return verdict(Runner::find().tests(arguments).env_remove("CI"));
    }
    let workspace = Workspace::find()?;
    let runner = Runner::find();
    // Preparation waits for the network and for disks, compilers for each other's results.
    let (prepared, compiled) = thread::scope(|scope| {
        let preparing = scope.spawn(|| step("preparation", || prepare(&workspace)));
        let compiled = compile(runner, arguments);
        (preparing.join().expect("preparation does not panic"), compiled)
    });
    let (prepared, Compiled { lint }) = (prepared?, compiled?);
    let mut running = Running::start(&workspace, &prepared)?;
    if prepared.has_network() {
        let python = python::ensure(&workspace, prepared.python())?;
        running.variables.insert(peers::PYTHON, python.into_os_string());
    }
    let tests = verdict(runner.tests(arguments).envs(&running.variables))?;
    lint.and(Ok(tests))
}

/// Installs and makes what the tests meet.
fn prepare(workspace: &Workspace) -> Result<Prepared> {
    let prepared = Prepared::new(workspace)?;
    if prepared.is_startable() {
        step("base images", || bases::ensure(workspace, prepared.python()))?;
    }
    Ok(prepared)
}

/// What is known when everything is compiled.
struct Compiled {
    /// Told in the end: what lints find must not hide what tests find.
    lint: Result<()>,
}

fn compile(runner: Runner, arguments: &Arguments) -> Result<Compiled> {
    step("test build", || run_command(&mut runner.build()))?;
    let lint = if arguments.no_lint { Ok(()) } else { step("lint", lint::run) };
    step("documentation tests", || run_command(cargo().args(["test", "--quiet", "--workspace", "--doc"])))?;
    Ok(Compiled { lint })
}

fn verdict(tests: &mut Command) -> Result<ExitCode> {
    let status = tests.status().context("cannot start the test runner")?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What runs the tests.
#[derive(Debug, Clone, Copy)]
enum Runner {
    Nextest,
    Cargo,
}

impl Runner {
    fn find() -> Self {
        if find("cargo-nextest").is_some() { Self::Nextest } else { Self::Cargo }
    }

    fn build(self) -> Command {
        self.command(["--no-run"])
    }

    fn tests(self, arguments: &Arguments) -> Command {
        let mut command = self.command(&arguments.runner);
        match self {
            Self::Nextest if arguments.long => command.args(["--run-ignored", "all"]),
            Self::Cargo if arguments.long => command.args(["--", "--include-ignored"]),
            _ => &mut command,
        };
        command
    }

    fn command<A: AsRef<std::ffi::OsStr>>(self, arguments: impl IntoIterator<Item = A>) -> Command {
        let mut command = cargo();
        match self {
            Self::Nextest => command.args(["nextest", "run", "--cargo-quiet", "--workspace"]),
            Self::Cargo => command.args([
                "test",
                "--workspace",
                "--no-fail-fast",
                "--lib",
                "--bins",
                "--tests",
                "--examples",
            ]),
        };
        command.args(arguments);
        command
    }
}
