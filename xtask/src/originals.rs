//! `cargo xtask originals CHECKOUT`: flytekit's own tests that are about ImageSpec, without the builder and with it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, ensure};

use crate::process::{command, run as run_command};
use crate::workspace::Workspace;
use crate::{oracle, python};

/// Run flytekit's own tests of ImageSpec without the builder and with it, and print what differs.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// A checkout of flytekit's repository, of the version that is installed for the tests or near it.
    checkout: PathBuf,
}

/// What flytekit's tests need beside it. A newer client of Kubernetes refuses what they make.
const REQUIREMENTS: [&str; 9] = [
    python::FLYTEKIT,
    "pytest",
    "pytest-asyncio",
    "mock",
    "hypothesis",
    "pandas",
    "pyarrow",
    "kubernetes<32",
    "pygments",
];

/// Where the tests are that need no backend.
const UNIT_TESTS: &str = "tests/flytekit/unit";

/// The outcomes of tests by their names.
type Outcomes = BTreeMap<String, String>;

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let workspace = Workspace::find()?;
    let oracle = oracle::ensure(&workspace)?;
    let mut files = Vec::new();
    about_images(&arguments.checkout.join(UNIT_TESTS), &mut files)?;
    ensure!(!files.is_empty(), "{} has no tests in {UNIT_TESTS}", arguments.checkout.display());
    files.sort();
    let wheel = python::build_wheel(&workspace, &oracle)?;

    let (uv, folder) = (oracle.with_file_name("uv"), workspace.cache("originals"));
    let interpreter = folder.join("bin/python");
    run_command(command(&uv).args(["venv", "--quiet", "--clear", "--python"]).arg(&oracle).arg(&folder))?;
    let install = || {
        let mut install = command(&uv);
        install.args(["pip", "install", "--quiet", "--only-binary", ":all:", "--python"]).arg(&interpreter);
        install
    };
    run_command(install().args(REQUIREMENTS))?;
    let without = outcomes(&interpreter, &arguments.checkout, &files)?;
    run_command(install().arg(wheel))?;
    let with = outcomes(&interpreter, &arguments.checkout, &files)?;
    Ok(compare(&without, &with))
}

/// The files of tests below a folder that mention ImageSpec.
fn about_images(folder: &Path, found: &mut Vec<PathBuf>) -> Result<()> {
    for entry in fs_err::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if path.is_dir() {
            about_images(&path, found)?;
        } else if name.starts_with("test_")
            && path.extension().is_some_and(|extension| extension == "py")
            && fs_err::read_to_string(&path)?.contains("ImageSpec")
        {
            found.push(path);
        }
    }
    Ok(())
}

fn outcomes(python: &Path, checkout: &Path, files: &[PathBuf]) -> Result<Outcomes> {
    let told = command(python)
        .args(["-m", "pytest", "-q", "-rA", "--no-header", "-p", "no:cacheprovider"])
        .arg("--continue-on-collection-errors")
        .args(files.iter().map(|file| file.strip_prefix(checkout).unwrap_or(file)))
        .current_dir(checkout)
        .output()
        .context("cannot start pytest")?;
    let text = String::from_utf8_lossy(&told.stdout);
    let found: Outcomes = text.lines().filter_map(outcome).collect();
    ensure!(!found.is_empty(), "pytest ran nothing: {text}{}", String::from_utf8_lossy(&told.stderr));
    Ok(found)
}

/// `FAILED tests/a.py::test_b - the error` of the summary at the end.
fn outcome(line: &str) -> Option<(String, String)> {
    let (outcome, rest) = line.split_once(' ')?;
    if !["PASSED", "FAILED", "ERROR"].contains(&outcome) {
        return None;
    }
    match rest.split_once(" - ") {
        Some((name, why)) => Some((name.to_owned(), format!("{outcome}: {why}"))),
        None => Some((rest.to_owned(), outcome.to_owned())),
    }
}

#[expect(clippy::print_stderr, reason = "this program speaks to the person who runs it")]
fn compare(without: &Outcomes, with: &Outcomes) -> ExitCode {
    let kind = |outcome: Option<&String>| {
        outcome.and_then(|it| it.split(':').next()).unwrap_or("not run").to_owned()
    };
    let mut differences = 0;
    for name in without.keys().chain(with.keys().filter(|name| !without.contains_key(*name))) {
        let (before, after) = (without.get(name), with.get(name));
        if kind(before) != kind(after) {
            differences += 1;
            let why = after.or(before).map(String::as_str).unwrap_or_default();
            eprintln!("{name}\n    {} without the builder; with it {why}", kind(before));
        }
    }
    for (title, outcomes) in [("without", without), ("with", with)] {
        let passed = outcomes.values().filter(|outcome| *outcome == "PASSED").count();
        eprintln!("{title} the builder: {passed} of {} passed", outcomes.len());
    }
    if differences == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
