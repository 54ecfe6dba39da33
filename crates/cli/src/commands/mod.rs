mod build;
mod cache;
mod completions;
mod diff;
mod dockerfile;
mod doctor;
mod exists;
mod identity;
mod inspect;
mod lock;
mod plan;
mod run;
mod spec;

use std::io::Write as _;
use std::process::ExitCode;

use crate::arguments::{Arguments, Command, ProgressStyle};
use crate::configuration::{UnknownVariable, unknown_variables};
use crate::environment::Environment;
use crate::failure::Failure;

pub(crate) use cache::CacheArguments;
pub(crate) use completions::CompletionsArguments;
pub(crate) use diff::DiffArguments;
pub(crate) use dockerfile::DockerfileArguments;
pub(crate) use doctor::DoctorArguments;
pub(crate) use inspect::InspectArguments;
pub(crate) use lock::LockCommand;
pub(crate) use run::RunArguments;
pub(crate) use spec::SpecCommand;

/// Runs the command that was asked for.
pub(crate) fn run(arguments: Arguments) -> Result<ExitCode, Failure> {
    let environment = Environment::current()?;
    warn_of_unknown_variables(&environment, arguments.command.progress());
    match arguments.command {
        Command::Build(arguments) => build::run(&environment, &arguments),
        Command::Cache(arguments) => cache::run(&environment, &arguments),
        Command::Doctor(arguments) => doctor::run(&environment, &arguments),
        Command::Completions(arguments) => completions::run(&arguments),
        Command::Lock(arguments) => lock::run(&environment, &arguments),
        Command::Plan(arguments) => plan::run(&environment, &arguments),
        Command::Exists(arguments) => exists::run(&environment, &arguments),
        Command::Tag(arguments) => identity::tag(&environment, &arguments),
        Command::Id(arguments) => identity::id(&environment, &arguments),
        Command::Name(arguments) => identity::name(&environment, &arguments),
        Command::Spec(arguments) => spec::run(&arguments),
        Command::Diff(arguments) => diff::run(&environment, &arguments),
        Command::Dockerfile(arguments) => dockerfile::run(&environment, &arguments),
        Command::Inspect(arguments) => inspect::run(&environment, &arguments),
        Command::Run(arguments) => run::run(&environment, &arguments),
    }
}

/// A setting that is misspelt would be without effect.
fn warn_of_unknown_variables(environment: &Environment, style: ProgressStyle) {
    // There are no bars yet.
    let style = if style == ProgressStyle::Json { style } else { ProgressStyle::Plain };
    for UnknownVariable { name, nearest } in unknown_variables(environment) {
        let hint = match nearest {
            Some(nearest) => format!("did you mean `{nearest}`?"),
            None => "docs/configuration.md has all settings".to_owned(),
        };
        crate::progress::reporter(style).warn(format!("{name} is set, which is no setting"), Some(hint));
    }
}

/// Prints a line to stdout, which is data. Whoever closes it wants no more.
fn print(line: impl std::fmt::Display) -> Result<(), Failure> {
    match writeln!(std::io::stdout(), "{line}") {
        Err(source) if source.kind() != std::io::ErrorKind::BrokenPipe => Err(Failure::Output { source }),
        _ => Ok(()),
    }
}

/// Tells people something on stderr, unless they want to hear nothing.
fn tell(style: ProgressStyle, line: impl std::fmt::Display) {
    if matches!(style, ProgressStyle::Auto | ProgressStyle::Tty | ProgressStyle::Plain) {
        crate::progress::say(&line.to_string());
    }
}
