use std::path::Path;
use std::process::ExitCode;

use imagewright_build::{BuildReport, BuildStatus};

use super::{print, tell};
use crate::arguments::BuildArguments;
use crate::environment::Environment;
use crate::failure::Failure;
use crate::{interrupt, progress, session};

pub(crate) fn run(environment: &Environment, arguments: &BuildArguments) -> Result<ExitCode, Failure> {
    if arguments.specs.len() > 1 && (arguments.overrides.name.is_some() || arguments.lock.lock.is_some()) {
        return Err(Failure::Arguments {
            message: "`--name` and `--lock` are for one spec".to_owned(),
            hint: Some("build the specs one by one".to_owned()),
        });
    }
    for (index, spec) in arguments.specs.iter().enumerate() {
        build(environment, arguments, spec).inspect_err(|_| tell_failed(arguments, index))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Of several specs, says which one failed and which were not tried.
fn tell_failed(arguments: &BuildArguments, failed: usize) {
    let (before, rest) = arguments.specs.split_at(failed);
    let names: Vec<String> = rest.iter().map(|spec| spec.display().to_string()).collect();
    match names.as_slice() {
        [name] if !before.is_empty() => tell(arguments.output.progress, format!("{name} failed")),
        [name, untried @ ..] if !untried.is_empty() => {
            tell(arguments.output.progress, format!("{name} failed; not tried: {}", untried.join(", ")));
        }
        _ => {}
    }
}

fn build(environment: &Environment, arguments: &BuildArguments, file: &Path) -> Result<(), Failure> {
    let spec = session::spec_in(file, &arguments.overrides)?;
    if arguments.push && spec.registry.is_none() {
        return Err(Failure::Arguments {
            message: format!("{} has no registry to push to", file.display()),
            hint: Some("set `registry` in the spec, or give `--registry`".to_owned()),
        });
    }
    let machine = session::machine(environment, &spec, progress::reporter(arguments.output.progress))?;
    let mut request = session::request(environment, spec, file, Some(&arguments.lock))?;
    request.push = (request.push || arguments.push) && !arguments.no_push;
    request.force |= arguments.force;
    let report = interrupt::run(machine.build(&request))?;
    tell_status(arguments, &report);
    if arguments.output.json {
        print(serde_json::to_string(&report).expect("a report serialises"));
    } else {
        print(&report.image);
    }
    Ok(())
}

/// Says what the events do not: that nothing had to be done, or why something had.
fn tell_status(arguments: &BuildArguments, report: &BuildReport) {
    let BuildReport { image, changed, status, .. } = report;
    match status {
        BuildStatus::Exists => tell(arguments.output.progress, format!("   exists {image}, nothing to do")),
        BuildStatus::StaleRebuilt => {
            let changed = changed.join(", ");
            tell(
                arguments.output.progress,
                format!("  rebuilt {image}: {changed} changed since it was made"),
            );
        }
        BuildStatus::Built => {}
    }
}
