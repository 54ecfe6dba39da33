//! The story of a build; the native builder makes an image without Docker. Nothing of it is executed, but what a spec asks
//! for: commands, packages of the system, and the build of packages without a wheel.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use imagewright_debian::Mirrors;
use imagewright_lock::python::Refresh;
use imagewright_lock::uv::Host;
use imagewright_lock::{Lock, PythonMirror, Upgrade};
use imagewright_oci::Digest;
use imagewright_pypa::PythonVersion;
use imagewright_registry::Client;
use imagewright_spec::{BuilderName, ImageSpec};
use imagewright_store::Store;

use crate::BuildError;
use crate::event::{Event, Reporter};
use crate::existence::{AtTag, Existence};
use crate::forecast::{ExistenceForecast, Forecast};
use crate::image::Image;
use crate::job::{Inputs, Job, Planned};
use crate::last_build::LastBuild;
use crate::make::Made;
use crate::noop::name_base;
use crate::provenance::Provenance;
use crate::report::{BuildReport, BuildStatus, PartReport};
use crate::sink::Sink;
use crate::step::isolation::SandboxChoice;
use crate::workplace::Workplace;

/// What a builder has of the machine.
#[derive(Clone, Debug)]
pub struct Machine {
    /// Keeps everything.
    pub store: Store,
    /// Speaks with registries.
    pub client: Client,
    /// Where Debian's archive is.
    pub mirrors: Mirrors,
    /// Where archives of interpreters are.
    pub python_mirror: PythonMirror,
    /// The environment and working directory, for uv.
    pub host: Host,
    /// The uv that the user named.
    pub uv: Option<PathBuf>,
    /// Where this program is.
    pub program_folder: Option<PathBuf>,
    /// Whether the lock of an image is attached to it in its registry.
    pub attach_lock: bool,
    /// What is added to the command line of `docker build`.
    pub docker_arguments: Vec<String>,
    /// How many threads inflate, compress and hash.
    pub threads: NonZeroUsize,
    /// How commands of a spec are isolated.
    pub sandbox: SandboxChoice,
    /// Takes events.
    pub reporter: Reporter,
    /// What other builds on this machine do at the same time.
    pub workplace: Workplace,
}

/// What is to be built.
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of the command line")]
#[derive(Clone, Debug)]
pub struct BuildRequest {
    /// The spec.
    pub spec: ImageSpec,
    /// Further requirements, installed as those of its packages are; in neither id nor tag.
    pub with: Vec<String>,
    /// A local wheel that is installed besides, for which no image is made again.
    pub client: Option<PathBuf>,
    /// What `_F_IMG_ID` is in the image, where it is not the spec's own id.
    pub id: Option<String>,
    /// What relative paths in it are relative to.
    pub directory: PathBuf,
    /// Files that are about the image and not of it, its lock: they are not copied with the folder they are in.
    pub left_out: Vec<PathBuf>,
    /// The Python of an image for which neither spec nor base names one.
    pub fallback_python: PythonVersion,
    /// Whether somebody chose that, so that an image with another one is stale.
    pub python_is_chosen: bool,
    /// Whether the image goes to its registry.
    pub push: bool,
    /// Tags that the image has besides its own.
    pub further_tags: Vec<String>,
    /// Where it goes besides.
    pub sinks: Vec<Sink>,
    /// Whether an image that exists is made again.
    pub force: bool,
    /// Whether layers are made again that the store has, and wheels built again.
    pub no_cache: bool,
    /// A lock to start from; without one, that which is attached to the image at the tag serves, else that of the
    /// last build of the image.
    pub lock: Option<GivenLock>,
    /// Whether the lock must cover everything.
    pub frozen: bool,
    /// What of the lock is chosen anew.
    pub upgrade: Upgrade,
    /// How old an index page may be.
    pub refresh: Refresh,
    /// Whether the network may not be used for inputs.
    pub offline: bool,
    /// The time of every file, in seconds since 1970.
    pub epoch: u64,
}

/// A lock that the caller has read.
#[derive(Clone, Debug)]
pub struct GivenLock {
    /// What it pins.
    pub lock: Lock,
    /// Where it was read from, for messages.
    pub place: String,
}

