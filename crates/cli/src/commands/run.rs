use std::process::ExitCode;

use clap::Args;
use imagewright_build::{BuildRequest, FailedStep, FoundImage, Machine, Revisit};

use super::tell;
use crate::arguments::{LockArguments, ProgressStyle};
use crate::container::ContainerArguments;
use crate::environment::Environment;
use crate::failure::Failure;
use crate::runtime_packages::install_first;
use crate::sandbox_arguments::SandboxArguments;
use crate::subject::{Subject, SubjectArguments};
use crate::{interrupt, progress, session};

/// Run a command in an image, without Docker; the image of a spec is built first if it is not there.
///
/// The command has this terminal, the image's environment, user, working directory and entry point, and a file
/// system of its own that is gone afterwards. The exit code is the command's: 128 and the signal's number if one
/// killed it, 127 if the image has no such program, 126 if it cannot be executed. The `runtime_packages` of a spec are
/// installed first, by the image's user; the exit code is 125 if that fails.
#[derive(Debug, Args)]
#[command(mut_arg("image", |image| image.required(false).required_unless_present("failed").index(1)))]
pub(crate) struct RunArguments {
    #[command(flatten)]
    subject: SubjectArguments,
    /// Look at the last step that failed, of the spec's build or of any: a shell, or the command, starts in its root as it
    /// left it, with its environment, working directory, user and caches. Secrets are not there.
    #[arg(long)]
    failed: bool,
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
    #[arg(last = true, index = 2)]
    command: Vec<String>,
}

pub(crate) fn run(environment: &Environment, arguments: &RunArguments) -> Result<ExitCode, Failure> {
    arguments.container.check(environment)?;
    if arguments.failed {
        return run_failed(environment, arguments);
    }
    let subject = arguments.subject.subject(environment)?;
    let mut machine =
        session::machine_with(environment, subject.spec(), progress::reporter(arguments.progress))?;
    machine.sandbox.mode = arguments.sandbox.mode();
    let scratch = machine.store.scratch_directory()?;
    let sandbox = machine.sandbox.find(scratch.path())?;
    // Boxed, because a build is a large future.
    let find = async || Box::pin(obtain(environment, &machine, &subject, &arguments.lock)).await;
    let (image, roots) = interrupt::run_with(&machine.store, machine.unpacked(&sandbox, find))?;
    let mut request = arguments.container.request(
        environment,
        &image.config.config,
        &arguments.command,
        roots,
        scratch.path(),
    );
    if let Some(spec) = subject.spec() {
        install_first(&mut request, spec, &machine.host)?;
    }
    let exit = sandbox.run(request)?;
    Ok(ExitCode::from(exit.code()))
}

/// Runs a command where the last step failed.
fn run_failed(environment: &Environment, arguments: &RunArguments) -> Result<ExitCode, Failure> {
    let subject = arguments.subject.subject_if_any(environment)?;
    let image = match &subject {
        Some(Subject::Spec { asked, .. }) => Some(asked.spec.image_name(&environment.directory)?),
        Some(Subject::Image { reference, .. }) => Some(reference.clone()),
        None => None,
    };
    let spec = subject.as_ref().and_then(Subject::spec);
    let mut machine = session::machine_with(environment, spec, progress::reporter(arguments.progress))?;
    machine.sandbox.mode = arguments.sandbox.mode();
    let failed = machine.failed_step(image.as_ref())?;
    let FailedStep { image, origin, exit, .. } = &failed;
    let image = image.familiar();
    tell(arguments.progress, format!("  looking at {origin} of {image}, which failed with {exit}"));
    let scratch = machine.store.scratch_directory()?;
    let sandbox = machine.sandbox.find(scratch.path())?;
    let revisit = async { Ok::<_, Failure>(machine.revisit(&sandbox, &failed).await?) };
    let Revisit { config, roots, binds } = interrupt::run_with(&machine.store, revisit)?;
    let mut request =
        arguments.container.request(environment, &config, &arguments.command, roots, scratch.path());
    request.binds.splice(0..0, binds);
    let exit = sandbox.run(request)?;
    Ok(ExitCode::from(exit.code()))
}

async fn obtain(
    environment: &Environment,
    machine: &Machine,
    subject: &Subject,
    lock: &LockArguments,
) -> Result<FoundImage, Failure> {
    Ok(match subject {
        Subject::Spec { asked } => {
            let request = session::request(environment, (**asked).clone(), Some(lock))?;
            // To run is not to push, so what forces a push says nothing here.
            machine.obtain(&BuildRequest { force: false, ..request }).await?
        }
        Subject::Image { reference, platform, .. } => machine.find(reference, platform).await?,
    })
}
