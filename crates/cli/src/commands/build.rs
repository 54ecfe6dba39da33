use std::process::ExitCode;

use imagewright_build::{BuildReport, BuildStatus, Machine, Order, Outcome, Outcomes, Sink, build_all};
use serde_json::{Value, json};

use super::{print, tell};
use crate::arguments::BuildArguments;
use crate::environment::Environment;
use crate::failure::{Failure, Told};
use crate::session::Machines;
use crate::spec_request::{OneOf, read_each};
use crate::{interrupt, progress, session};

pub(crate) fn run(environment: &Environment, arguments: &BuildArguments) -> Result<ExitCode, Failure> {
    // All are read before any is built: what can be known at once need not wait for an image.
    let specs = read_each(environment, &arguments.spec, &[("--lock", arguments.lock.lock.is_some())])?;
    let sinks = arguments.sinks.sinks(specs.len(), arguments.output.json)?;
    let mut machines = Machines::new(environment, progress::reporter(arguments.output.progress))?;
    let mut orders = Vec::new();
    for one in &specs {
        let machine = machines.of(one).map_err(|failure| one.failed(failure))?;
        let order = order(environment, arguments, &sinks, one, machine);
        orders.push(order.map_err(|failure| one.failed(failure))?);
    }
    let outcomes = interrupt::run_all(&orders[0].machine.store, build_all(&orders), |outcomes| {
        outcomes.failed_first.is_some()
    })?;
    report(arguments, &specs, &orders, outcomes)
}

fn order(
    environment: &Environment,
    arguments: &BuildArguments,
    sinks: &[Sink],
    one: &OneOf,
    mut machine: Machine,
) -> Result<Order, Failure> {
    if arguments.push {
        session::check_can_be_pushed(&one.asked)?;
    }
    machine.sandbox.mode = arguments.sandbox.mode();
    let mut request = session::request(environment, one.asked.clone(), Some(&arguments.lock))?;
    request.push = (request.push || arguments.push) && !arguments.no_push;
    request.force |= arguments.force || arguments.no_cache;
    request.no_cache = arguments.no_cache;
    request.further_tags.clone_from(&arguments.tags);
    request.sinks = sinks.to_vec();
    Ok(Order { machine, request })
}

/// Prints what became of each spec, in their order. The failure that came first is the command's.
fn report(
    arguments: &BuildArguments,
    specs: &[OneOf],
    orders: &[Order],
    outcomes: Outcomes,
) -> Result<ExitCode, Failure> {
    let Outcomes { outcomes, failed_first } = outcomes;
    let (mut first, mut further, mut not_begun) = (None, Vec::new(), Vec::new());
    let is_told = arguments.output.json && specs.len() > 1;
    for (at, ((one, order), outcome)) in specs.iter().zip(orders).zip(outcomes).enumerate() {
        let undone = match outcome {
            Outcome::Done(report) => {
                tell_done(arguments, &report)?;
                continue;
            }
            Outcome::Failed(error) => {
                let failure = one.failed(Failure::Build(*error));
                let told = Told::of(&failure);
                if failed_first == Some(at) {
                    first = Some(failure);
                } else {
                    further.push(failure);
                }
                undone(order, "failed", Some(&told))
            }
            Outcome::NotBegun => {
                not_begun.push(one.title.clone());
                undone(order, "not-begun", None)
            }
        };
        if is_told {
            print(undone)?;
        }
    }
    let Some(first) = first else { return Ok(ExitCode::SUCCESS) };
    if !not_begun.is_empty() {
        tell(arguments.output.progress, format!("not begun: {}", not_begun.join(", ")));
    }
    for failure in further {
        progress::say(Told::of(&failure).text().trim_end());
    }
    Err(first)
}

/// The object of a spec whose image was not built.
fn undone(order: &Order, status: &str, failure: Option<&Told>) -> Value {
    let image = order.request.spec.image_name_text(&order.request.directory).ok();
    let mut object = json!({ "image": image, "status": status });
    if let Some(failure) = failure {
        object["failure"] = serde_json::to_value(failure).expect("texts and a number serialise");
    }
    object
}

fn tell_done(arguments: &BuildArguments, report: &BuildReport) -> Result<(), Failure> {
    tell_status(arguments, report);
    if arguments.output.json {
        print(serde_json::to_string(report).expect("a report serialises"))
    } else if arguments.sinks.uses_stdout() {
        Ok(())
    } else {
        print(&report.image)
    }
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
