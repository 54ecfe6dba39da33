use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use imagewright_build::DockerContext;

use super::{print, tell};
use crate::arguments::{LockArguments, ProgressStyle, SpecArguments};
use crate::environment::Environment;
use crate::failure::Failure;
use crate::{interrupt, progress, session, spec_request};

/// Print the Dockerfile that the docker builder makes of a spec, and say on stderr what it needs beside it.
///
/// It pins what the lock pins, and installs it into the same environment as the native builder does.
#[derive(Debug, Args)]
pub(crate) struct DockerfileArguments {
    #[command(flatten)]
    pub(crate) spec: SpecArguments,
    /// Write the Dockerfile and all that it needs into this directory, instead of printing it.
    #[arg(short, long, value_name = "DIR")]
    pub(crate) output: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) lock: LockArguments,
    /// How progress is shown.
    #[arg(long, value_enum, default_value_t)]
    pub(crate) progress: ProgressStyle,
}

pub(crate) fn run(environment: &Environment, arguments: &DockerfileArguments) -> Result<ExitCode, Failure> {
    let asked = spec_request::read(environment, &arguments.spec)?;
    let machine = session::machine(environment, &asked.spec, progress::reporter(arguments.progress))?;
    let request = session::request(environment, asked, Some(&arguments.lock))?;
    let folder = arguments.output.as_ref().map(|folder| environment.directory.join(folder));
    let context = interrupt::run_with(&machine.store, machine.dockerfile(&request, folder.as_deref()))?;
    let DockerContext { dockerfile, files, secrets, .. } = &context;
    match &arguments.output {
        None => {
            print(dockerfile.trim_end())?;
            if !files.is_empty() {
                let files = files.join(", ");
                tell(arguments.progress, format!("   needs {files} beside it, which `-o DIR` writes"));
            }
        }
        Some(folder) => print(folder.join("Dockerfile").display())?,
    }
    for secret in secrets {
        tell(arguments.progress, format!("   needs --secret {secret}"));
    }
    Ok(ExitCode::SUCCESS)
}
