use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde_json::{Map, Value, json};

use super::job::Job;
use super::sample::{Sample, Side, Timed, stored, timed};
use crate::bases;
use crate::peers::{Prepared, Registry};
use crate::process::{command, run};
use crate::workspace::Workspace;

/// What a build does that may find its image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Manner {
    /// It looks for it first.
    Plain,
    /// It makes the image again.
    Forced,
}

/// Runs the job with the release build.
pub(super) fn measure(
    workspace: &Workspace,
    prepared: &Prepared,
    job: Job,
    manner: Manner,
    runs: usize,
) -> Result<Side> {
    let folder = workspace.cache("bench/imagewright");
    let content = bases::ensure(workspace, prepared.python())?;
    let mut samples = Vec::new();
    for _ in 0..runs {
        if folder.exists() {
            fs_err::remove_dir_all(&folder)?;
        }
        fs_err::create_dir_all(&folder)?;
        let registry = Registry::start(workspace, Some(&content))?;
        if let Some(packages) = job.before() {
            build(workspace, &folder, registry.authority(), &spec(job, &packages), Manner::Plain)?;
        }
        // What has not reached the disk yet would be written while the clock runs.
        run(&mut command("sync"))?;
        let before = stored(registry.storage())?;
        let Timed { output, seconds, resident } =
            build(workspace, &folder, registry.authority(), &spec(job, &job.packages()), manner)?;
        let report: Value = serde_json::from_str(&output).context("the report is no JSON")?;
        if job == Job::Again {
            let layers = report["layers"].as_array().map_or(&[][..], Vec::as_slice);
            ensure!(layers.iter().all(|layer| layer["source"] != "produced"), "a step ran again: {output}");
        }
        samples.push(Sample {
            seconds,
            stored: stored(registry.storage())? - before,
            requests: report["requests"].as_u64(),
            resident: Some(resident),
        });
    }
    let builder = if manner == Manner::Forced { "imagewright --force" } else { "imagewright" };
    Ok(Side { builder, samples })
}

/// What a job asks for, less where it comes from and goes to.
fn spec(job: Job, packages: &[&str]) -> Map<String, Value> {
    let further = job.further().into_iter().map(|(field, item)| (field.to_owned(), json!([item])));
    further.chain([("packages".to_owned(), json!(packages))]).collect()
}

fn build(
    workspace: &Workspace,
    folder: &Path,
    authority: &str,
    asked: &Map<String, Value>,
    manner: Manner,
) -> Result<Timed> {
    let spec = folder.join("image.yaml");
    let base = format!("{}/debian-python:bookworm", bases::prefix(authority));
    let mut text = json!({ "name": "bench", "registry": authority, "base_image": base });
    text.as_object_mut().context("it is an object")?.extend(asked.clone());
    fs_err::write(&spec, text.to_string())?;
    let mut build = command(workspace.target.join("release/imagewright"));
    build.args(["build", "--json", "--progress", "none"]).arg(&spec);
    build.args((manner == Manner::Forced).then_some("--force"));
    build.env("IMAGEWRIGHT_STORE", folder.join("store")).current_dir(folder);
    timed(&mut build, &folder.join("report.json"))
}
