//! Debian's docker-registry on a free port of the loopback interface.

use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::server::{Server, fresh};
use crate::process::{command, find, run};
use crate::workspace::Workspace;

/// A registry that runs until it is dropped.
#[derive(Debug)]
pub(crate) struct Registry {
    server: Server,
    authority: String,
    storage: PathBuf,
}

impl Registry {
    /// Starts a registry with a copy of `content` (a directory that another registry left), or empty.
    pub(crate) fn start(workspace: &Workspace, content: Option<&Path>) -> Result<Self> {
        let folder = fresh(&workspace.cache("run"), "registry")?;
        let storage = folder.join("storage");
        fs_err::create_dir(&storage)?;
        if let Some(content) = content {
            run(command("cp").arg("--archive").arg(content.join(".")).arg(&storage))?;
        }
        Self::on(workspace, &storage, &[&folder])
    }

    /// Starts a registry on a directory and leaves it there.
    pub(crate) fn keeping(workspace: &Workspace, storage: &Path) -> Result<Self> {
        Self::on(workspace, storage, &[])
    }

    fn on(workspace: &Workspace, storage: &Path, folders: &[&Path]) -> Result<Self> {
        let port = free_port()?;
        let settings = workspace.cache("run").join(format!("registry-{port}.yml"));
        fs_err::create_dir_all(workspace.cache("run"))?;
        fs_err::write(&settings, configuration(storage, port))?;
        let mut registry = command(find("docker-registry").context("docker-registry is not installed")?);
        registry.arg("serve").arg(&settings);
        let mut server = Server::start(workspace, &registry, folders)?;
        server.wait("/v2/", || TcpStream::connect((Ipv4Addr::LOCALHOST, port)).ok())?;
        fs_err::remove_file(settings)?;
        Ok(Self { server, authority: format!("localhost:{port}"), storage: storage.to_owned() })
    }

    /// `localhost:PORT`, as in an image reference.
    pub(crate) fn authority(&self) -> &str {
        &self.authority
    }

    /// The digests of the blobs that were sent to it whole, in this order, as its log has them.
    pub(crate) fn sent(&self) -> Result<Vec<String>> {
        let log = String::from_utf8_lossy(&fs_err::read(self.server.log())?).into_owned();
        let created = log.lines().filter(|line| line.contains("HTTP/1.1\" 201 "));
        let sent = created.filter(|line| line.contains("\"PUT /v2/") && line.contains("/blobs/uploads/"));
        sent.map(|line| {
            let (_, digest) = line.split_once("digest=sha256%3A").context("an upload has a digest")?;
            Ok(digest.chars().take_while(char::is_ascii_hexdigit).collect())
        })
        .collect()
    }

    /// The directory that holds its blobs.
    pub(crate) fn storage(&self) -> &Path {
        &self.storage
    }
}

/// JSON is YAML, too, and quotes a path for us.
fn configuration(storage: &Path, port: u16) -> String {
    serde_json::json!({
        "version": "0.1",
        "log": { "level": "warn" },
        "storage": {
            "filesystem": { "rootdirectory": storage },
            "delete": { "enabled": true },
            "maintenance": { "uploadpurging": { "enabled": false } },
        },
        "http": { "addr": format!("127.0.0.1:{port}") },
    })
    .to_string()
}

fn free_port() -> Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no free port")?;
    Ok(listener.local_addr()?.port())
}
