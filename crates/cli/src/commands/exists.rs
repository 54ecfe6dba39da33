use std::process::ExitCode;

use imagewright_build::{Existence, Reporter};

use super::print;
use crate::arguments::ExistsArguments;
use crate::environment::Environment;
use crate::failure::{Failure, NO};
use crate::{interrupt, lock_file, session};

pub(crate) fn run(environment: &Environment, arguments: &ExistsArguments) -> Result<ExitCode, Failure> {
    let spec = session::spec(&arguments.spec)?;
    let machine = session::machine(environment, &spec, Reporter::silent())?;
    let request = session::request(environment, spec, &arguments.spec.spec, None)?;
    let lock = lock_file::find(arguments.lock.as_deref(), &arguments.spec.spec)?;
    let request = session::starting_from(request, lock);
    let existence = interrupt::run(machine.exists(&request))?;
    if arguments.json {
        print(serde_json::to_string(&existence).expect("an answer serialises"));
    } else {
        print(text(&existence));
    }
    Ok(match existence {
        Existence::Exists { .. } => ExitCode::SUCCESS,
        Existence::Missing { .. } | Existence::Stale { .. } => ExitCode::from(NO),
    })
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
