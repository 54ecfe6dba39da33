use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::{Map, Value, json};

use super::job::Job;
use super::sample::{Sample, Side, Timed, stored, timed};
use crate::bases;
use crate::peers::{Prepared, Registry};
use crate::process::{command as program, run};
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
        run(&mut program("sync"))?;
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
    let spec = write(folder, authority, "bench", asked)?;
    timed(&mut command(workspace, folder, &[spec], manner), &folder.join("report.json"))
}

/// Writes the spec of an image over Debian's Python, and gives its path.
pub(super) fn write(
    folder: &Path,
    authority: &str,
    name: &str,
    asked: &Map<String, Value>,
) -> Result<PathBuf> {
    let spec = folder.join(name).with_extension("yaml");
    let base = format!("{}/debian-python:bookworm", bases::prefix(authority));
    let mut text = json!({ "name": name, "registry": authority, "base_image": base });
    text.as_object_mut().context("it is an object")?.extend(asked.clone());
    fs_err::write(&spec, text.to_string())?;
    Ok(spec)
}

/// The release build, with a store in `folder`.
pub(super) fn command(workspace: &Workspace, folder: &Path, specs: &[PathBuf], manner: Manner) -> Command {
    let mut build = program(workspace.target.join("release/imagewright"));
    build.args(["build", "--json", "--progress", "none"]).args(specs);
    build.args((manner == Manner::Forced).then_some("--force"));
    build.env("IMAGEWRIGHT_STORE", folder.join("store")).current_dir(folder);
    build
}
