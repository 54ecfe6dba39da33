//! `cargo xtask bench`: jobs, done by imagewright and most by Docker with BuildKit, from the command to the pushed image.

use std::process::ExitCode;

use anyhow::{Result, bail};

use crate::peers::Prepared;
use crate::process::{cargo, run as run_command, step};
use crate::workspace::Workspace;

mod buildkit;
mod imagewright;
mod job;
mod python;
mod record;
mod sample;
mod ten;

use imagewright::Manner;
use job::Job;
use sample::Side;

/// Measure imagewright beside Docker with BuildKit.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// What to measure; everything if nothing is named.
    #[arg(value_enum)]
    jobs: Vec<Job>,
    /// How often, instead of the job's own number.
    #[arg(long)]
    runs: Option<usize>,
    /// Measure imagewright only.
    #[arg(long)]
    alone: bool,
    /// Replace the sections of the jobs in docs/measurements.md.
    #[arg(long)]
    record: bool,
}

/// Measures, prints a table for each job, and records it if that was asked for.
pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let workspace = Workspace::find()?;
    let prepared = Prepared::new(&workspace)?;
    if !prepared.is_startable() {
        bail!("the measurements need what is named above");
    }
    step("release build", || {
        run_command(cargo().args(["build", "--quiet", "--release", "--package", "imagewright-cli"]))
    })?;
    let jobs = if arguments.jobs.is_empty() { Job::ALL.to_vec() } else { arguments.jobs.clone() };
    for job in jobs {
        let runs = arguments.runs.unwrap_or_else(|| job.runs());
        let sides = sides(&workspace, &prepared, job, runs, arguments.alone)?;
        let section = record::section(job, &sides);
        eprintln!("\n{section}");
        if arguments.record {
            record::replace(&workspace.root.join("docs/measurements.md"), job, &section)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn sides(
    workspace: &Workspace,
    prepared: &Prepared,
    job: Job,
    runs: usize,
    is_alone: bool,
) -> Result<Vec<Side>> {
    if job == Job::Python {
        return step("python", || python::measure(workspace, prepared, runs));
    }
    if !job.ten().is_empty() {
        let sides = step(&format!("{job}: imagewright"), || ten::measure(workspace, prepared, job, runs))?;
        return Ok(sides.into());
    }
    let own = |manner| imagewright::measure(workspace, prepared, job, manner, runs);
    let mut sides = vec![step(&format!("{job}: imagewright"), || own(Manner::Plain))?];
    if job == Job::Again {
        sides.push(step(&format!("{job}: imagewright --force"), || own(Manner::Forced))?);
    }
    if !is_alone && job.is_compared() {
        sides.push(step(&format!("{job}: BuildKit"), || buildkit::measure(workspace, prepared, job, runs))?);
    }
    Ok(sides)
}
