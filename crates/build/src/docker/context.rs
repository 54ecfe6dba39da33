//! The folder that Docker builds in: the Dockerfile, and what it names.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use imagewright_lock::python::{LockedPackage, WheelSource};
use imagewright_lock::{InterpreterArchive, InterpreterSource, Lock, interpreter_artifact};
use imagewright_plan::{LayerDefinition, LayerKind};
use imagewright_spec::SecretSource;
use imagewright_store::Store;

use super::dockerfile::{CERTIFICATES, Dockerfile, PACKAGES, PYLOCK, secret_id};
use super::error::DockerError;
use super::pylock::pylock;
use super::system::{configuration_script, is_assembled};
use crate::BuildError;
use crate::blocking::blocking;
use crate::image::labels;
use crate::job::{Inputs, Job, Planned};
use crate::lookup::{Lacking, Shelves};

/// The folder with the layers of an assembled base.
const BASE: &str = "base";
/// The folder with what the spec has copied.
const COPIES: &str = "copies";

/// A Dockerfile, and what `docker build` has to be given with it.
#[derive(Clone, Debug)]
pub struct DockerContext {
    /// The text of the Dockerfile.
    pub dockerfile: String,
    /// The other files of the context, by their paths in it.
    pub files: Vec<String>,
    /// Files of this machine that the build sees and the image does not have.
    pub secrets: Vec<BuildSecret>,
    pub(super) sources: Vec<(String, Source)>,
}

/// A secret of BuildKit; it prints as what follows `--secret`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuildSecret {
    /// By which the Dockerfile mounts it.
    pub id: String,
    /// Where it is on this machine.
    pub source: SecretSource,
}

impl fmt::Display for BuildSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "id={},", self.id)?;
        match &self.source {
            SecretSource::File { path } => write!(f, "src={}", path.display()),
            SecretSource::Variable { name } => write!(f, "env={name}"),
        }
    }
}

/// Where a file of a context comes from.
#[derive(Clone, Debug)]
pub(super) enum Source {
    Text(String),
    Wheel(LockedPackage),
    Interpreter(InterpreterArchive),
    /// A layer of the native builder, which Docker unpacks.
    Layer(LayerDefinition),
}

