use std::process::ExitCode;

use imagewright_build::{Existence, Reporter};

use super::print;
use crate::arguments::ExistsArguments;
use crate::environment::Environment;
use crate::failure::{Failure, NO};
use crate::session;

pub(crate) fn run(environment: &Environment, arguments: &ExistsArguments) -> Result<ExitCode, Failure> {
    let spec = session::spec(&arguments.spec)?;
    let machine = session::machine(environment, &spec, Reporter::silent())?;
    let request = session::request(environment, spec, &arguments.spec, None)?;
    let existence = session::runtime()?.block_on(machine.exists(&request))?;
    Ok(match existence {
        Existence::Exists { .. } => {
            print("true");
            ExitCode::SUCCESS
        }
        Existence::Missing { platforms } if platforms.is_empty() => {
            print("false");
            ExitCode::from(NO)
        }
        Existence::Missing { platforms } => {
            let there: Vec<String> = platforms.iter().map(ToString::to_string).collect();
            print(format!("false: it is there for {} only", there.join(", ")));
            ExitCode::from(NO)
        }
        Existence::Stale { changed, .. } => {
            print(format!("stale: {} changed", changed.join(", ")));
            ExitCode::from(NO)
        }
    })
}
