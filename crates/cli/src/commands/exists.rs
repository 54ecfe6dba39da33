use std::error::Error;
use std::process::ExitCode;

use imagewright_build::{BuildError, Existence, Reporter};
use serde_json::json;

use super::print;
use crate::arguments::ExistsArguments;
use crate::environment::Environment;
use crate::failure::{Failure, NO};
use crate::spec_request::{self, SpecRequest};
use crate::{interrupt, lock_file, session};

pub(crate) fn run(environment: &Environment, arguments: &ExistsArguments) -> Result<ExitCode, Failure> {
    let asked = spec_request::read(environment, &arguments.spec)?;
    let existence = existence(environment, arguments, asked);
    if let Err(failure) = &existence
        && failure.is_outage()
    {
        print_unknown(arguments.json, &because(failure))?;
    }
    let existence = existence?;
    if arguments.json {
        print(serde_json::to_string(&existence).expect("an answer serialises"))?;
    } else {
        print(text(&existence))?;
    }
    Ok(match existence {
        Existence::Exists { .. } => ExitCode::SUCCESS,
        Existence::Missing { .. } | Existence::Stale { .. } => ExitCode::from(NO),
    })
}

fn existence(
    environment: &Environment,
    arguments: &ExistsArguments,
    asked: SpecRequest,
) -> Result<Existence, Failure> {
    let machine = session::machine(environment, &asked.spec, Reporter::silent())?;
    let lock = lock_file::find(arguments.lock.as_deref(), &asked.file)?;
    let request = session::request(environment, asked, None)?;
    let request = session::starting_from(request, lock);
    interrupt::run_with(&machine.store, machine.exists(&request))
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
