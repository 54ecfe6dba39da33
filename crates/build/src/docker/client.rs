//! Docker's client, as a program: it knows where the engine is, and what credentials there are.

use std::collections::VecDeque;
use std::path::Path;
use std::process::{ExitStatus, Output, Stdio};

use imagewright_oci::{ImageReference, Platform};
use tokio::io::{AsyncBufReadExt as _, AsyncRead, BufReader};
use tokio::process::Command;

use super::context::BuildSecret;
use super::error::DockerError;
use crate::event::{Event, Reporter};
use crate::secret::mask::Mask;

/// How many lines an error has of what the client wrote.
const TAIL: usize = 20;

/// Which builder the client has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Frontend {
    /// `docker buildx build`.
    Buildx,
    /// `docker build`, with BuildKit in the engine.
    Build,
}

/// What is to be built.
#[derive(Clone, Copy, Debug)]
pub(super) struct Build<'a> {
    pub(super) folder: &'a Path,
    pub(super) names: &'a [&'a ImageReference],
    pub(super) platform: &'a Platform,
    pub(super) secrets: &'a [BuildSecret],
    /// What of them may not be told.
    pub(super) mask: &'a Mask,
    /// The folder of the client's configuration, if it is not the user's.
    pub(super) configuration: Option<&'a Path>,
    pub(super) no_cache: bool,
    pub(super) push: bool,
    /// What the user adds to the command line.
    pub(super) further: &'a [String],
}

/// How a client ended, and what it wrote last.
struct Ended {
    status: ExitStatus,
    last_lines: Vec<String>,
}

impl Frontend {
    /// The one that there is, if the engine answers.
    pub(super) async fn find() -> Result<Self, DockerError> {
        if output(&["buildx", "version"]).await?.status.success() {
            return Ok(Self::Buildx);
        }
        let asked = output(&["version", "--format", "{{.Server.Version}}"]).await?;
        if asked.status.success() { Ok(Self::Build) } else { Err(no_engine(&asked)) }
    }

    /// Builds the image, and pushes it if it is to be.
    pub(super) async fn build(self, build: &Build<'_>, reporter: &Reporter) -> Result<(), DockerError> {
        let arguments = self.arguments(build);
        let subject = build.names.first().map(ToString::to_string).unwrap_or_default();
        let Ended { status, last_lines } = logged(&arguments, &subject, build, reporter).await?;
        if !status.success() {
            return Err(DockerError::Build { what: self.words().join(" "), status, last_lines });
        }
        if self == Self::Build && build.push {
            for name in build.names {
                let image = name.to_string();
                let push = ["push".to_owned(), image.clone()];
                let Ended { status, last_lines } = logged(&push, &subject, build, reporter).await?;
                if !status.success() {
                    return Err(DockerError::Push { image, status, last_lines });
                }
            }
        }
        Ok(())
    }

    fn words(self) -> &'static [&'static str] {
        match self {
            Self::Buildx => &["buildx", "build"],
            Self::Build => &["build"],
        }
    }

    fn arguments(self, build: &Build<'_>) -> Vec<String> {
        let mut arguments: Vec<String> = self.words().iter().map(|word| (*word).to_owned()).collect();
        let mut add = |words: &[&str]| arguments.extend(words.iter().map(|word| (*word).to_owned()));
        add(&["--progress", "plain", "--platform", &build.platform.to_string()]);
        for name in build.names {
            add(&["--tag", &name.to_string()]);
        }
        for secret in build.secrets {
            add(&["--secret", &secret.to_string()]);
        }
        if build.no_cache {
            add(&["--no-cache"]);
        }
        match self {
            Self::Buildx => add(&[if build.push { "--push" } else { "--load" }]),
            Self::Build => {}
        }
        arguments.extend(build.further.iter().cloned());
        arguments.push(build.folder.display().to_string());
        arguments
    }
}

/// What the engine says of an image in the words of a Go template; none if it has no such image.
pub(super) async fn inspect(image: &ImageReference, template: &str) -> Result<Option<String>, DockerError> {
    let name = image.to_string();
    let asked = output(&["image", "inspect", "--format", template, &name]).await?;
    if asked.status.success() {
        return Ok(Some(String::from_utf8_lossy(&asked.stdout).trim().to_owned()));
    }
    if String::from_utf8_lossy(&asked.stderr).to_ascii_lowercase().contains("no such image") {
        return Ok(None);
    }
    Err(no_engine(&asked))
}

/// Gives an image another name.
pub(super) async fn tag(image: &ImageReference, name: &ImageReference) -> Result<(), DockerError> {
    let asked = output(&["image", "tag", &image.to_string(), &name.to_string()]).await?;
    if asked.status.success() { Ok(()) } else { Err(no_engine(&asked)) }
}

