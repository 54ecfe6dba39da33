//! `tag`, `id` and `name`: flytekit's words for a spec.

use std::process::ExitCode;

use super::print;
use crate::arguments::SpecArguments;
use crate::environment::Environment;
use crate::failure::Failure;
use crate::spec_request;

pub(crate) fn id(arguments: &SpecArguments) -> Result<ExitCode, Failure> {
    print(spec_request::read(arguments)?.spec.id())?;
    Ok(ExitCode::SUCCESS)
}

pub(crate) fn tag(environment: &Environment, arguments: &SpecArguments) -> Result<ExitCode, Failure> {
    print(spec_request::read(arguments)?.spec.tag(&environment.directory)?)?;
    Ok(ExitCode::SUCCESS)
}

pub(crate) fn name(environment: &Environment, arguments: &SpecArguments) -> Result<ExitCode, Failure> {
    print(spec_request::read(arguments)?.spec.image_name_text(&environment.directory)?)?;
    Ok(ExitCode::SUCCESS)
}
