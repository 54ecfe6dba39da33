//! The peers of the tests: a registry and a Docker daemon, started on directories of their own and stopped again.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Result, bail};

use crate::process::{command, step, variable};
use crate::workspace::Workspace;
use crate::{bases, debian, oracle};

mod docker;
mod registry;
mod server;

pub(crate) use docker::Docker;
pub(crate) use registry::Registry;

/// A Python interpreter with flytekit, packaging, uv and pip.
pub(crate) const ORACLE: &str = "IMAGEWRIGHT_TEST_ORACLE";
/// `1`: the package indexes may be used.
pub(crate) const NETWORK: &str = "IMAGEWRIGHT_TEST_NETWORK";
/// `1`: the programs of the peers are installed and may be started.
pub(crate) const PEERS: &str = "IMAGEWRIGHT_TEST_PEERS";
/// `localhost:PORT` of a running registry.
pub(crate) const REGISTRY: &str = "IMAGEWRIGHT_TEST_REGISTRY";
/// The socket of a running Docker daemon.
pub(crate) const DOCKER: &str = "IMAGEWRIGHT_TEST_DOCKER";
/// The repository prefix of the base images in that registry.
pub(crate) const BASES: &str = "IMAGEWRIGHT_TEST_BASES";

/// A Python interpreter that has this checkout's package, flytekit and flyte.
pub(crate) const PYTHON: &str = "IMAGEWRIGHT_TEST_PYTHON";

/// Run a command with a registry, a Docker daemon and the base images beside it.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The command and its arguments; without it a shell.
    #[arg(last = true)]
    command: Vec<OsString>,
}

/// Starts the peers, runs the command, stops the peers.
pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let workspace = Workspace::find()?;
    let prepared = Prepared::new(&workspace)?;
    let running = Running::start(&workspace, &prepared)?;
    for (name, value) in &running.variables {
        eprintln!("export {name}={}", value.display());
    }
    let shell = [variable("SHELL").unwrap_or_else(|| "sh".into())];
    let words = if arguments.command.is_empty() { &shell[..] } else { &arguments.command };
    let status = command(&words[0]).args(&words[1..]).envs(&running.variables).status()?;
    Ok(status.code().and_then(|code| u8::try_from(code).ok()).map_or(ExitCode::FAILURE, ExitCode::from))
}

/// What is installed on this machine, before anything is started.
#[derive(Debug)]
pub(crate) struct Prepared {
    /// What the tests may rely on.
    variables: BTreeMap<&'static str, OsString>,
    /// Whether the peers may be started, and the base images made.
    startable: bool,
}

impl Prepared {
    /// Installs what may be installed. What is missing after that is named; where `CI` is set it is an error.
    pub(crate) fn new(workspace: &Workspace) -> Result<Self> {
        let missing = step("Debian packages", debian::ensure)?;
        let python = step("Python environment", || oracle::ensure(workspace))?;
        let network = oracle::has_network(&python)?;
        let root = rustix::process::geteuid().is_root();
        let mut absent = Vec::new();
        if !missing.is_empty() {
            absent.push(format!("Debian packages: apt-get install {}", missing.join(" ")));
        }
        if !root {
            absent.push("root, to start a Docker daemon".to_owned());
        }
        if !network {
            absent.push("the package index, as pip is configured to reach it".to_owned());
        }
        for what in &absent {
            eprintln!("missing: {what}");
        }
        if !absent.is_empty() && variable("CI").is_some() {
            bail!("CI may not skip tests, and this machine lacks what they need");
        }
        let startable = missing.is_empty() && root;
        let mut variables = BTreeMap::from([(ORACLE, python.into_os_string())]);
        if network {
            variables.insert(NETWORK, "1".into());
        }
        if startable {
            variables.insert(PEERS, "1".into());
        }
        Ok(Self { variables, startable: startable && network })
    }

    /// Whether the package indexes may be used.
    pub(crate) fn has_network(&self) -> bool {
        self.variables.contains_key(NETWORK)
    }

    /// Whether the peers may be started here, and the base images made.
    pub(crate) fn is_startable(&self) -> bool {
        self.startable
    }

    /// The interpreter that the tests compare with.
    pub(crate) fn python(&self) -> &Path {
        Path::new(&self.variables[ORACLE])
    }
}

/// Peers that run until this is dropped.
#[derive(Debug)]
pub(crate) struct Running {
    /// What to tell the tests.
    pub(crate) variables: BTreeMap<&'static str, OsString>,
    _servers: Option<(Registry, Docker)>,
}

impl Running {
    /// Starts the peers, or takes those that the environment names already.
    pub(crate) fn start(workspace: &Workspace, prepared: &Prepared) -> Result<Self> {
        let mut variables = prepared.variables.clone();
        if !prepared.startable || variable(REGISTRY).is_some() && variable(DOCKER).is_some() {
            return Ok(Self { variables, _servers: None });
        }
        let content = bases::ensure(workspace, prepared.python())?;
        step("peers", || {
            let registry = Registry::start(workspace, Some(&content))?;
            let docker = Docker::start(workspace)?;
            variables.extend([
                (REGISTRY, registry.authority().into()),
                (BASES, bases::prefix(registry.authority()).into()),
                (DOCKER, docker.socket().into()),
            ]);
            Ok(Self { variables, _servers: Some((registry, docker)) })
        })
    }
}
