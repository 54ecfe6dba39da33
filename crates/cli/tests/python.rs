//! The Python package, as it is installed: its tests are in `python/tests`, a file for each test here, and run in an
//! environment that has this checkout's wheel, flytekit and flyte.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::support::{Workshop, needed, oracle, run_within, skip};

/// A test for each file `python/tests/test_NAME.py`.
macro_rules! files {
    ($($name:ident),* $(,)?) => {
        /// The files that have a test.
        const TESTED: &[&str] = &[$(stringify!($name)),*];

        $(#[test]
        fn $name() {
            pytest(stringify!($name));
        })*
    };
}

files! {
    agreement,
    client,
    entities,
    examples,
    execution,
    flyte,
    flyte_build,
    flyte_layers,
    flytekit,
    flytekit_originals,
    flytekit_workflow,
    pyflyte,
    pythons,
    spec,
    types,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../python/tests").canonicalize().unwrap()
}

/// Runs a file's tests. The registry of the peers and a store with what most tests download are there.
#[expect(clippy::disallowed_methods, reason = "the package's tests are programs")]
fn pytest(name: &str) {
    let (Some(python), Some(_)) = (needed("IMAGEWRIGHT_TEST_PYTHON"), oracle()) else { return };
    let workshop = Workshop::shared();
    let mut command = Command::new(python);
    command
        .args(["-m", "pytest", "--quiet", "--no-header", "-p", "no:cacheprovider"])
        .arg(folder().join(format!("test_{name}.py")))
        .env("PYTHONDONTWRITEBYTECODE", "1");
    workshop.place(&mut command);
    let run = run_within(&mut command, Duration::from_mins(5));
    assert_eq!(run.code, Some(0), "\n{}\n{}", run.stdout, run.stderr);
    // A skipped test is told as one, which none may be in the pipeline.
    let is_skipped = run.stdout.lines().last().is_some_and(|line| line.contains("skipped"));
    if is_skipped {
        skip(&run.stdout);
    }
}

#[test]
fn every_file_of_tests_is_run() {
    let names = fs_err::read_dir(folder()).unwrap().filter_map(|entry| {
        let name = entry.unwrap().file_name().into_string().unwrap();
        Some(name.strip_prefix("test_")?.strip_suffix(".py")?.to_owned())
    });
    let mut names: Vec<String> = names.collect();
    names.sort_unstable();
    assert_eq!(names, TESTED);
}
