//! Container engines, each loaded through the program that people use it with: that knows where the engine is.

use std::fmt;
use std::io::{self, ErrorKind::BrokenPipe};
use std::pin::pin;
use std::process::{ExitStatus, Stdio};
use std::str::FromStr;
use std::time::Duration;

use imagewright_lock::uv::Host;
use thiserror::Error;
use tokio::process::{Child, Command};
use tokio::time::timeout;

use super::error::SinkError;
use super::freight::Freight;
use super::{Format, docker_archive, oci_archive, write_to};
use crate::BuildError;
use crate::blocking::blocking;

/// How long an engine may take to unpack what it has read.
const LIMIT: Duration = Duration::from_mins(20);

/// How much of what an engine says is told.
const SAID: usize = 4096;

/// A container engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Engine {
    /// Docker, where `docker` finds it: `DOCKER_HOST`, or its context.
    Docker,
    /// Podman.
    Podman,
    /// containerd, where `ctr` finds it.
    Containerd {
        /// The namespace of the image, if it is not `ctr`'s own choice.
        namespace: Option<String>,
    },
}

/// Why an engine did not take an image.
#[derive(Debug, Error)]
pub enum EngineError {
    /// Its program could not be started or waited for.
    #[error("its program could not be run")]
    Start {
        /// Why.
        #[from]
        source: io::Error,
    },
    /// Its program ended with a failure.
    #[error("its program ended with {status}: {said}")]
    Failed {
        /// How.
        status: ExitStatus,
        /// What it said.
        said: String,
    },
    /// It took too long.
    #[error("it read all of the image, and was not done {} minutes later", LIMIT.as_secs() / 60)]
    TookTooLong,
}

/// A text that names no engine.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("it is none of `docker`, `podman`, `containerd` and `containerd:NAMESPACE`")]
pub struct UnknownEngine;

impl EngineError {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Failed { .. } | Self::TookTooLong => {
                Some("see whether the engine runs, and whether you may use it".to_owned())
            }
            Self::Start { .. } => None,
        }
    }
}

impl FromStr for Engine {
    type Err = UnknownEngine;

    fn from_str(text: &str) -> Result<Self, UnknownEngine> {
        match text.split_once(':') {
            None if text == "docker" => Ok(Self::Docker),
            None if text == "podman" => Ok(Self::Podman),
            None if text == "containerd" => Ok(Self::Containerd { namespace: None }),
            Some(("containerd", name)) if !name.is_empty() => {
                Ok(Self::Containerd { namespace: Some(name.to_owned()) })
            }
            _ => Err(UnknownEngine),
        }
    }
}

impl fmt::Display for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Docker => f.write_str("docker"),
            Self::Podman => f.write_str("podman"),
            Self::Containerd { namespace: None } => f.write_str("containerd"),
            Self::Containerd { namespace: Some(name) } => write!(f, "containerd:{name}"),
        }
    }
}

impl Engine {
    fn program(&self) -> &'static str {
        match self {
            Self::Docker => "docker",
            Self::Podman => "podman",
            Self::Containerd { .. } => "ctr",
        }
    }

    fn arguments(&self) -> Vec<&str> {
        match self {
            Self::Docker => vec!["load"],
            Self::Podman => vec!["load", "--quiet"],
            Self::Containerd { namespace: None } => vec!["images", "import", "-"],
            Self::Containerd { namespace: Some(name) } => {
                vec!["--namespace", name, "images", "import", "-"]
            }
        }
    }

    /// containerd keeps an image's manifest, so its digest stays; the others have their own format.
    fn format(&self) -> Format {
        match self {
            Self::Docker | Self::Podman => docker_archive::write,
            Self::Containerd { .. } => oci_archive::write,
        }
    }

    pub(super) fn check(&self, host: &Host) -> Result<(), SinkError> {
        let program = self.program();
        let is_there = host.path().iter().any(|folder| folder.join(program).is_file());
        if is_there { Ok(()) } else { Err(SinkError::NoProgram { program }) }
    }

    /// Streams the image into the engine.
    pub(super) async fn load(&self, freight: Freight) -> Result<(), BuildError> {
        let failed = |source| SinkError::Engine { engine: self.to_string(), source };
        let (child, pipe) = self.start().map_err(|source| failed(source.into()))?;
        let format = self.format();
        let mut writing = pin!(blocking(move || write_to(&freight, format, pipe).map(drop)));
        // What it says is read meanwhile: a full pipe on that side would stop the one on this side.
        let mut ending = pin!(child.wait_with_output());
        let (sent, output) = tokio::select! {
            output = &mut ending => (writing.await, output),
            sent = &mut writing => match timeout(LIMIT, ending).await {
                Ok(output) => (sent, output),
                Err(_) => return Err(failed(EngineError::TookTooLong).into()),
            },
        };
        let output = output.map_err(|source| failed(source.into()))?;
        match sent {
            // It may have had enough before the padding at the end, or before anything.
            Err(BuildError::Sink(SinkError::Write { source, .. })) if source.kind() == BrokenPipe => {}
            sent => sent?,
        }
        if output.status.success() {
            return Ok(());
        }
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said[said.len().saturating_sub(SAID)..]).trim().to_owned();
        Err(failed(EngineError::Failed { status: output.status, said }).into())
    }

    fn start(&self) -> io::Result<(Child, std::fs::File)> {
        #[expect(clippy::disallowed_methods, reason = "the one place that starts the program of an engine")]
        let mut command = std::process::Command::new(self.program());
        command.args(self.arguments()).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = Command::from(command).kill_on_drop(true).spawn()?;
        let pipe = child.stdin.take().expect("stdin is piped").into_owned_fd()?;
        Ok((child, pipe.into()))
    }
}
