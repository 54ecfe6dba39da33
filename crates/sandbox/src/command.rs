use std::path::PathBuf;

use imagewright_oci::ContainerConfig;
use serde::{Deserialize, Serialize};

use crate::SecretFile;

/// A command to run in a root file system.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunRequest {
    /// The unpacked layers, lowest first. A directory that occurs more than once counts where it is highest.
    pub roots: Vec<PathBuf>,
    /// An empty directory for what the command writes, on a file system that can be an overlay's upper one. It is
    /// empty again when the run has ended.
    pub scratch: PathBuf,
    /// The program and its arguments. A name without a slash is looked for in the `PATH` of `env`.
    pub argv: Vec<String>,
    /// `NAME=value`, the whole environment; of two equal names the later counts. `HOME` and `PATH` are added if
    /// they are missing.
    pub env: Vec<String>,
    /// Where the command starts, absolute in the image; made if it is missing.
    pub cwd: PathBuf,
    /// Who runs it, as in an image configuration: `name`, `uid`, `name:group` or `uid:gid`; empty for root.
    pub user: String,
    /// Files and directories of the machine that the command sees.
    pub binds: Vec<Bind>,
    /// What it is trusted with.
    pub secrets: Vec<SecretFile>,
    /// What network it has.
    pub network: Network,
    /// Whether it is a step after which others run in the same scratch directory, each above what the one before has
    /// changed. Where that saves work, the directory is not empty then when it has ended.
    pub is_of_series: bool,
}

/// A file or directory of the machine that is seen in the image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bind {
    /// Where it is on the machine.
    pub source: PathBuf,
    /// Where it is seen in the image, absolute; an empty place for it is made if there is none.
    pub target: PathBuf,
    /// Whether the command may change it.
    pub writable: bool,
}

/// What network a command has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Network {
    /// The machine's, with its `/etc/resolv.conf` and `/etc/hosts`.
    #[default]
    Host,
    /// None, not even the loopback interface.
    None,
}

impl RunRequest {
    /// What a container of this configuration would start: the entry point with `command`, or with the
    /// configuration's own command if `command` is empty.
    pub fn of_image(
        config: &ContainerConfig,
        command: Vec<String>,
        roots: Vec<PathBuf>,
        scratch: PathBuf,
    ) -> Self {
        let command = if command.is_empty() { config.cmd.clone().unwrap_or_default() } else { command };
        Self {
            roots,
            scratch,
            argv: config.entrypoint.iter().flatten().cloned().chain(command).collect(),
            env: config.env.clone().unwrap_or_default(),
            cwd: config.working_dir.as_deref().filter(|path| !path.is_empty()).unwrap_or("/").into(),
            user: config.user.clone().unwrap_or_default(),
            binds: Vec::new(),
            secrets: Vec::new(),
            network: Network::default(),
            is_of_series: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_replaces_the_configured_one_but_not_the_entry_point() {
        let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        for (entrypoint, cmd, command, argv) in [
            (None, None, "id -u", "id -u"),
            (None, Some("bash"), "", "bash"),
            (Some("tini --"), Some("bash"), "", "tini -- bash"),
            (Some("tini --"), Some("bash"), "id", "tini -- id"),
        ] {
            let config = ContainerConfig {
                entrypoint: entrypoint.map(words),
                cmd: cmd.map(words),
                ..ContainerConfig::default()
            };
            let request = RunRequest::of_image(&config, words(command), Vec::new(), PathBuf::new());
            assert_eq!(request.argv, words(argv));
            assert_eq!(request.cwd, PathBuf::from("/"));
        }
    }
}
