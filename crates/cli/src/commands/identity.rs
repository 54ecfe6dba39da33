//! `tag`, `id` and `name`: flytekit's words for specs, each on a line.

use std::process::ExitCode;

use super::print;
use crate::arguments::SpecArguments;
use crate::environment::Environment;
use crate::failure::Failure;
use crate::spec_request;

pub(crate) fn id(environment: &Environment, arguments: &SpecArguments) -> Result<ExitCode, Failure> {
    for asked in spec_request::read_all(environment, arguments)? {
        print(asked.spec.id())?;
    }
    Ok(ExitCode::SUCCESS)
}

pub(crate) fn tag(environment: &Environment, arguments: &SpecArguments) -> Result<ExitCode, Failure> {
    for asked in spec_request::read_all(environment, arguments)? {
        print(asked.spec.tag(&environment.directory)?)?;
    }
    Ok(ExitCode::SUCCESS)
}

pub(crate) fn name(environment: &Environment, arguments: &SpecArguments) -> Result<ExitCode, Failure> {
    for asked in spec_request::read_all(environment, arguments)? {
        print(asked.spec.image_name_text(&environment.directory)?)?;
    }
    Ok(ExitCode::SUCCESS)
}
