//! The last step that failed: what it left is kept, so that somebody can look into it.

use std::path::PathBuf;

use imagewright_layer::{LayerKey, RawPath, TreeEntry};
use imagewright_oci::{ContainerConfig, Descriptor, DiffId, Digest, ImageReference};
use imagewright_plan::{Execution, LayerDefinition};
use imagewright_sandbox::{Bind, Exit, Sandbox};
use imagewright_store::{DocumentKind, Store};
use serde::{Deserialize, Serialize};

use crate::BuildError;
use crate::native::Machine;
use crate::produce::Producer;
use crate::step::surroundings::Surroundings;

const FAILED: DocumentKind = DocumentKind("failed-step");

/// What starts when nothing else is asked for.
const SHELL: &str = "/bin/sh";

/// A step that failed, and where.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct FailedStep {
    /// The image that was to be built.
    pub image: ImageReference,
    /// The words of the spec that ask for the step.
    pub origin: String,
    /// How it ended.
    pub exit: Exit,
    /// `NAME=value`, without what the machine adds, which may be secret.
    environment: Vec<String>,
    working_directory: String,
    /// What it saw besides, of what is still there: caches, no secrets.
    caches: Vec<Bind>,
    /// What it ran on, lowest first; what it changed comes last.
    layers: Vec<(Descriptor, DiffId)>,
    /// The repositories that may have the layers.
    homes: Vec<ImageReference>,
}

/// What a command needs to look around where a step failed.
#[derive(Debug)]
pub struct Revisit {
    /// How a command starts there: as the step did.
    pub config: ContainerConfig,
    /// The unpacked layers, lowest first.
    pub roots: Vec<PathBuf>,
    /// What of the machine the step saw.
    pub binds: Vec<Bind>,
}

/// What a step runs on.
#[derive(Clone, Debug)]
pub(crate) struct Below {
    pub(crate) layers: Vec<(Descriptor, DiffId)>,
    pub(crate) homes: Vec<ImageReference>,
    /// The layers as directories.
    pub(crate) roots: Vec<PathBuf>,
}

impl FailedStep {
    /// A step that has ended so; what it changed is not in it yet.
    pub(crate) fn new(
        image: &ImageReference,
        execution: &Execution,
        exit: Exit,
        below: &Below,
        caches: Vec<Bind>,
    ) -> Self {
        Self {
            image: image.clone(),
            origin: execution.origin.clone(),
            exit,
            environment: execution.environment.clone(),
            working_directory: execution.working_directory.clone(),
            caches,
            layers: below.layers.clone(),
            homes: below.homes.clone(),
        }
    }

    /// Keeps it, with what it changed, as the last one of its image and of all.
    pub(crate) fn keep(
        mut self,
        producer: &Producer,
        definition: &LayerDefinition,
        changes: Vec<TreeEntry<RawPath>>,
    ) -> Result<(), BuildError> {
        let key = key_of(Some(&self.image));
        let left =
            producer.commit_tree(&LayerDefinition { key: LayerKey(key), ..definition.clone() }, changes)?;
        self.layers.push((left.descriptor(), left.diff_id));
        for key in [key, key_of(None)] {
            producer.store.put_document(FAILED, &key, &self)?;
        }
        Ok(())
    }

    /// The last one of an image, whatever its tag was, or of any; none when what it left was pruned.
    fn last(store: &Store, image: Option<&ImageReference>) -> Result<Option<Self>, BuildError> {
        let Some(failed) = store.document::<Self>(FAILED, &key_of(image))? else { return Ok(None) };
        let Some((changes, _)) = failed.layers.last() else { return Ok(None) };
        Ok(store.blob(&changes.digest)?.is_some().then_some(failed))
    }
}

fn key_of(image: Option<&ImageReference>) -> Digest {
    let of = image.map_or_else(|| "any image".to_owned(), |image| image.name_only().to_string());
    Digest::of(format!("failed step of {of}").as_bytes())
}

impl Machine {
    /// The last step that failed when an image was built, or when any was.
    pub fn failed_step(&self, image: Option<&ImageReference>) -> Result<FailedStep, BuildError> {
        let nothing = || BuildError::NothingFailed { image: image.map(ImageReference::name_only) };
        FailedStep::last(&self.store, image)?.ok_or_else(nothing)
    }

    /// The root of a failed step as it left it, and what the machine shows to a step. Secrets are not among that.
    pub async fn revisit(&self, sandbox: &Sandbox, failed: &FailedStep) -> Result<Revisit, BuildError> {
        let homes = failed.homes.clone();
        let roots = self.unpack_layers(sandbox, failed.layers.clone(), |_| homes.clone()).await?;
        let uv = self.uv().await?;
        let surroundings = Surroundings::of(&self.host, &self.store, Some(uv.executable()))?;
        let config = ContainerConfig {
            env: Some(surroundings.around(&failed.environment)),
            cmd: Some(vec![SHELL.to_owned()]),
            working_dir: Some(failed.working_directory.clone()),
            ..ContainerConfig::default()
        };
        let caches = failed.caches.iter().filter(|bind| bind.source.exists());
        let binds = surroundings.binds.iter().chain(caches).cloned().collect();
        Ok(Revisit { config, roots, binds })
    }
}
