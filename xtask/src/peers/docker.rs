//! Debian's dockerd on directories and a socket of its own.

use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use super::server::{Server, fresh};
use crate::debian::DOCKER;
use crate::process::{command, find};
use crate::workspace::Workspace;

/// A Docker daemon that runs until it is dropped.
#[derive(Debug)]
pub(crate) struct Docker {
    _server: Server,
    socket: PathBuf,
}

impl Docker {
    /// Starts a daemon without images.
    ///
    /// It makes no bridge and leaves the machine's firewall alone. Loopback registries are insecure ones for it by its
    /// own default, and it takes the best storage driver that the file system carries.
    pub(crate) fn start(workspace: &Workspace) -> Result<Self> {
        let data = fresh(&workspace.cache("run"), "docker")?;
        // The path of a socket has at most 107 bytes, which a target directory may exceed.
        let short = fresh(&std::env::temp_dir(), "imagewright-docker")?;
        let socket = short.join("docker.sock");
        let mut dockerd = command(find("dockerd").context("dockerd is not installed")?);
        dockerd
            .args(["--bridge=none", "--iptables=false", "--ip6tables=false", "--ip-forward=false"])
            .args(["--log-level=warn", "--group=root"])
            .arg("--data-root")
            .arg(&data)
            .arg("--exec-root")
            .arg(short.join("exec"))
            .arg("--pidfile")
            .arg(short.join("dockerd.pid"))
            .arg("--host")
            .arg(format!("unix://{}", socket.display()));
        let mut server = Server::start(workspace, &dockerd, &[&data, &short])?;
        server.wait("/_ping", || UnixStream::connect(&socket).ok())?;
        Ok(Self { _server: server, socket })
    }

    /// The socket.
    pub(crate) fn socket(&self) -> &Path {
        &self.socket
    }

    /// The client, pointed at this daemon.
    pub(crate) fn client(&self) -> Command {
        let mut client = command(DOCKER);
        client.arg("--host").arg(format!("unix://{}", self.socket.display()));
        client
    }
}
