//! How a command starts in an image: what the image says, changed by the command line as `docker run` does it.

use std::io::{ErrorKind, IsTerminal as _};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use clap::{Args, ValueEnum};
use imagewright_oci::ContainerConfig;
use imagewright_sandbox::{Bind, Network, RunRequest};
use thiserror::Error;

use crate::environment::Environment;
use crate::failure::Failure;

/// How the command starts.
#[derive(Debug, Args)]
pub(crate) struct ContainerArguments {
    /// Set a variable of the command's environment; without a value, pass this machine's on. Repeatable.
    #[arg(short, long, value_name = "NAME[=VALUE]")]
    env: Vec<Variable>,
    /// Start in this directory instead of the image's; it is made if it is missing.
    #[arg(short, long, value_name = "DIRECTORY", value_parser = absolute)]
    workdir: Option<PathBuf>,
    /// Run as this user instead of the image's: `name`, `uid`, `name:group` or `uid:gid`.
    #[arg(short, long, value_name = "USER[:GROUP]")]
    user: Option<String>,
    /// Show a file or directory of this machine in the image. Repeatable.
    #[arg(short, long, value_name = "HOST:IMAGE[:ro]")]
    volume: Vec<Volume>,
    /// Start this program instead of the image's entry point, whose default command is void then.
    #[arg(long, value_name = "PROGRAM")]
    entrypoint: Option<String>,
    /// What network the command has.
    #[arg(long, value_enum, default_value_t)]
    network: NetworkChoice,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum NetworkChoice {
    /// This machine's.
    #[default]
    Host,
    /// None at all.
    None,
}

/// A variable to set, or to pass on.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Variable {
    name: String,
    value: Option<String>,
}

/// A file or directory to show.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Volume {
    host: PathBuf,
    image: PathBuf,
    writable: bool,
}

/// An argument that says nothing that could be done.
#[derive(Debug, Error)]
enum ArgumentError {
    #[error("it has no name before the `=`")]
    NoName,
    #[error("`{}` is not an absolute path", path.display())]
    Relative { path: PathBuf },
    #[error("it is not of the form HOST:IMAGE or HOST:IMAGE:ro")]
    NotAVolume,
}

impl ContainerArguments {
    /// Fails if a volume is not there, before there is any work.
    pub(crate) fn check(&self, environment: &Environment) -> Result<(), Failure> {
        for Volume { host, image, .. } in &self.volume {
            fs_err::metadata(environment.directory.join(host)).map_err(|error| Failure::Arguments {
                message: match error.kind() {
                    ErrorKind::NotFound => format!(
                        "there is no `{0}`, which `--volume {0}:{1}` shows",
                        host.display(),
                        image.display()
                    ),
                    _ => format!("`--volume {}:{}`: {error}", host.display(), image.display()),
                },
                hint: Some("make the file or directory first: on this machine nothing is made".to_owned()),
            })?;
        }
        Ok(())
    }

    /// The request to run `command`, or the image's own command if that is empty.
    pub(crate) fn request(
        &self,
        environment: &Environment,
        config: &ContainerConfig,
        command: &[String],
        roots: Vec<PathBuf>,
        scratch: &Path,
    ) -> RunRequest {
        let mut config = config.clone();
        if std::io::stdin().is_terminal()
            && let Some(terminal) = environment.get("TERM")
            && config.env_value("TERM").is_none()
        {
            config.set_env("TERM", terminal);
        }
        for Variable { name, value } in &self.env {
            let passed_on = || environment.variables.get(name).cloned();
            if let Some(value) = value.clone().or_else(passed_on) {
                config.set_env(name, &value);
            }
        }
        if let Some(program) = &self.entrypoint {
            config.entrypoint = Some(vec![program.clone()]);
            config.cmd = None;
        }
        if let Some(user) = &self.user {
            config.user = Some(user.clone());
        }
        let mut request = RunRequest::of_image(&config, command.to_vec(), roots, scratch.to_owned());
        if let Some(directory) = &self.workdir {
            request.cwd.clone_from(directory);
        }
        request.binds = self.volume.iter().map(|volume| volume.bind(&environment.directory)).collect();
        request.network = match self.network {
            NetworkChoice::Host => Network::Host,
            NetworkChoice::None => Network::None,
        };
        request
    }
}

impl Volume {
    fn bind(&self, directory: &Path) -> Bind {
        let Self { host, image, writable } = self;
        Bind { source: directory.join(host), target: image.clone(), writable: *writable }
    }
}

impl FromStr for Variable {
    type Err = ArgumentError;

    fn from_str(text: &str) -> Result<Self, ArgumentError> {
        let (name, value) = match text.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (text, None),
        };
        if name.is_empty() {
            return Err(ArgumentError::NoName);
        }
        Ok(Self { name: name.to_owned(), value })
    }
}

impl FromStr for Volume {
    type Err = ArgumentError;

    fn from_str(text: &str) -> Result<Self, ArgumentError> {
        let parts: Vec<&str> = text.split(':').collect();
        let (host, image, writable) = match parts[..] {
            [host, image] | [host, image, "rw"] => (host, image, true),
            [host, image, "ro"] => (host, image, false),
            _ => return Err(ArgumentError::NotAVolume),
        };
        if host.is_empty() {
            return Err(ArgumentError::NotAVolume);
        }
        Ok(Self { host: host.into(), image: absolute(image)?, writable })
    }
}

fn absolute(text: &str) -> Result<PathBuf, ArgumentError> {
    let path = PathBuf::from(text);
    if path.is_absolute() { Ok(path) } else { Err(ArgumentError::Relative { path }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn volumes_are_read_as_docker_writes_them() {
        let volume =
            |host: &str, image: &str, writable| Volume { host: host.into(), image: image.into(), writable };
        for (text, expected) in [
            ("/a:/b", volume("/a", "/b", true)),
            ("./a:/b:ro", volume("./a", "/b", false)),
            ("a:/b:rw", volume("a", "/b", true)),
        ] {
            assert_eq!(text.parse::<Volume>().unwrap(), expected, "{text}");
        }
        for text in ["", "/a", ":/b", "/a:b", "/a:/b:z", "/a:/b:ro:ro"] {
            assert!(text.parse::<Volume>().is_err(), "{text}");
        }
    }

    #[test]
    fn variables_have_names() {
        let variable = |text: &str| text.parse::<Variable>().map(|variable| (variable.name, variable.value));
        assert_eq!(variable("A=b=c").unwrap(), ("A".to_owned(), Some("b=c".to_owned())));
        assert_eq!(variable("A").unwrap(), ("A".to_owned(), None));
        assert_eq!(variable("A=").unwrap(), ("A".to_owned(), Some(String::new())));
        assert!(variable("=b").is_err());
    }
}
