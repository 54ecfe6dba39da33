use std::process::ExitCode;

use super::print;
use crate::arguments::BuildArguments;
use crate::environment::Environment;
use crate::failure::Failure;
use crate::{progress, session};

pub(crate) fn run(environment: &Environment, arguments: &BuildArguments) -> Result<ExitCode, Failure> {
    let spec = session::spec(&arguments.spec)?;
    if arguments.push && spec.registry.is_none() {
        return Err(Failure::Arguments {
            message: "there is no registry to push to".to_owned(),
            hint: Some("set `registry` in the spec, or give `--registry`".to_owned()),
        });
    }
    let machine = session::machine(environment, &spec, progress::reporter(arguments.output.progress))?;
    let mut request = session::request(environment, spec, &arguments.spec, Some(&arguments.lock))?;
    request.push = (request.push || arguments.push) && !arguments.no_push;
    request.force |= arguments.force;
    let report = session::runtime()?.block_on(machine.build(&request))?;
    if arguments.output.json {
        print(serde_json::to_string(&report).expect("a report serialises"));
    } else {
        print(&report.image);
    }
    Ok(ExitCode::SUCCESS)
}
