//! What the Python package takes before anything is built.

use anyhow::{Context, Result};

use super::sample::{Sample, Side, timed};
use crate::peers::Prepared;
use crate::process::command;
use crate::python::Environment;
use crate::workspace::Workspace;

/// In a process of its own each time, as in a task file; the time is that of the first tag alone.
const TAG: &str = "import imagewright, time; spec = imagewright.ImageSpec(packages=['numpy']); \
                   start = time.perf_counter(); spec.tag; print(time.perf_counter() - start)";

/// An empty interpreter, the import, and the first tag.
pub(super) fn measure(workspace: &Workspace, prepared: &Prepared, runs: usize) -> Result<Vec<Side>> {
    let python = Environment::ensure(workspace, prepared.python())?.python();
    let folder = workspace.cache("bench/python");
    fs_err::create_dir_all(&folder)?;
    let sample = |code: &str| {
        let mut started = command(&python);
        started.args(["-c", code]).current_dir(&folder);
        started.env("PYTHONPATH", workspace.root.join("python"));
        started.env("IMAGEWRIGHT_PROGRAM", workspace.target.join("release/imagewright"));
        let done = timed(&mut started, &folder.join("output"))?;
        let printed = done.output.trim();
        let seconds = if printed.is_empty() { done.seconds } else { printed.parse().context("seconds")? };
        Ok(Sample { seconds, resident: Some(done.resident), ..Sample::default() })
    };
    let measured = [
        ("an empty interpreter", "pass"),
        ("`import imagewright`", "import imagewright"),
        ("the first `tag`", TAG),
    ];
    let mut sides = Vec::new();
    for (builder, code) in measured {
        // Once without being measured: bytecode is written then.
        sample(code)?;
        let samples: Result<Vec<Sample>> = (0..runs).map(|_| sample(code)).collect();
        sides.push(Side { builder, samples: samples? });
    }
    Ok(sides)
}