impl Machine {
    /// Builds the image unless it exists, pushes it when it has a registry, and brings it to its sinks.
    pub async fn build(&self, request: &BuildRequest) -> Result<BuildReport, BuildError> {
        if request.spec.builder == BuilderName::Noop {
            return name_base(&request.spec);
        }
        let job = Job::new(self, request)?;
        for sink in &request.sinks {
            if job.is_for_docker_alone() {
                return Err(job.only_in_docker("--output").into());
            }
            sink.check(&self.host, &job.recipe.platforms)?;
        }
        let mut changed = Vec::new();
        // `--refresh` asks for what has moved since, which the tag does not say (design D10).
        let made_from = if request.force || request.refresh == Refresh::Always {
            job.made_from().await?
        } else {
            let AtTag { existence, origin } = job.at_tag(request.push).await?;
            match existence {
                Existence::Exists { digest } => {
                    job.set_further_tags(digest, origin.as_ref()).await?;
                    let outputs = self.deliver(&job, digest).await?;
                    let report = job.report(digest, BuildStatus::Exists, changed, Vec::new());
                    return Ok(BuildReport { outputs, ..report });
                }
                Existence::Missing { .. } => {}
                Existence::Stale { changed: inputs, .. } => changed = inputs,
            }
            origin.and_then(|origin| origin.lock).map(|lock| lock.whole)
        };
        let job = job.over_base(request.push).await?;
        let docker = job.docker().await?;
        let job = Job { is_made_here: docker.is_none(), ..job };
        let inputs = job.inputs()?;
        let lock = job.lock(&inputs, made_from).await?;
        let (digest, parts, provenance) = match docker {
            Some(docker) => {
                let digest = job.build_with_docker(docker, &inputs, &lock).await?;
                (digest, Vec::new(), job.provenance(&lock))
            }
            None => self.build_natively(&job, &inputs, &lock).await?,
        };
        job.set_further_tags(digest, Some(&provenance)).await?;
        let outputs = self.deliver(&job, digest).await?;
        self.reporter.report(Event::Done { image: job.name.clone(), digest });
        let status = if changed.is_empty() { BuildStatus::Built } else { BuildStatus::StaleRebuilt };
        Ok(BuildReport { outputs, ..job.report(digest, status, changed, parts) })
    }

    /// Makes the layers that are missing, and puts the image together.
    async fn build_natively(
        &self,
        job: &Job<'_>,
        inputs: &Inputs,
        lock: &Lock,
    ) -> Result<(Digest, Vec<PartReport>, Provenance), BuildError> {
        job.warn_of_unused();
        let mut plans = Vec::new();
        for platform in &job.recipe.platforms {
            plans.push(job.plan(inputs, platform, lock).await?.plan);
        }
        let (made, lock, plans) = Box::pin(job.make(inputs, &plans, lock)).await?;
        let Made { descriptor, parts } = made;
        let (digest, provenance) = (descriptor.digest, job.provenance(&lock));
        job.remember(&job.target, digest, Some(&provenance))?;
        LastBuild::new(&lock, &plans).record(&self.store, &job.target)?;
        Ok((digest, parts, provenance))
    }

    /// Whether the image of a spec exists.
    pub async fn exists(&self, request: &BuildRequest) -> Result<Existence, BuildError> {
        if request.spec.builder == BuilderName::Noop {
            return self.base_exists(&request.spec).await;
        }
        Job::new(self, request)?.existence(request.spec.registry.is_some()).await
    }

    /// What a build would do. It pins what a build would pin, and makes nothing but what has to be there to be
    /// looked into: the image of a nested spec, and wheels of what has none, whose projects' code runs in the sandbox.
    pub async fn forecast(&self, request: &BuildRequest) -> Result<Forecast, BuildError> {
        let job = Job::new(self, request)?;
        let (existence, made_from) = match job.at_tag(request.push).await {
            Ok(AtTag { existence, origin }) => {
                let lock = origin.and_then(|origin| origin.lock).map(|lock| lock.whole);
                (ExistenceForecast::Known(existence), lock)
            }
            Err(BuildError::UnknownExistence { source, .. }) => (ExistenceForecast::unknown(&source), None),
            Err(error) => return Err(error),
        };
        let job = job.over_base(false).await?;
        let inputs = job.inputs()?;
        let lock = job.lock(&inputs, made_from).await?;
        let last = LastBuild::of(&self.store, &job.target)?;
        let mut platforms = Vec::new();
        for platform in &job.recipe.platforms {
            let Planned { plan, .. } = job.plan(&inputs, platform, &lock).await?;
            platforms.push(job.forecast(&plan, last.as_ref()).await?);
        }
        Ok(Forecast { image: job.name.clone(), existence, platforms })
    }

    /// The lock of a spec, made or given. To make it, wheels are built of what has none, and apt chooses versions, in the
    /// sandbox.
    pub async fn lock(&self, request: &BuildRequest) -> Result<Lock, BuildError> {
        // What is not to be preferred now is not to come back with the next build either.
        let anew = BuildRequest { upgrade: Upgrade::Everything, ..request.clone() };
        let job = Job::new(self, if request.refresh == Refresh::Always { &anew } else { request })?;
        let made_from = job.made_from().await?;
        let job = job.over_base(false).await?;
        let inputs = job.inputs()?;
        let lock = job.lock(&inputs, made_from).await?;
        if job.recipe.apt_packages().is_none() {
            return Ok(lock);
        }
        job.settle_lock(&inputs, lock).await
    }

    /// Keeps configuration and manifest, so that the image is in the store.
    pub(crate) fn keep(&self, image: &Image) -> Result<(), BuildError> {
        self.store.put_blob(&image.config)?;
        self.store.put_blob(&image.manifest)?;
        Ok(())
    }
}