impl Job<'_> {
    /// The context of a plan. Nothing is fetched for it yet.
    pub(super) fn context(
        &self,
        inputs: &Inputs,
        lock: &Lock,
        planned: &Planned,
    ) -> Result<DockerContext, BuildError> {
        let Planned { lock: pinned, plan } = planned;
        let host = &inputs.host;
        let is_beside = |package: &LockedPackage| match &package.source {
            WheelSource::Path(_) | WheelSource::Built(_) => true,
            // The password of an index stays on this machine.
            WheelSource::Url(url) => inputs.asked.indexes.credentials(url, host).is_some(),
        };
        let mut sources = Vec::new();
        if !pinned.packages.is_empty() {
            let text = pylock(&pinned.packages, is_beside);
            sources.push((format!("{PACKAGES}/{PYLOCK}"), Source::Text(text)));
        }
        for package in pinned.packages.iter().filter(|package| is_beside(package)) {
            sources.push((format!("{PACKAGES}/{}", package.filename), Source::Wheel(package.clone())));
        }
        let mut interpreter = None;
        if let InterpreterSource::Archive { archive } = &pinned.interpreter.source {
            let name = interpreter.insert(archive.path.file_name().to_owned());
            sources.push((name.clone(), Source::Interpreter(archive.clone())));
        }
        let mut unpacked = |folder: &str, is_in: &dyn Fn(&LayerDefinition) -> bool| -> Vec<String> {
            let layers = plan.layers.iter().filter(|layer| is_in(layer)).enumerate();
            let layers = layers.map(|(index, layer)| (format!("{folder}/{index}.tar.gz"), layer));
            let layers: Vec<(String, &LayerDefinition)> = layers.collect();
            let names = layers.iter().map(|(name, _)| name.clone()).collect();
            sources.extend(layers.into_iter().map(|(name, layer)| (name, Source::Layer(layer.clone()))));
            names
        };
        let assembled = unpacked(BASE, &is_assembled);
        let copies = unpacked(COPIES, &|layer| layer.kind == LayerKind::Copy);
        let configuration = configuration_script(&plan.layers);
        sources.extend(configuration.map(|(name, script)| (name, Source::Text(script))));
        let secrets = self.secrets();
        let provenance = self.provenance(lock);
        let dockerfile = Dockerfile {
            spec: &self.request.spec,
            plan,
            lock: pinned,
            labels: &labels(plan, &provenance, &self.target),
            assembled: &assembled,
            copies: &copies,
            interpreter: interpreter.as_deref(),
            certificates: secrets.iter().any(|secret| secret.id == CERTIFICATES),
        };
        Ok(DockerContext {
            dockerfile: dockerfile.text()?,
            files: sources.iter().map(|(name, _)| name.clone()).collect(),
            secrets,
            sources,
        })
    }

    /// Those of `pip_secret_mounts`, and the certificates that this machine was told to trust.
    fn secrets(&self) -> Vec<BuildSecret> {
        let host = &self.machine.host;
        let mounts = self.request.spec.pip_secret_mounts.iter().enumerate();
        let secrets = mounts.map(|(index, mount)| {
            let source = match &mount.source {
                SecretSource::File { path } => SecretSource::File { path: host.absolute(path) },
                SecretSource::Variable { .. } => mount.source.clone(),
            };
            BuildSecret { id: secret_id(index), source }
        });
        let bundle = host.variable("SSL_CERT_FILE").map(|path| host.absolute(path));
        let bundle = bundle.filter(|path| path.is_file());
        let bundle = bundle
            .map(|path| BuildSecret { id: CERTIFICATES.to_owned(), source: SecretSource::File { path } });
        secrets.chain(bundle).collect()
    }

    /// Writes a context into a folder that is there.
    pub(super) async fn write_context(
        &self,
        context: &DockerContext,
        inputs: &Inputs,
        lock: &Lock,
        folder: &Path,
    ) -> Result<(), BuildError> {
        for (name, source) in &context.sources {
            let path = folder.join(name);
            let parent = path.parent().unwrap_or(folder);
            fs_err::create_dir_all(parent).map_err(unwritten)?;
            self.write_file(source, inputs, lock, path).await?;
        }
        let dockerfile = folder.join("Dockerfile");
        Ok(fs_err::write(dockerfile, &context.dockerfile).map_err(unwritten)?)
    }

    async fn write_file(
        &self,
        source: &Source,
        inputs: &Inputs,
        lock: &Lock,
        path: PathBuf,
    ) -> Result<(), BuildError> {
        let artifact = match source {
            Source::Text(text) => return Ok(fs_err::write(path, text).map_err(unwritten)?),
            Source::Wheel(package) => {
                let file_name = package.filename.as_str();
                inputs.downloads.wheel(&package.source, file_name, Some(package.sha256)).await?
            }
            Source::Interpreter(archive) => {
                interpreter_artifact(&inputs.downloads, &self.machine.python_mirror, archive).await?
            }
            Source::Layer(definition) => {
                let store = &self.machine.store;
                let shelves = Shelves { store: store.clone(), target: None, lacking: Lacking::default() };
                let producer = self.producer(shelves, inputs, lock.epoch);
                let make = Box::pin(producer.make(definition));
                let record = producer.obtain(definition, make).await?.record;
                return layer_file(store.clone(), record.digest, path).await;
            }
        };
        let mut file = artifact.file;
        blocking(move || Ok(copy(&mut file, &path)?)).await
    }
}

async fn layer_file(store: Store, digest: imagewright_oci::Digest, path: PathBuf) -> Result<(), BuildError> {
    let lost = BuildError::LayerLost { digest };
    let mut blob = store.blob(&digest)?.ok_or(lost)?;
    blocking(move || Ok(copy(&mut blob, &path)?)).await
}

fn copy(from: &mut impl io::Read, path: &Path) -> Result<(), DockerError> {
    let mut to = fs_err::File::create(path).map_err(unwritten)?;
    io::copy(from, &mut to).map(drop).map_err(unwritten)
}

pub(super) fn unwritten(source: io::Error) -> DockerError {
    DockerError::Context { source }
}
