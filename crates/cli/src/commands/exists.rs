use std::error::Error;
use std::process::ExitCode;

use imagewright_build::{BuildError, BuildRequest, Existence, Order, Reporter, exist_all};
use serde_json::json;

use super::print;
use crate::arguments::ExistsArguments;
use crate::environment::Environment;
use crate::failure::{Failure, NO, Told};
use crate::session::Machines;
use crate::spec_request::{OneOf, read_each};
use crate::{interrupt, lock_file, progress, session};

pub(crate) fn run(environment: &Environment, arguments: &ExistsArguments) -> Result<ExitCode, Failure> {
    let specs = read_each(environment, &arguments.spec, &[("--lock", arguments.lock.is_some())])?;
    let orders = orders(environment, arguments, &specs);
    if let Err(failure) = &orders
        && failure.is_outage()
    {
        specs.iter().try_for_each(|_| print_unknown(arguments.json, &because(failure)))?;
    }
    let orders = orders?;
    let answers = async { Ok::<_, Failure>(exist_all(&orders).await) };
    let answers = interrupt::run_with(&orders[0].machine.store, answers)?;
    let (mut failures, mut all_exist) = (Vec::new(), true);
    for (one, answer) in specs.iter().zip(answers) {
        match answer {
            Ok(existence) => {
                all_exist &= matches!(existence, Existence::Exists { .. });
                print_known(arguments.json, &existence)?;
            }
            Err(error) => {
                let failure = Failure::Build(error);
                // Of several each has its line, so that they can be told apart.
                if failure.is_outage() || specs.len() > 1 {
                    print_unknown(arguments.json, &because(&failure))?;
                }
                failures.push(one.failed(failure));
            }
        }
    }
    // What is unknown counts more than what is not there, and that nobody knows more than that a spec is wrong.
    let worst = failures.iter().position(Failure::is_outage).unwrap_or_default();
    if !failures.is_empty() {
        let worst = failures.remove(worst);
        for failure in &failures {
            progress::say(Told::of(failure).text().trim_end());
        }
        return Err(worst);
    }
    Ok(if all_exist { ExitCode::SUCCESS } else { ExitCode::from(NO) })
}

fn orders(
    environment: &Environment,
    arguments: &ExistsArguments,
    specs: &[OneOf],
) -> Result<Vec<Order>, Failure> {
    let mut machines = Machines::new(environment, Reporter::silent())?;
    let orders = specs.iter().map(|one| {
        let machine = machines.of(one).map_err(|failure| one.failed(failure))?;
        let request = request(environment, arguments, one).map_err(|failure| one.failed(failure))?;
        Ok(Order { machine, request })
    });
    orders.collect()
}

fn request(
    environment: &Environment,
    arguments: &ExistsArguments,
    one: &OneOf,
) -> Result<BuildRequest, Failure> {
    let request = session::request(environment, one.asked.clone(), None)?;
    let lock = lock_file::find(arguments.lock.as_deref(), &one.file)?;
    Ok(session::starting_from(request, lock))
}

fn print_known(is_json: bool, existence: &Existence) -> Result<(), Failure> {
    if is_json {
        print(serde_json::to_string(existence).expect("an answer serialises"))
    } else {
        print(text(existence))
    }
}

/// An answer is data too when it could not be found out; the failure itself goes to stderr.
fn print_unknown(is_json: bool, because: &str) -> Result<(), Failure> {
    if is_json {
        print(json!({ "answer": "unknown", "because": because }))
    } else {
        print(format!("unknown: {because}"))
    }
}

/// The failure and its causes in one line. That the answer is unknown is said before it.
fn because(failure: &Failure) -> String {
    let first: Option<&dyn Error> = match failure {
        Failure::Build(unknown @ BuildError::UnknownExistence { .. }) => unknown.source(),
        other => Some(other),
    };
    let causes = std::iter::successors(first, |&error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ").replace('\n', " ")
}

fn text(existence: &Existence) -> String {
    match existence {
        Existence::Exists { .. } => "true".to_owned(),
        Existence::Missing { platforms } if platforms.is_empty() => "false".to_owned(),
        Existence::Missing { platforms } => {
            let there: Vec<String> = platforms.iter().map(ToString::to_string).collect();
            format!("false: it is there for {} only", there.join(", "))
        }
        Existence::Stale { changed, .. } => format!("stale: {} changed", changed.join(", ")),
    }
}
