//! `plan`: what a build would do, and because of what.

use std::fmt::Write as _;
use std::process::ExitCode;

use imagewright_build::{
    BuildError, Existence, ExistenceForecast, Forecast, LayerForecast, Lookup, MissReason, Order, Place,
    PlatformForecast, SandboxForecast, forecast_all,
};

use super::print;
use crate::arguments::PlanArguments;
use crate::environment::Environment;
use crate::failure::{Failure, Told};
use crate::progress::bytes;
use crate::session::Machines;
use crate::spec_request::{OneOf, read_each};
use crate::{interrupt, progress, session};

/// How many reasons are told for one layer; `--json` has all of them.
const MOST_REASONS: usize = 4;

pub(crate) fn run(environment: &Environment, arguments: &PlanArguments) -> Result<ExitCode, Failure> {
    let specs = read_each(environment, &arguments.spec, &[("--lock", arguments.lock.lock.is_some())])?;
    let mut machines = Machines::new(environment, progress::reporter(arguments.output.progress))?;
    let mut orders = Vec::new();
    for one in &specs {
        let mut machine = machines.of(one).map_err(|failure| one.failed(failure))?;
        machine.sandbox.mode = arguments.sandbox.mode();
        let request = session::request(environment, one.asked.clone(), Some(&arguments.lock));
        orders.push(Order { machine, request: request.map_err(|failure| one.failed(failure))? });
    }
    let store = &orders[0].machine.store;
    let forecasts = interrupt::run_all(store, forecast_all(&orders), |all| all.iter().any(Result::is_err))?;
    report(arguments, &specs, forecasts)
}

/// Prints the plan of each spec, in their order, and tells every failure. The first is the command's; one of a base
/// that another spec needs too says less than the other's.
fn report(
    arguments: &PlanArguments,
    specs: &[OneOf],
    forecasts: Vec<Result<Forecast, BuildError>>,
) -> Result<ExitCode, Failure> {
    let (mut failures, mut of_bases, mut gap) = (Vec::new(), Vec::new(), "");
    for (one, forecast) in specs.iter().zip(forecasts) {
        match forecast {
            Ok(forecast) if arguments.output.json => {
                print(serde_json::to_string(&forecast).expect("a forecast serialises"))?;
            }
            Ok(forecast) => {
                print(format!("{gap}{}", text(&forecast).trim_end()))?;
                gap = "\n";
            }
            Err(error @ BuildError::BaseFailed { .. }) => of_bases.push(one.failed(error)),
            Err(error) => failures.push(one.failed(error)),
        }
    }
    let mut failures = failures.into_iter().chain(of_bases);
    let Some(first) = failures.next() else { return Ok(ExitCode::SUCCESS) };
    failures.for_each(|failure| progress::say(Told::of(&failure).text().trim_end()));
    Err(first)
}

fn text(forecast: &Forecast) -> String {
    let mut text = format!("{}: {}\n", forecast.image, existence(&forecast.existence));
    for platform in &forecast.platforms {
        text.push_str(&platform_text(platform));
    }
    text
}

fn existence(existence: &ExistenceForecast) -> String {
    match existence {
        ExistenceForecast::Known(Existence::Exists { digest }) => format!("exists as {digest}"),
        ExistenceForecast::Known(Existence::Missing { .. }) => "does not exist".to_owned(),
        ExistenceForecast::Known(Existence::Stale { changed, .. }) => {
            format!("is stale, {} changed", changed.join(", "))
        }
        ExistenceForecast::Unknown { because } => format!("unknown whether it exists: {because}"),
    }
}

fn platform_text(platform: &PlatformForecast) -> String {
    let base = platform.base.as_ref().map_or_else(
        || "Debian, assembled from its packages".to_owned(),
        |base| format!("{}@{} ({} layers, {})", base.reference, base.digest, base.layers, bytes(base.size)),
    );
    let hits = platform.layers.iter().filter(|layer| matches!(layer.lookup, Lookup::Hit { .. })).count();
    let misses = platform.layers.len() - hits;
    let platform_name = &platform.platform;
    let mut text =
        format!("{platform_name}: {hits} layers are there, {misses} have to be made\nbase: {base}\n");
    match &platform.sandbox {
        Some(SandboxForecast::Works { mode }) => text.extend(["sandbox: ", mode, "\n"]),
        Some(SandboxForecast::Missing { because }) => text.extend(["sandbox: none, ", because, "\n"]),
        None => {}
    }
    if platform.layers.iter().any(|layer| is_first(&layer.lookup)) {
        writeln!(text, "{}", MissReason::FirstBuild).expect("a String takes every write");
    }
    platform.layers.iter().for_each(|layer| text.push_str(&layer_text(layer)));
    text
}

fn layer_text(layer: &LayerForecast) -> String {
    let LayerForecast { title, because, lookup, .. } = layer;
    let (state, size, reasons) = match lookup {
        Lookup::Hit { place: Place::Store, size } => ("hit", bytes(*size), vec!["in the store".to_owned()]),
        Lookup::Hit { place: Place::Registry { repository }, size } => {
            ("hit", bytes(*size), vec![format!("in {repository}")])
        }
        Lookup::Miss { reasons } => {
            ("miss", String::new(), reasons.iter().map(ToString::to_string).collect())
        }
    };
    let mut text = format!("{state:<4}  {size:>9}  {title}\n");
    // That nothing was built before is said once, above.
    let reasons = if is_first(lookup) { Vec::new() } else { reasons };
    for lines in [because, &reasons].into_iter().filter(|lines| !lines.is_empty()) {
        writeln!(text, "{:17}{}", "", shortened(lines)).expect("a String takes every write");
    }
    text
}

fn is_first(lookup: &Lookup) -> bool {
    matches!(lookup, Lookup::Miss { reasons } if reasons[..] == [MissReason::FirstBuild])
}

/// The first few, and how many there are besides.
fn shortened(reasons: &[String]) -> String {
    let shown = reasons.iter().take(MOST_REASONS).map(String::as_str).collect::<Vec<_>>().join("; ");
    match reasons.len().saturating_sub(MOST_REASONS) {
        0 => shown,
        more => format!("{shown}; and {more} more"),
    }
}
