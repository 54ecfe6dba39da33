//! A build of a wheel that failed: its root is kept as the backend left it, with the source as it came.

use std::io;
use std::path::Path;

use imagewright_layer::{Content, RawPath, TreeEntry, TreeKind};
use imagewright_lock::WheelBuild;
use imagewright_plan::{Execution, LayerDefinition, LayerKind, WheelPlan};

use super::WheelMaker;
use super::run::{Failure, SOURCE, place_of};
use crate::BuildError;
use crate::forecast::with_causes;
use crate::produce::Producer;
use crate::step::failed::{Below, FailedStep};

impl WheelMaker<'_> {
    /// Keeps what the build left for a look; its own error counts more than one of that.
    pub(super) async fn failed(
        &self,
        build: &WheelBuild,
        plan: &WheelPlan,
        producer: &Producer,
        below: &Below,
        failure: Failure,
    ) -> BuildError {
        let (exit, last_lines) = (failure.exit, failure.last_lines.clone());
        if let Err(error) = self.keep_failed(build, plan, producer, below, failure).await {
            let message =
                format!("what the build of {build} left cannot be looked at: {}", with_causes(&error));
            self.machine.reporter.warn(message, error.hint());
        }
        BuildError::WheelBuild { source_name: build.to_string(), exit, last_lines }
    }

    async fn keep_failed(
        &self,
        build: &WheelBuild,
        plan: &WheelPlan,
        producer: &Producer,
        below: &Below,
        failure: Failure,
    ) -> Result<(), BuildError> {
        // As it came: what a backend writes into its source may be what it was trusted with.
        let source = self.fetcher().lay_out(build).await?;
        let execution = Execution {
            argv: Vec::new(),
            environment: plan.environment.clone(),
            working_directory: place_of(&source),
            origin: format!("the build of {build}"),
            apt: None,
        };
        let Some(nearest) = plan.root.layers.last() else { return Ok(()) };
        let definition = LayerDefinition { kind: LayerKind::Commands, ..nearest.clone() };
        let mut entries = failure.changes;
        let files = |source| BuildError::BuildFiles { source_name: build.to_string(), source };
        add_folder(&source.top, SOURCE.trim_start_matches('/'), &mut entries).map_err(files)?;
        let failed = FailedStep::new(&self.job.target, &execution, failure.exit, below, Vec::new());
        failed.keep(producer, &definition, entries)
    }
}

/// Adds a folder and what is in it as entries at `place`.
fn add_folder(folder: &Path, place: &str, entries: &mut Vec<TreeEntry<RawPath>>) -> io::Result<()> {
    entries.push(TreeEntry::directory(raw(place.as_bytes().to_vec())?, 0o755));
    for entry in fs_err::read_dir(folder)? {
        let entry = entry?;
        let (kind, path) = (entry.file_type()?, entry.path());
        let Some(below) = entry.file_name().to_str().map(|name| format!("{place}/{name}")) else { continue };
        if kind.is_dir() {
            add_folder(&path, &below, entries)?;
        } else if kind.is_symlink() {
            entries.push(TreeEntry::symlink(raw(below.into_bytes())?, fs_err::read_link(&path)?));
        } else if kind.is_file() {
            let content = Content::Bytes(fs_err::read(&path)?);
            let size = entry.metadata()?.len();
            entries.push(TreeEntry::new(raw(below.into_bytes())?, TreeKind::File { size, content }, 0o755));
        }
    }
    Ok(())
}

fn raw(path: Vec<u8>) -> io::Result<RawPath> {
    RawPath::new(path).map_err(io::Error::other)
}
