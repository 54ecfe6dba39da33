use std::process::ExitCode;

use clap::Args;
use imagewright_build::{BuildRequest, FoundImage, Machine};
use imagewright_sandbox::HELPER_ARGUMENT;

use crate::arguments::{LockArguments, ProgressStyle};
use crate::container::ContainerArguments;
use crate::environment::Environment;
use crate::failure::Failure;
use crate::sandbox_arguments::SandboxArguments;
use crate::subject::{Subject, SubjectArguments};
use crate::{interrupt, progress, session};

/// Run a command in an image, without Docker; the image of a spec is built first if it is not there.
///
/// The command has this terminal, the image's environment, user, working directory and entry point, and a file
/// system of its own that is gone afterwards. The exit code is the command's: 128 and the signal's number if one
/// killed it, 127 if the image has no such program, 126 if it cannot be executed.
#[derive(Debug, Args)]
pub(crate) struct RunArguments {
    #[command(flatten)]
    subject: SubjectArguments,
    #[command(flatten)]
    container: ContainerArguments,
    #[command(flatten)]
    sandbox: SandboxArguments,
    #[command(flatten)]
    lock: LockArguments,
    /// How progress is shown.
    #[arg(long, value_enum, default_value_t)]
    pub(crate) progress: ProgressStyle,
    /// The command and its arguments, instead of the image's own.
    #[arg(last = true)]
    command: Vec<String>,
}

pub(crate) fn run(environment: &Environment, arguments: &RunArguments) -> Result<ExitCode, Failure> {
    arguments.container.check(environment)?;
    let subject = arguments.subject.subject()?;
    let mut machine = session::machine_with(
        environment,
        subject.registry_config(),
        progress::reporter(arguments.progress),
    )?;
    machine.sandbox.mode = arguments.sandbox.mode();
    let scratch = machine.store.scratch_directory()?;
    let sandbox = machine.sandbox.find(scratch.path())?;
    // Boxed, because a build is a large future.
    let find = async || Box::pin(obtain(environment, &machine, &subject, &arguments.lock)).await;
    let (image, roots) = interrupt::run(machine.unpacked(&sandbox, find))?;
    let request = arguments.container.request(
        environment,
        &image.config.config,
        &arguments.command,
        roots,
        scratch.path(),
    );
    let exit = sandbox.run(request)?;
    Ok(ExitCode::from(exit.code()))
}

/// The sandbox's helper process, when this process was started as one.
pub(crate) fn helper() -> Option<ExitCode> {
    let mut arguments = std::env::args_os().skip(1);
    if arguments.next()? != HELPER_ARGUMENT {
        return None;
    }
    let stage = arguments.next().unwrap_or_default();
    Some(ExitCode::from(imagewright_sandbox::helper_main(&stage.to_string_lossy())))
}

async fn obtain(
    environment: &Environment,
    machine: &Machine,
    subject: &Subject,
    lock: &LockArguments,
) -> Result<FoundImage, Failure> {
    Ok(match subject {
        Subject::Spec { spec, arguments } => {
            let request = session::request(environment, (**spec).clone(), &arguments.spec, Some(lock))?;
            // To run is not to push, so what forces a push says nothing here.
            machine.obtain(&BuildRequest { force: false, ..request }).await?
        }
        Subject::Image { reference, platform, .. } => machine.find(reference, platform).await?,
    })
}
