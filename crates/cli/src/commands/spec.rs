use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use imagewright_build::Reporter;
use imagewright_spec::{SpecDocument, SpecError, SpecFormat};

use super::print;
use crate::arguments::{OverrideArguments, ProgressStyle};
use crate::failure::Failure;
use crate::progress;
use crate::spec_request::{self, STDIN};

/// Print a spec normalised: all fields that are set, in one order, as JSON or YAML that reads back to the same id.
///
/// It may also be in a Python script that says what it needs (PEP 723), or in a `pyproject.toml`.
#[derive(Debug, Args)]
pub(crate) struct SpecCommand {
    /// The spec: a YAML or JSON file, a Python script or a `pyproject.toml`; `-` is standard input.
    spec: PathBuf,
    #[command(flatten)]
    overrides: OverrideArguments,
    /// How it is written; without it as it was read, and JSON of a script or a project.
    #[arg(long, value_enum)]
    format: Option<Format>,
    /// Take the dependencies of this extra of a `pyproject.toml` as well. May be repeated.
    #[arg(long = "extra", value_name = "EXTRA")]
    extras: Vec<String>,
    /// Take the dependencies of this group of a `pyproject.toml` as well. May be repeated.
    #[arg(long = "group", value_name = "GROUP")]
    groups: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// JSON.
    Json,
    /// YAML.
    Yaml,
}

pub(crate) fn run(arguments: &SpecCommand) -> Result<ExitCode, Failure> {
    let document = document(arguments)?;
    let format = match arguments.format {
        Some(Format::Json) => SpecFormat::Json,
        Some(Format::Yaml) => SpecFormat::Yaml,
        None => document.format(),
    };
    let options = spec_request::options(&arguments.overrides);
    let written = document.written(format, &options).map_err(|error| match &*arguments.spec {
        file if file == Path::new(STDIN) => error,
        file => error.in_file(file),
    })?;
    if !written.is_same {
        let (name, other) = match format {
            SpecFormat::Json => ("JSON", "yaml"),
            SpecFormat::Yaml => ("YAML", "json"),
        };
        let message = format!("{name} cannot say all of it: who reads this reads another spec");
        let hint = format!(
            "`--format {other}` keeps all; in YAML `source_copy_mode` is a text, as flytekit reads it"
        );
        warn(message, hint);
    }
    print(written.text.trim_end())?;
    Ok(ExitCode::SUCCESS)
}

fn warn(message: String, hint: String) {
    let reporter: Reporter = progress::reporter(ProgressStyle::Plain);
    reporter.warn(message, Some(hint));
}

fn document(arguments: &SpecCommand) -> Result<SpecDocument, Failure> {
    let SpecCommand { spec, extras, groups, .. } = arguments;
    if extras.is_empty() && groups.is_empty() {
        if spec == Path::new(STDIN) {
            let text = io::read_to_string(io::stdin()).map_err(|source| SpecError::Read { source })?;
            return Ok(SpecDocument::parse(&text)?);
        }
        return Ok(SpecDocument::load(spec)?);
    }
    if spec.extension().is_none_or(|end| end != "toml") {
        return Err(Failure::Arguments {
            message: format!("{} has neither extras nor groups", spec.display()),
            hint: Some("`--extra` and `--group` are for a pyproject.toml".to_owned()),
        });
    }
    let text = fs_err::read_to_string(spec).map_err(|source| SpecError::Read { source })?;
    Ok(SpecDocument::of_project(&text, extras, groups).map_err(|error| error.in_file(spec))?)
}
