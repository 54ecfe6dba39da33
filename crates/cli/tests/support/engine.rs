//! Docker's engine, for the docker builder.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use super::peers::{Peers, oracle, variable};
use super::process::{Run, run_within};
use super::workshop::{Workshop, unique};

const LIMIT: Duration = Duration::from_mins(5);
/// Where Debian puts Docker's client. Another one, earlier on `PATH`, may have no BuildKit.
const CLIENT: &str = "/usr/bin/docker";

/// Docker, for builds: an engine without a bridge, so with the machine's own network.
#[derive(Debug)]
pub(crate) struct Engine {
    pub(crate) peers: Peers,
    pub(crate) workshop: Workshop,
    /// The image that has uv.
    pub(crate) uv_image: String,
}

impl Engine {
    /// The engine, and a workshop with downloads; without peers the caller skips.
    pub(crate) fn find() -> Option<Self> {
        Self::with(Peers::find()?, Workshop::warm())
    }

    /// The engine, for a workshop that is there.
    pub(crate) fn with(peers: Peers, workshop: Workshop) -> Option<Self> {
        let uv_image = format!("{}/{}:1", peers.registry, unique("uv"));
        let engine = Self { peers, workshop, uv_image };
        let uv = oracle()?.with_file_name("uv");
        fs_err::create_dir_all(engine.workshop.path("uv")).unwrap();
        fs_err::copy(uv, engine.workshop.path("uv/uv")).unwrap();
        fs_err::write(engine.workshop.path("uv/Dockerfile"), "FROM scratch\nCOPY uv /uv\n").unwrap();
        let folder = engine.workshop.path("uv").display().to_string();
        engine.docker(&["build", "--quiet", "--tag", &engine.uv_image, &folder]);
        Some(engine)
    }

    /// What Docker's client prints.
    #[track_caller]
    #[expect(clippy::disallowed_methods, reason = "peers are programs")]
    pub(crate) fn docker(&self, arguments: &[&str]) -> String {
        let mut client = Command::new(CLIENT);
        client.args(["--host", &self.host()]).args(arguments).env("DOCKER_BUILDKIT", "1");
        run_within(&mut client, LIMIT).expect(0).stdout
    }

    fn host(&self) -> String {
        format!("unix://{}", self.peers.docker)
    }

    /// Writes a spec over the base that has Python.
    pub(crate) fn spec(&self, name: &str, more: &str) {
        let Peers { registry, bases, .. } = &self.peers;
        let text = format!(
            "name: {name}\nregistry: {registry}\nbase_image: {bases}/debian-python:bookworm\n\
             builder_config: {{uv_image: '{}'}}\nbuilder: docker\n{more}",
            self.uv_image
        );
        self.workshop.write("image.yaml", text);
    }

    /// Runs the command, with Docker for its builds.
    #[track_caller]
    pub(crate) fn run(&self, arguments: &[&str]) -> Run {
        let mut command = self.workshop.command(arguments);
        let folder = Path::new(CLIENT).parent().unwrap().display();
        let path = format!("{folder}:{}", variable("PATH").unwrap_or_default());
        command.env("DOCKER_HOST", self.host()).env("PATH", path);
        run_within(command.env("IMAGEWRIGHT_DOCKER_BUILD_ARGUMENTS", "--network host"), LIMIT)
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.docker(&["image", "rm", "--force", &self.uv_image]);
        }
    }
}
