//! Where `build` brings an image besides its registry, as the command line writes it.

use std::io::IsTerminal as _;
use std::os::fd::AsFd as _;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;

use clap::Args;
use imagewright_build::{Engine, Sink, SinkFile};
use thiserror::Error;

use crate::failure::Failure;

/// Where the image goes besides its registry.
#[derive(Debug, Args)]
pub(crate) struct SinkArguments {
    /// Write the image to `oci:DIR` (an OCI layout, to which it is added), `oci-archive:FILE` or
    /// `docker-archive:FILE`. Repeatable.
    ///
    /// `-` for FILE is stdout. Nothing has its name before it is whole. The image is pushed as without this option.
    #[arg(long, value_name = "KIND:PATH")]
    output: Vec<Output>,
    /// Load the image into `docker`, `podman` or `containerd[:NAMESPACE]`. Repeatable.
    ///
    /// It is streamed to `docker load`, `podman load` or `ctr images import`, which find their engine as always.
    #[arg(long, value_name = "ENGINE")]
    load: Vec<Engine>,
}

/// A file format and a place.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Output {
    kind: OutputKind,
    path: PathBuf,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum OutputKind {
    OciLayout,
    OciArchive,
    DockerArchive,
}

#[derive(Debug, PartialEq, Eq, Error)]
enum OutputError {
    #[error("it is none of oci:DIR, oci-archive:FILE and docker-archive:FILE")]
    UnknownKind,
    #[error("it names no path")]
    NoPath,
    #[error("a layout is a directory, and cannot be written to stdout")]
    LayoutToStdout,
}

impl FromStr for Output {
    type Err = OutputError;

    fn from_str(text: &str) -> Result<Self, OutputError> {
        let (kind, path) = text.split_once(':').ok_or(OutputError::UnknownKind)?;
        let kind = match kind {
            "oci" => OutputKind::OciLayout,
            "oci-archive" => OutputKind::OciArchive,
            "docker-archive" => OutputKind::DockerArchive,
            _ => return Err(OutputError::UnknownKind),
        };
        match path {
            "" => Err(OutputError::NoPath),
            "-" if kind == OutputKind::OciLayout => Err(OutputError::LayoutToStdout),
            path => Ok(Self { kind, path: path.into() }),
        }
    }
}

impl Output {
    fn is_archive(&self) -> bool {
        self.kind != OutputKind::OciLayout
    }

    fn is_stdout(&self) -> bool {
        self.path.as_os_str() == "-"
    }

    fn sink(&self) -> Result<Sink, Failure> {
        let file = || -> Result<SinkFile, Failure> {
            if !self.is_stdout() {
                return Ok(SinkFile::Path(self.path.clone()));
            }
            let stdout = std::io::stdout().as_fd().try_clone_to_owned()?;
            Ok(SinkFile::Stream(Arc::new(stdout.into())))
        };
        Ok(match self.kind {
            OutputKind::OciLayout => Sink::OciLayout { directory: self.path.clone() },
            OutputKind::OciArchive => Sink::OciArchive { file: file()? },
            OutputKind::DockerArchive => Sink::DockerArchive { file: file()? },
        })
    }
}

impl SinkArguments {
    /// Whether an image goes to stdout, so that nothing else may.
    pub(crate) fn uses_stdout(&self) -> bool {
        self.output.iter().any(Output::is_stdout)
    }

    /// The sinks of a build of so many specs, which prints JSON or not.
    pub(crate) fn sinks(&self, specs: usize, json: bool) -> Result<Vec<Sink>, Failure> {
        let wrong = |message: &str, hint: &str| {
            Err(Failure::Arguments { message: message.to_owned(), hint: Some(hint.to_owned()) })
        };
        if specs > 1 && self.output.iter().any(Output::is_archive) {
            return wrong(
                "an archive has the image of one spec",
                "use `oci:DIR`, or build the specs one by one",
            );
        }
        if self.uses_stdout() {
            if self.output.iter().filter(|output| output.is_stdout()).count() > 1 || json {
                return wrong("stdout takes one thing", "write the archive to a file");
            }
            if std::io::stdout().is_terminal() {
                return wrong("a terminal cannot take an archive", "redirect stdout, or name a file");
            }
        }
        let engines = self.load.iter().map(|engine| Ok(Sink::Engine { engine: engine.clone() }));
        self.output.iter().map(Output::sink).chain(engines).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outputs_are_read() {
        let output = |kind, path: &str| Output { kind, path: path.into() };
        for (text, expected) in [
            ("oci:out", Ok(output(OutputKind::OciLayout, "out"))),
            ("oci:out:tag", Ok(output(OutputKind::OciLayout, "out:tag"))),
            ("oci-archive:/a/b.tar", Ok(output(OutputKind::OciArchive, "/a/b.tar"))),
            ("docker-archive:-", Ok(output(OutputKind::DockerArchive, "-"))),
            ("oci:-", Err(OutputError::LayoutToStdout)),
            ("oci:", Err(OutputError::NoPath)),
            ("out", Err(OutputError::UnknownKind)),
            ("docker:x", Err(OutputError::UnknownKind)),
        ] {
            assert_eq!(text.parse::<Output>(), expected, "{text}");
        }
    }
}
