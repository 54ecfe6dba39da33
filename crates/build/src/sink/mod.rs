//! Where images go besides a registry: OCI layouts, archives, and the engines of this machine.
//!
//! What a sink gets is read from the store; a layer that is not there, as a base's, comes from the registry that has it
//! and goes straight into the sink. Nothing has its final name before it is whole.

mod docker_archive;
mod engine;
mod error;
mod freight;
mod layout;
mod oci_archive;
mod staged;

use std::fmt;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use fs_err::File;
use imagewright_lock::uv::Host;
use imagewright_oci::{Digest, ImageReference, Platform};
use imagewright_store::Abandoned;

use crate::BuildError;
use crate::blocking::blocking;
use crate::event::Stage;
use crate::found::{FoundImage, preferred};
use crate::job::Job;
use crate::native::Machine;
use crate::report::OutputReport;
use freight::Freight;
use staged::{StagedFile, StagedFolder};

pub use engine::{Engine, EngineError};
pub use error::SinkError;

/// Where an image goes, besides its registry.
#[derive(Clone, Debug)]
pub enum Sink {
    /// A directory with an OCI image layout. Other images in it stay.
    OciLayout {
        /// The directory; it is made if it is missing.
        directory: PathBuf,
    },
    /// A tar archive of an OCI image layout.
    OciArchive {
        /// The archive.
        file: SinkFile,
    },
    /// The archive that `docker load` reads.
    DockerArchive {
        /// The archive.
        file: SinkFile,
    },
    /// A container engine.
    Engine {
        /// Which.
        engine: Engine,
    },
}

/// Where an archive is written.
#[derive(Clone, Debug)]
pub enum SinkFile {
    /// A file, which is replaced; a pipe or a device is written to.
    Path(PathBuf),
    /// What is open already, such as stdout.
    Stream(Arc<std::fs::File>),
}

/// A format that is written from its beginning to its end.
type Format = fn(&Freight, &mut dyn Write) -> Result<(), BuildError>;

impl Sink {
    /// Whether an image for `platforms` can be brought here, as far as that can be seen before there is one.
    pub(crate) fn check(&self, host: &Host, platforms: &[Platform]) -> Result<(), SinkError> {
        let is_native = |platform: &Platform| Platform::of_this_machine().accepts(platform);
        if platforms.len() > 1 && !self.takes_index() && !platforms.iter().any(is_native) {
            let platforms = platforms.to_vec();
            return Err(SinkError::OnePlatform { sink: self.to_string(), platforms });
        }
        match self {
            Self::OciLayout { directory } => layout::check(directory),
            Self::OciArchive { file } | Self::DockerArchive { file } => match file {
                SinkFile::Path(path) => staged::check(path),
                SinkFile::Stream(_) => Ok(()),
            },
            Self::Engine { engine } => engine.check(host),
        }
    }

    /// Whether it can have images for several platforms under one name; else it gets that of this machine.
    fn takes_index(&self) -> bool {
        match self {
            Self::OciLayout { .. } | Self::OciArchive { .. } => true,
            Self::DockerArchive { .. } | Self::Engine { .. } => false,
        }
    }
}

impl fmt::Display for Sink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OciLayout { directory } => write!(f, "oci:{}", directory.display()),
            Self::OciArchive { file } => write!(f, "oci-archive:{file}"),
            Self::DockerArchive { file } => write!(f, "docker-archive:{file}"),
            Self::Engine { engine } => engine.fmt(f),
        }
    }
}

impl fmt::Display for SinkFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path(path) => path.display().fmt(f),
            Self::Stream(_) => f.write_str("-"),
        }
    }
}

impl Machine {
    /// Brings an image that is in the store or in its registry to the sinks of the request.
    pub(crate) async fn deliver(
        &self,
        job: &Job<'_>,
        digest: Digest,
    ) -> Result<Vec<OutputReport>, BuildError> {
        let mut reports = Vec::new();
        for sink in &job.request.sinks {
            let platform = preferred(&job.recipe.platforms);
            let images = if sink.takes_index() {
                self.all_documents(&job.target, digest, platform).await?
            } else {
                vec![self.documents(&job.target, digest, platform).await?]
            };
            let chosen = match &images[..] {
                [FoundImage { index: Some(_), .. }] => format!(" for {platform}"),
                _ => String::new(),
            };
            self.reporter.started(Stage::Output, format!("{}{chosen} to {sink}", job.name));
            let abandoned = Abandoned::default();
            let names: Vec<_> = [&job.target].into_iter().chain(&job.further_tags).cloned().collect();
            let told = names.iter().map(ImageReference::to_string).collect();
            let freight = Freight::new(self, images, names, sink.to_string(), abandoned.flag());
            let written = Arc::clone(&freight.written);
            match sink {
                Sink::OciLayout { directory } => to_layout(freight, directory).await?,
                Sink::OciArchive { file } => to_file(freight, oci_archive::write, file).await?,
                Sink::DockerArchive { file } => to_file(freight, docker_archive::write, file).await?,
                Sink::Engine { engine } => engine.load(freight).await?,
            }
            let bytes = written.load(Ordering::Relaxed);
            reports.push(OutputReport { output: sink.to_string(), names: told, bytes });
        }
        Ok(reports)
    }
}

async fn to_layout(freight: Freight, directory: &Path) -> Result<(), BuildError> {
    let (sink, directory) = (freight.sink.clone(), directory.to_owned());
    // It is removed where this ends, also when nobody waits for the end.
    let folder = StagedFolder::inside(&directory).map_err(|source| SinkError::Write { sink, source })?;
    let staging = folder.path().to_owned();
    blocking(move || layout::write(&freight, &directory, &staging)).await
}

async fn to_file(freight: Freight, format: Format, file: &SinkFile) -> Result<(), BuildError> {
    let sink = freight.sink.clone();
    let failed = |source| SinkError::Write { sink: sink.clone(), source };
    match file {
        SinkFile::Stream(stream) => {
            let stream = stream.try_clone().map_err(failed)?;
            blocking(move || write_to(&freight, format, stream).map(drop)).await
        }
        SinkFile::Path(path) if staged::is_special(path) => {
            let device = fs_err::OpenOptions::new().write(true).open(path).map_err(failed)?;
            blocking(move || write_to(&freight, format, device).map(drop)).await
        }
        SinkFile::Path(path) => {
            let (staged, file) = StagedFile::beside(path).map_err(failed)?;
            let writing = blocking(move || {
                let file: File = write_to(&freight, format, file)?;
                file.sync_data().map_err(|source| freight.unwritten(source))
            });
            writing.await?;
            Ok(staged.publish().map_err(failed)?)
        }
    }
}

/// Writes an archive, and counts its bytes.
fn write_to<W: Write>(freight: &Freight, format: Format, out: W) -> Result<W, BuildError> {
    let mut out = Counting { out: BufWriter::with_capacity(1 << 18, out), bytes: &freight.written };
    format(freight, &mut out)?;
    out.out.into_inner().map_err(|error| freight.unwritten(error.into_error()))
}

/// A writer that counts.
struct Counting<'a, W: Write> {
    out: BufWriter<W>,
    bytes: &'a AtomicU64,
}

impl<W: Write> Write for Counting<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.out.write(bytes)?;
        self.bytes.fetch_add(count as u64, Ordering::Relaxed);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}
