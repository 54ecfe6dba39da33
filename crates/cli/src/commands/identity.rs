//! `tag`, `id` and `name`: flytekit's words for a spec.

use std::process::ExitCode;

use super::print;
use crate::arguments::SpecArguments;
use crate::environment::Environment;
use crate::failure::Failure;
use crate::session;

pub(crate) fn id(arguments: &SpecArguments) -> Result<ExitCode, Failure> {
    print(session::spec(arguments)?.id())?;
    Ok(ExitCode::SUCCESS)
}

pub(crate) fn tag(environment: &Environment, arguments: &SpecArguments) -> Result<ExitCode, Failure> {
    print(session::spec(arguments)?.tag(&environment.directory)?)?;
    Ok(ExitCode::SUCCESS)
}

pub(crate) fn name(environment: &Environment, arguments: &SpecArguments) -> Result<ExitCode, Failure> {
    print(session::spec(arguments)?.image_name_text(&environment.directory)?)?;
    Ok(ExitCode::SUCCESS)
}
