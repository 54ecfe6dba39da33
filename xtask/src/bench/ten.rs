//! Ten specs of one workflow, built by one command, beside the same without that.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::imagewright::{Manner, command, write};
use super::job::Job;
use super::sample::{Sample, Side, Timed, stored, timed};
use crate::bases;
use crate::peers::{Prepared, Registry};
use crate::process::{command as program, run};
use crate::workspace::Workspace;

/// What is measured beside all ten at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Beside {
    /// Ten commands, one after the other, with one store.
    EachAlone,
    /// The one that takes longest, which is any of them where they share most.
    OneOfThem,
}

/// Builds the ten at once, and one by one or one of them; each from an empty store.
pub(super) fn measure(
    workspace: &Workspace,
    prepared: &Prepared,
    job: Job,
    runs: usize,
) -> Result<[Side; 2]> {
    let beside = if job == Job::TenDisjoint { Beside::EachAlone } else { Beside::OneOfThem };
    let (mut together, mut other) = (Vec::new(), Vec::new());
    for _ in 0..runs {
        // They take turns: what the network does then, it does to both.
        together.push(sample(workspace, prepared, job, None)?);
        other.push(sample(workspace, prepared, job, Some(beside))?);
    }
    let name = match beside {
        Beside::EachAlone => "one after the other",
        Beside::OneOfThem => "one of them alone",
    };
    Ok([Side { builder: "all ten at once", samples: together }, Side { builder: name, samples: other }])
}

fn sample(workspace: &Workspace, prepared: &Prepared, job: Job, beside: Option<Beside>) -> Result<Sample> {
    let folder = workspace.cache("bench/ten");
    if folder.exists() {
        fs_err::remove_dir_all(&folder)?;
    }
    fs_err::create_dir_all(&folder)?;
    let content = bases::ensure(workspace, prepared.python())?;
    let registry = Registry::start(workspace, Some(&content))?;
    let specs = specs(job, &folder, registry.authority())?;
    run(&mut program("sync"))?;
    let before = stored(registry.storage())?;
    let calls: Vec<&[PathBuf]> = match beside {
        None => vec![&specs],
        Some(Beside::EachAlone) => specs.chunks(1).collect(),
        Some(Beside::OneOfThem) => vec![&specs[..1]],
    };
    let mut sum = Sample { requests: Some(0), resident: Some(0), ..Sample::default() };
    for files in calls {
        let mut build = command(workspace, &folder, files, Manner::Plain);
        // Workflows come from Python, whose package of imagewright brings uv.
        build.env("IMAGEWRIGHT_UV", prepared.python().with_file_name("uv"));
        let Timed { output, seconds, resident } = timed(&mut build, &folder.join("report.json"))?;
        let reports = reports(&output)?;
        ensure!(reports.len() == files.len(), "each spec has a line: {output}");
        check_made_once(&reports)?;
        sum.seconds += seconds;
        let requests: u64 = reports.iter().filter_map(|report| report["requests"].as_u64()).sum();
        sum.requests = sum.requests.map(|so_far| so_far + requests);
        sum.resident = sum.resident.max(Some(resident));
    }
    // Each of ten commands sends the empty document to which its image's lock is attached.
    if beside != Some(Beside::EachAlone) {
        check_once("sent", registry.sent()?)?;
    }
    sum.stored = stored(registry.storage())? - before;
    Ok(sum)
}

fn specs(job: Job, folder: &Path, authority: &str) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for (index, packages) in job.ten().iter().enumerate() {
        let asked = serde_json::json!({ "packages": packages });
        let asked = asked.as_object().context("it is an object")?;
        files.push(write(folder, authority, &format!("bench-{index}"), asked)?);
    }
    Ok(files)
}

fn reports(output: &str) -> Result<Vec<Value>> {
    output.lines().map(|line| serde_json::from_str(line).context("a report is JSON")).collect()
}

/// Of images that are built at once, each layer is made by one of them.
fn check_made_once(reports: &[Value]) -> Result<()> {
    let layers = reports.iter().flat_map(|report| report["layers"].as_array().into_iter().flatten());
    let made = layers.filter(|layer| layer["source"] == "produced");
    check_once("made", made.filter_map(|layer| layer["digest"].as_str().map(str::to_owned)).collect())
}

/// What is done once is in the list once.
fn check_once(done: &str, mut digests: Vec<String>) -> Result<()> {
    digests.sort_unstable();
    ensure!(!digests.is_empty(), "nothing was {done}");
    ensure!(digests.windows(2).all(|two| two[0] != two[1]), "a blob was {done} twice: {digests:?}");
    Ok(())
}
