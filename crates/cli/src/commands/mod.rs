mod build;
mod exists;
mod identity;
mod inspect;
mod lock;
mod plan;
mod run;

use std::process::ExitCode;

use crate::arguments::{Arguments, Command, ProgressStyle};
use crate::environment::Environment;
use crate::failure::Failure;

pub(crate) use inspect::InspectArguments;
pub(crate) use lock::LockCommand;
pub(crate) use run::{RunArguments, helper};

/// Runs the command that was asked for.
pub(crate) fn run(arguments: Arguments) -> Result<ExitCode, Failure> {
    let environment = Environment::current()?;
    match arguments.command {
        Command::Build(arguments) => build::run(&environment, &arguments),
        Command::Lock(arguments) => lock::run(&environment, &arguments),
        Command::Plan(arguments) => plan::run(&environment, &arguments),
        Command::Exists(arguments) => exists::run(&environment, &arguments),
        Command::Tag(arguments) => identity::tag(&environment, &arguments),
        Command::Id(arguments) => identity::id(&arguments),
        Command::Name(arguments) => identity::name(&environment, &arguments),
        Command::Inspect(arguments) => inspect::run(&environment, &arguments),
        Command::Run(arguments) => run::run(&environment, &arguments),
    }
}

/// Prints a line to stdout, which is data.
#[expect(clippy::print_stdout, reason = "the one place where data is printed")]
fn print(line: impl std::fmt::Display) {
    println!("{line}");
}

/// Tells people something on stderr, unless they want to hear nothing.
fn tell(style: ProgressStyle, line: impl std::fmt::Display) {
    if matches!(style, ProgressStyle::Auto | ProgressStyle::Tty | ProgressStyle::Plain) {
        crate::progress::say(&line.to_string());
    }
}
