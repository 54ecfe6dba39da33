use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result};

use super::job::Job;
use super::sample::{Sample, Side, stored};
use crate::bases;
use crate::peers::{Docker, Prepared, Registry};
use crate::process::{command, run, variable};
use crate::workspace::Workspace;

/// Where systems keep the certificates that they trust.
const BUNDLES: [&str; 2] = ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt"];

/// Runs the job with the Dockerfile of this repository, in a daemon that has seen nothing before.
pub(super) fn measure(workspace: &Workspace, prepared: &Prepared, job: Job, runs: usize) -> Result<Side> {
    let folder = workspace.cache("bench/buildkit");
    let content = bases::ensure(workspace, prepared.python())?;
    if folder.exists() {
        fs_err::remove_dir_all(&folder)?;
    }
    fs_err::create_dir_all(&folder)?;
    fs_err::copy(workspace.root.join("benchmarks/Dockerfile"), folder.join("Dockerfile"))?;
    fs_err::copy(prepared.python().with_file_name("uv"), folder.join("uv"))?;
    fs_err::copy(bundle()?, folder.join("ca-certificates.crt"))?;
    let mut samples = Vec::new();
    let mut peers = None;
    for number in 0..runs {
        // A daemon that has built the set before is what a person has who adds a package.
        let kept = peers.take().filter(|_| job.before().is_some());
        let (registry, docker) = kept.map_or_else(|| fresh(workspace, &content, &folder, job), Ok)?;
        run(&mut command("sync"))?;
        let before = stored(registry.storage())?;
        let changed = if job == Job::Nothing { 0 } else { number };
        let start = Instant::now();
        build(&docker, &folder, registry.authority(), &job.packages(), changed)?;
        let seconds = start.elapsed().as_secs_f64();
        let stored = stored(registry.storage())? - before;
        samples.push(Sample { seconds, stored, ..Sample::default() });
        peers = Some((registry, docker));
    }
    Ok(Side { builder: "BuildKit", samples })
}

/// A registry with the base, and a daemon that has built what the job says.
fn fresh(workspace: &Workspace, content: &Path, folder: &Path, job: Job) -> Result<(Registry, Docker)> {
    let registry = Registry::start(workspace, Some(content))?;
    let docker = Docker::start(workspace)?;
    if let Some(packages) = job.before() {
        build(&docker, folder, registry.authority(), &packages, 0)?;
    }
    Ok((registry, docker))
}

/// Builds and pushes. `number` stands in the requirements as a comment, so that each run installs anew.
fn build(docker: &Docker, folder: &Path, authority: &str, packages: &[&str], number: usize) -> Result<()> {
    let requirements = format!("# {number}\n{}\n", packages.join("\n"));
    fs_err::write(folder.join("requirements.txt"), requirements)?;
    let base = format!("BASE={}/debian-python:bookworm", bases::prefix(authority));
    let image = format!("{authority}/bench-buildkit:latest");
    let mut build = docker.client();
    build.env("DOCKER_BUILDKIT", "1");
    build.args(["build", "--quiet", "--network", "host", "--build-arg", &base, "--tag", &image]).arg(folder);
    run(build.stdout(std::process::Stdio::null()))?;
    run(docker.client().args(["push", "--quiet", &image]).stdout(std::process::Stdio::null()))
}

fn bundle() -> Result<PathBuf> {
    let named = variable("SSL_CERT_FILE").map(PathBuf::from);
    let mut places = named.into_iter().chain(BUNDLES.map(PathBuf::from));
    places.find(|place| place.is_file()).context("no bundle of certificates on this machine")
}
