//! How a failure is told, and which exit code it has (design D12).

use std::error::Error as _;
use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;

use imagewright_build::{BuildError, FailureKind};
use serde::Serialize;
use thiserror::Error;

use crate::configuration::ConfigurationError;
use crate::discovery::DiscoveryError;
use crate::spec_request::RequestError;

/// The answer to a question was no.
pub(crate) const NO: u8 = 1;
const USAGE: u8 = 2;
const RESOLUTION: u8 = 3;
const NETWORK: u8 = 4;
const STEP: u8 = 5;
/// The design leaves this to us: a full disk is no bug, and nothing that a spec could mend.
const MACHINE: u8 = 6;
const BUG: u8 = 70;
/// What shells say of a command that Ctrl-C ended.
const INTERRUPTED: u8 = 130;

/// Why a command failed.
#[derive(Debug, Error)]
pub(crate) enum Failure {
    /// The engine's reasons.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// A file could not be read or written; the error names it.
    #[error(transparent)]
    File(#[from] std::io::Error),
    /// The result could not be printed.
    #[error("the result could not be printed")]
    Output { source: std::io::Error },
    /// A setting that cannot be used.
    #[error(transparent)]
    Configuration(#[from] ConfigurationError),
    /// What is on standard input.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// The images of a Python file are not known.
    #[error(transparent)]
    Discovery(#[from] DiscoveryError),
    /// Ctrl-C, or SIGTERM.
    #[error("interrupted; what was finished is kept in the store")]
    Interrupted,
    /// The answer to a question is no, and there is more to say.
    #[error("{message}")]
    No { message: String, hint: Option<String> },
    /// Arguments that do not fit together.
    #[error("{message}")]
    Arguments { message: String, hint: Option<String> },
    /// One of several specs.
    #[error("{spec}: {source}")]
    OfSpec { spec: String, source: Box<Failure> },
}

impl Failure {
    /// What to do about it.
    pub(crate) fn hint(&self) -> Option<String> {
        match self {
            Self::Build(source) => source.hint(),
            Self::File(_) | Self::Output { .. } | Self::Interrupted => None,
            Self::Configuration(source) => source.hint(),
            Self::Request(source) => source.hint(),
            Self::Discovery(source) => source.hint(),
            Self::No { hint, .. } | Self::Arguments { hint, .. } => hint.clone(),
            Self::OfSpec { source, .. } => source.hint(),
        }
    }

    /// Whether network, registry or machine failed, so that another try may have an answer.
    pub(crate) fn is_outage(&self) -> bool {
        matches!(self.exit_code(), NETWORK | MACHINE)
    }

    fn exit_code(&self) -> u8 {
        match self {
            Self::No { .. } => NO,
            Self::Output { .. } => MACHINE,
            Self::Discovery(DiscoveryError::Answer { .. }) => BUG,
            Self::Discovery(_)
            | Self::File(_)
            | Self::Arguments { .. }
            | Self::Configuration(_)
            | Self::Request(_) => USAGE,
            Self::Build(BuildError::Sandbox(source)) if source.shell_code().is_some() => {
                source.shell_code().unwrap_or(BUG)
            }
            Self::Interrupted => INTERRUPTED,
            Self::OfSpec { source, .. } => source.exit_code(),
            Self::Build(source) => match source.kind() {
                FailureKind::Usage => USAGE,
                FailureKind::Resolution => RESOLUTION,
                FailureKind::Network => NETWORK,
                FailureKind::Step => STEP,
                FailureKind::Machine => MACHINE,
                FailureKind::Internal => BUG,
            },
        }
    }
}

macro_rules! from_engine {
    ($($error:ty),*) => { $(impl From<$error> for Failure {
        fn from(error: $error) -> Self {
            Self::Build(error.into())
        }
    })* };
}
from_engine!(
    imagewright_spec::SpecError,
    imagewright_recipe::RecipeError,
    imagewright_lock::LockError,
    imagewright_sandbox::SandboxError,
    imagewright_store::StoreError
);

/// What is told of a failure; the object in the file that `--failure-file` names.
#[derive(Debug, Serialize)]
pub(crate) struct Told {
    exit_code: u8,
    message: String,
    causes: Vec<String>,
    hint: Option<String>,
}

impl Told {
    pub(crate) fn of(failure: &Failure) -> Self {
        let message = failure.to_string();
        let (mut causes, mut last) = (Vec::new(), message.clone());
        for cause in std::iter::successors(failure.source(), |&error| error.source()) {
            let cause = cause.to_string();
            // Some errors quote their cause, to say enough on their own.
            if !last.ends_with(&cause) {
                causes.push(cause.clone());
            }
            last = cause;
        }
        Self { exit_code: failure.exit_code(), message, causes, hint: failure.hint() }
    }

    pub(crate) fn text(&self) -> String {
        let causes = self.causes.iter().map(|cause| format!("  because: {cause}\n"));
        let hint = self.hint.iter().flat_map(|hint| hint.lines()).map(|line| format!("hint: {line}\n"));
        std::iter::once(format!("error: {}\n", self.message)).chain(causes).chain(hint).collect()
    }
}

/// Tells the failure, its causes and the hint: to people on stderr, or to a program in the file that it named.
pub(crate) fn report(failure: &Failure, file: Option<&Path>) -> ExitCode {
    let told = Told::of(failure);
    let json = || serde_json::to_vec(&told).expect("texts and a number serialise");
    let is_told = file.is_some_and(|file| fs_err::write(file, json()).is_ok());
    if !is_told {
        // A closed stderr is nothing that could be told to anyone.
        drop(std::io::stderr().write_all(told.text().as_bytes()));
    }
    ExitCode::from(told.exit_code)
}

/// Ends the process after a signal, when it cannot end by itself soon enough.
#[expect(clippy::exit, reason = "threads that are in the middle of something are not waited for")]
pub(crate) fn leave_interrupted() -> ! {
    report(&Failure::Interrupted, None);
    std::process::exit(INTERRUPTED.into())
}
