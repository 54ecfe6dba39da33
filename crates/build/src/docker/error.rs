use std::io;
use std::path::PathBuf;
use std::process::ExitStatus;

use imagewright_oci::Platform;
use thiserror::Error;

/// Why Docker did not build an image.
#[derive(Debug, Error)]
pub enum DockerError {
    /// Docker's client is not there.
    #[error("there is no program `docker`, which the docker builder runs")]
    NoProgram,
    /// It could not be started or waited for.
    #[error("`docker {what}` could not be run")]
    Start {
        /// Its first arguments.
        what: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The image cannot be built.
    #[error("`docker {what}` failed with {status}; it wrote last:\n{}", indented(last_lines))]
    Build {
        /// Its first arguments.
        what: String,
        /// How it ended.
        status: ExitStatus,
        /// What it wrote last.
        last_lines: Vec<String>,
    },
    /// The image cannot be pushed.
    #[error("`docker push {image}` failed with {status}; it wrote last:\n{}", indented(last_lines))]
    Push {
        /// Its name.
        image: String,
        /// How it ended.
        status: ExitStatus,
        /// What it wrote last.
        last_lines: Vec<String>,
    },
    /// Docker does not say what it has.
    #[error("`docker image inspect {image}` says what cannot be understood: `{said}`")]
    Inspection {
        /// The image's name.
        image: String,
        /// What it says.
        said: String,
    },
    /// The engine cannot be asked.
    #[error("Docker does not answer: {said}")]
    NoEngine {
        /// What its client says.
        said: String,
    },
    /// An image for several platforms.
    #[error(
        "the docker builder makes an image for one platform, not for {}: what is pinned differs between them, and a \
         Dockerfile has one of each",
        platforms.iter().map(Platform::to_string).collect::<Vec<_>>().join(", ")
    )]
    SeveralPlatforms {
        /// What the image is for.
        platforms: Vec<Platform>,
    },
    /// A build that is to use what is on this machine only.
    #[error(
        "the docker builder cannot build with `--offline`: Docker fetches the image's packages by itself"
    )]
    Offline,
    /// Something that no Dockerfile can say.
    #[error("a Dockerfile cannot hold the line break in `{text}`")]
    Unwritable {
        /// The text, or the name of the variable that has it.
        text: String,
    },
    /// A base that Docker cannot start from.
    #[error("base_image: Docker does not build over {image}")]
    LocalBase {
        /// As the spec names it.
        image: String,
    },
    /// A file of credentials that cannot be read.
    #[error("the credentials in {} cannot be read", path.display())]
    Login {
        /// Which one.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// The context cannot be written.
    #[error("the build context could not be written")]
    Context {
        /// Why.
        #[source]
        source: io::Error,
    },
    /// An image that is nowhere but in Docker.
    #[error("{image} is in Docker, where `{wanted}` cannot read it")]
    OnlyInDocker {
        /// Its name.
        image: String,
        /// What would have to read it.
        wanted: &'static str,
    },
}

impl DockerError {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::NoProgram => {
                "install Docker's client, or leave out `builder: docker`: the native builder needs no Docker"
            }
            Self::NoEngine { .. } => "see whether Docker runs, and whether you may use it",
            Self::Build { last_lines, .. }
                if last_lines.iter().any(|line| line.contains("buildx component")) =>
            {
                "install Docker's buildx (`docker-buildx`, `docker-buildx-plugin`), which this client builds with"
            }
            Self::Build { last_lines, .. } if last_lines.iter().any(|line| line.contains("E: Version '")) => {
                "Debian's archive has other versions now: `imagewright lock SPEC --upgrade apt` chooses among them"
            }
            Self::Build { .. } => "`imagewright dockerfile SPEC -o DIR` writes what Docker was given",
            Self::Push { .. } => "see whether `docker login` was done for the registry",
            Self::SeveralPlatforms { .. } => {
                "name one with `--platform`, or leave out `builder: docker`: the native builder makes an index"
            }
            Self::Offline => "leave out `--offline`, or build with `--builder native`",
            Self::Unwritable { .. } => "the native builder can: leave out `builder: docker`",
            Self::Login { .. } => "it has to be JSON, as `docker login` writes it",
            Self::LocalBase { .. } => "push it to a registry, or leave out `builder: docker`",
            Self::OnlyInDocker { .. } => {
                "push it to a registry, use Docker's own commands, or build with `--builder native`"
            }
            Self::Start { .. } | Self::Inspection { .. } | Self::Context { .. } => return None,
        };
        Some(hint.to_owned())
    }
}

fn indented(lines: &[String]) -> String {
    lines.iter().map(|line| format!("    {line}")).collect::<Vec<_>>().join("\n")
}
