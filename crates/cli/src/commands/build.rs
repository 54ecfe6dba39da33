use std::process::ExitCode;

use imagewright_build::{BuildReport, BuildStatus, Sink};

use super::{print, tell};
use crate::arguments::BuildArguments;
use crate::discovery;
use crate::environment::Environment;
use crate::failure::Failure;
use crate::spec_request::{self, SpecRequest};
use crate::{interrupt, progress, session};

pub(crate) fn run(environment: &Environment, arguments: &BuildArguments) -> Result<ExitCode, Failure> {
    let specs = read(environment, arguments)?;
    if specs.len() > 1 && (arguments.overrides.name.is_some() || arguments.lock.lock.is_some()) {
        return Err(Failure::Arguments {
            message: "`--name` and `--lock` are for one spec".to_owned(),
            hint: Some("build the specs one by one".to_owned()),
        });
    }
    let sinks = arguments.sinks.sinks(specs.len(), arguments.output.json)?;
    let titles: Vec<String> = specs.iter().map(|spec| spec.title.clone()).collect();
    for (index, spec) in specs.into_iter().enumerate() {
        let built = build(environment, arguments, &sinks, spec);
        built.inspect_err(|_| tell_failed(arguments, &titles[index], &titles[..0], &titles[index + 1..]))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// All are read before any is built: what can be known at once need not wait for an image.
fn read(environment: &Environment, arguments: &BuildArguments) -> Result<Vec<SpecRequest>, Failure> {
    let named = discovery::named(&arguments.specs)?;
    let titles: Vec<String> = named.iter().map(ToString::to_string).collect();
    let mut specs = Vec::new();
    for (index, one) in named.iter().enumerate() {
        let read = spec_request::read_named(environment, one, &arguments.overrides).inspect_err(|_| {
            tell_failed(arguments, &titles[index], &titles[..index], &titles[index + 1..]);
        })?;
        specs.extend(read);
    }
    Ok(specs)
}

/// Of several specs, says which one failed and which were not tried.
fn tell_failed(arguments: &BuildArguments, failed: &str, before: &[String], after: &[String]) {
    let untried = [before, after].concat();
    let line = match untried.as_slice() {
        [] if arguments.specs.len() == 1 => return,
        [] => format!("{failed} failed"),
        _ => format!("{failed} failed; not tried: {}", untried.join(", ")),
    };
    tell(arguments.output.progress, line);
}

fn build(
    environment: &Environment,
    arguments: &BuildArguments,
    sinks: &[Sink],
    asked: SpecRequest,
) -> Result<(), Failure> {
    if arguments.push {
        session::check_can_be_pushed(&asked)?;
    }
    let mut machine =
        session::machine(environment, &asked.spec, progress::reporter(arguments.output.progress))?;
    machine.sandbox.mode = arguments.sandbox.mode();
    let mut request = session::request(environment, asked, Some(&arguments.lock))?;
    request.push = (request.push || arguments.push) && !arguments.no_push;
    request.force |= arguments.force || arguments.no_cache;
    request.no_cache = arguments.no_cache;
    request.further_tags.clone_from(&arguments.tags);
    request.sinks = sinks.to_vec();
    let report = interrupt::run_with(&machine.store, machine.build(&request))?;
    tell_status(arguments, &report);
    if arguments.output.json {
        print(serde_json::to_string(&report).expect("a report serialises"))?;
    } else if !arguments.sinks.uses_stdout() {
        print(&report.image)?;
    }
    Ok(())
}

/// Says what the events do not: that nothing had to be done, or why something had.
fn tell_status(arguments: &BuildArguments, report: &BuildReport) {
    let BuildReport { image, changed, status, .. } = report;
    match status {
        BuildStatus::Exists => {
            let made = if report.outputs.is_empty() { "nothing to do" } else { "nothing to build" };
            tell(arguments.output.progress, format!("   exists {image}, {made}"));
        }
        BuildStatus::StaleRebuilt => {
            let changed = changed.join(", ");
            tell(
                arguments.output.progress,
                format!("  rebuilt {image}: {changed} changed since it was made"),
            );
        }
        BuildStatus::Named => tell(arguments.output.progress, format!("    named {image}, nothing to build")),
        BuildStatus::Built => {}
    }
}