fn no_engine(asked: &Output) -> DockerError {
    DockerError::NoEngine { said: String::from_utf8_lossy(&asked.stderr).trim().to_owned() }
}

async fn output(arguments: &[&str]) -> Result<Output, DockerError> {
    let words: Vec<String> = arguments.iter().map(|word| (*word).to_owned()).collect();
    command(&words).output().await.map_err(|source| started(&words, source))
}

/// Runs the client; each line that it writes is told.
async fn logged(
    arguments: &[String],
    subject: &str,
    build: &Build<'_>,
    reporter: &Reporter,
) -> Result<Ended, DockerError> {
    let failed = |source| started(arguments, source);
    let mut command = command(arguments);
    if let Some(folder) = build.configuration {
        command.env("DOCKER_CONFIG", folder);
    }
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().map_err(failed)?;
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let last = std::sync::Mutex::new(VecDeque::new());
    let tell = |line: &str| {
        let line = build.mask.hide(line).into_owned();
        let mut last = last.lock().expect("no holder panics");
        if last.len() == TAIL {
            last.pop_front();
        }
        last.push_back(line.clone());
        drop(last);
        reporter.report(Event::Log { subject: subject.to_owned(), line });
    };
    let (out, err, status) = tokio::join!(each_line(stdout, &tell), each_line(stderr, &tell), child.wait());
    out.and(err).map_err(failed)?;
    let status = status.map_err(failed)?;
    let last_lines = last.into_inner().expect("no holder panics").into();
    Ok(Ended { status, last_lines })
}

async fn each_line(from: Option<impl AsyncRead + Unpin>, tell: &impl Fn(&str)) -> std::io::Result<()> {
    let Some(from) = from else { return Ok(()) };
    let mut lines = BufReader::new(from).split(b'\n');
    while let Some(line) = lines.next_segment().await? {
        let line = String::from_utf8_lossy(&line);
        let line = line.trim_end();
        if !line.is_empty() {
            tell(line);
        }
    }
    Ok(())
}

/// The client, which ends with whoever waits for it.
fn command(arguments: &[String]) -> Command {
    #[expect(clippy::disallowed_methods, reason = "the one place that starts Docker's client to build")]
    let mut command = std::process::Command::new("docker");
    // An engine that has BuildKit and a client without buildx need to be told; what buildx adds to an image by its own
    // default would make it an index.
    command.args(arguments).stdin(Stdio::null());
    command.envs([("DOCKER_BUILDKIT", "1"), ("BUILDX_NO_DEFAULT_ATTESTATIONS", "1")]);
    let mut command = Command::from(command);
    command.kill_on_drop(true);
    command
}

fn started(arguments: &[String], source: std::io::Error) -> DockerError {
    if source.kind() == std::io::ErrorKind::NotFound {
        return DockerError::NoProgram;
    }
    let what = arguments.iter().take(2).cloned().collect::<Vec<_>>().join(" ");
    DockerError::Start { what, source }
}

#[cfg(test)]
mod tests {
    use imagewright_spec::SecretSource;

    use super::*;

    #[test]
    fn buildx_is_told_where_the_image_goes() {
        let names: [ImageReference; 2] =
            ["localhost:5000/app:1", "localhost:5000/app:latest"].map(|name| name.parse().unwrap());
        let build = Build {
            folder: Path::new("/context"),
            names: &[&names[0], &names[1]],
            platform: &Platform::linux_amd64(),
            secrets: &[
                BuildSecret {
                    id: "secret_0".to_owned(),
                    source: SecretSource::File { path: "/home/me/.netrc".into() },
                },
                BuildSecret {
                    id: "secret_1".to_owned(),
                    source: SecretSource::Variable { name: "TOKEN".to_owned() },
                },
            ],
            mask: &Mask::default(),
            configuration: None,
            no_cache: true,
            push: true,
            further: &["--network=host".to_owned()],
        };
        let rest = "--platform linux/amd64 --tag localhost:5000/app:1 --tag localhost:5000/app:latest \
                    --secret id=secret_0,src=/home/me/.netrc --secret id=secret_1,env=TOKEN --no-cache";
        assert_eq!(
            Frontend::Buildx.arguments(&build).join(" "),
            format!("buildx build --progress plain {rest} --push --network=host /context")
        );
        assert_eq!(
            Frontend::Build.arguments(&build).join(" "),
            format!("build --progress plain {rest} --network=host /context")
        );
        let kept = Build { push: false, no_cache: false, ..build };
        assert!(Frontend::Buildx.arguments(&kept).contains(&"--load".to_owned()));
    }
}
