//! `tag`, `id` and `name`: flytekit's words for specs, each on a line.

use std::process::ExitCode;

use imagewright_spec::{ImageSpec, SpecError};

use super::print;
use crate::arguments::SpecArguments;
use crate::environment::Environment;
use crate::failure::Failure;
use crate::spec_request::read_each;

pub(crate) fn id(environment: &Environment, arguments: &SpecArguments) -> Result<ExitCode, Failure> {
    print_each(environment, arguments, |spec| Ok(spec.id()))
}

pub(crate) fn tag(environment: &Environment, arguments: &SpecArguments) -> Result<ExitCode, Failure> {
    print_each(environment, arguments, |spec| spec.tag(&environment.directory))
}

pub(crate) fn name(environment: &Environment, arguments: &SpecArguments) -> Result<ExitCode, Failure> {
    print_each(environment, arguments, |spec| spec.image_name_text(&environment.directory))
}

/// Prints a word for each spec, or nothing when one has none.
fn print_each(
    environment: &Environment,
    arguments: &SpecArguments,
    word: impl Fn(&ImageSpec) -> Result<String, SpecError>,
) -> Result<ExitCode, Failure> {
    let specs = read_each(environment, arguments, &[])?;
    let words = specs.iter().map(|one| word(&one.spec).map_err(|error| one.failed(error)));
    for word in words.collect::<Result<Vec<String>, _>>()? {
        print(word)?;
    }
    Ok(ExitCode::SUCCESS)
}
