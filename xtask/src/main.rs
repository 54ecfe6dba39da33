//! The habits of this project, one file for each verb: `cargo xtask test`, `lint`, `tidy`, `bases`, `peers`, `python`,
//! `originals`, `bench`.

#![expect(clippy::print_stderr, reason = "this program speaks to the person who runs it")]

use std::process::ExitCode;

use clap::{Parser, Subcommand};

mod workspace;

mod process;

mod bases;
mod bench;
mod debian;
mod keep;
mod lint;
mod oracle;
mod originals;
mod peers;
mod python;
mod source;
mod test;
mod tidy;

/// The habits of this project.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Test(test::Arguments),
    /// Check formatting, clippy, documentation, dependencies and tidiness.
    Lint,
    /// Check crate edges, budgets, names and hosts, and print a short report.
    Tidy,
    /// Make the base images that the tests build upon, once, under the target directory.
    Bases,
    Peers(peers::Arguments),
    /// Install the Python package of this checkout beside flytekit and flyte, and print the interpreter.
    Python,
    Originals(originals::Arguments),
    Bench(bench::Arguments),
    #[command(hide = true)]
    Keep(keep::Arguments),
}

fn main() -> ExitCode {
    let done = match Arguments::parse().verb {
        Verb::Test(arguments) => test::run(&arguments),
        Verb::Lint => lint::run().map(|()| ExitCode::SUCCESS),
        Verb::Tidy => tidy::run().map(|()| ExitCode::SUCCESS),
        Verb::Bases => bases::run().map(|()| ExitCode::SUCCESS),
        Verb::Peers(arguments) => peers::run(&arguments),
        Verb::Python => python::run(),
        Verb::Originals(arguments) => originals::run(&arguments),
        Verb::Bench(arguments) => bench::run(&arguments),
        Verb::Keep(arguments) => keep::run(&arguments),
    };
    done.unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::FAILURE
    })
}
