use std::path::Path;

use anyhow::{Context, Result};
use serde_json::Value;

use super::job::Job;
use super::sample::{Sample, Side, Timed, stored, timed};
use crate::bases;
use crate::peers::{Prepared, Registry};
use crate::process::{command, run};
use crate::workspace::Workspace;

/// Runs the job with the release build.
pub(super) fn measure(workspace: &Workspace, prepared: &Prepared, job: Job, runs: usize) -> Result<Side> {
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
            build(workspace, &folder, registry.authority(), &packages)?;
        }
        // What has not reached the disk yet would be written while the clock runs.
        run(&mut command("sync"))?;
        let before = stored(registry.storage())?;
        let Timed { output, seconds, resident } =
            build(workspace, &folder, registry.authority(), &job.packages())?;
        let report: Value = serde_json::from_str(&output).context("the report is no JSON")?;
        samples.push(Sample {
            seconds,
            stored: stored(registry.storage())? - before,
            requests: report["requests"].as_u64(),
            resident: Some(resident),
        });
    }
    Ok(Side { builder: "imagewright", samples })
}

fn build(workspace: &Workspace, folder: &Path, authority: &str, packages: &[&str]) -> Result<Timed> {
    let spec = folder.join("image.yaml");
    let base = format!("{}/debian-python:bookworm", bases::prefix(authority));
    let text = serde_json::json!({
        "name": "bench", "registry": authority, "base_image": base, "packages": packages,
    });
    fs_err::write(&spec, text.to_string())?;
    let mut build = command(workspace.target.join("release/imagewright"));
    build.args(["build", "--json", "--progress", "none"]).arg(&spec);
    build.env("IMAGEWRIGHT_STORE", folder.join("store")).current_dir(folder);
    timed(&mut build, &folder.join("report.json"))
}
