//! The imagewright command.
//!
//! Reads arguments and environment, calls the engine, and is the only crate that prints: stdout is data, stderr
//! is for people. One file per command; exit codes are decided in `failure.rs`.

mod arguments;
mod caller;
mod commands;
mod configuration;
mod container;
mod discovery;
#[cfg(test)]
mod documentation;
mod environment;
mod failpoint;
mod failure;
mod helper_process;
mod interrupt;
mod lock_file;
mod progress;
mod runtime_packages;
mod sandbox_arguments;
mod session;
mod sink_arguments;
mod spec_request;
mod subject;

use std::process::ExitCode;

use clap::Parser as _;

fn main() -> ExitCode {
    if let Some(code) = helper_process::run() {
        return code;
    }
    let arguments = arguments::Arguments::parse();
    let failure_file = arguments.failure_file.clone();
    match commands::run(arguments) {
        Ok(code) => code,
        Err(failure) => failure::report(&failure, failure_file.as_deref()),
    }
}
