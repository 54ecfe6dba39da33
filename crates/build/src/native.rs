//! The native builder: a spec becomes an image without Docker, and nothing of it is executed.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Instant;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use imagewright_debian::Mirrors;
use imagewright_lock::facts::Installed;
use imagewright_lock::python::{Asked, Refresh};
use imagewright_lock::uv::{Host, UvSearch, locate};
use imagewright_lock::{DebianResolver, Downloads, Lock, Locked, Locker, PlatformLock, locked_base};
use imagewright_oci::{ImageReference, Platform};
use imagewright_plan::{LayerDefinition, Plan, plan};
use imagewright_pypa::PythonVersion;
use imagewright_recipe::{Recipe, lower};
use imagewright_registry::Client;
use imagewright_spec::{Declared, DeclaredContext, ImageSpec, declared};
use imagewright_store::Store;

use crate::BuildError;
use crate::event::{Event, LayerSource, Reporter, Stage};
use crate::existence::{Existence, existence, local_existence, record};
use crate::image::{FinishedLayer, Image, Provenance, assemble};
use crate::overlap::overlaps;
use crate::produce::{Memory, Obtained, Producer};
use crate::push::Pusher;
use crate::report::{BuildReport, BuildStatus, LayerReport};

/// What a builder has of the machine.
#[derive(Clone, Debug)]
pub struct Machine {
    /// Keeps everything.
    pub store: Store,
    /// Speaks with registries.
    pub client: Client,
    /// Where Debian's archive is.
    pub mirrors: Mirrors,
    /// The environment and working directory, for uv.
    pub host: Host,
    /// The uv that the user named.
    pub uv: Option<PathBuf>,
    /// Where this program is.
    pub program_folder: Option<PathBuf>,
    /// How many threads inflate, compress and hash.
    pub threads: NonZeroUsize,
    /// Takes events.
    pub reporter: Reporter,
}

/// What is to be built.
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of the command line")]
#[derive(Clone, Debug)]
pub struct BuildRequest {
    /// The spec.
    pub spec: ImageSpec,
    /// What relative paths in it are relative to.
    pub directory: PathBuf,
    /// The Python of an image for which neither spec nor base names one.
    pub fallback_python: PythonVersion,
    /// Whether the image goes to its registry.
    pub push: bool,
    /// Whether an image that exists is made again.
    pub force: bool,
    /// A lock to start from.
    pub lock: Option<Lock>,
    /// Whether the lock must cover everything.
    pub frozen: bool,
    /// How old an index page may be.
    pub refresh: Refresh,
    /// Whether the network may not be used for inputs.
    pub offline: bool,
    /// The time of every file, in seconds since 1970.
    pub epoch: u64,
}

/// How many layers are made at once; each uses its own threads, so this bounds memory, not cores.
const LAYERS_AT_ONCE: usize = 4;

/// One platform of an image, planned.
#[derive(Clone, Debug)]
pub struct Planned {
    /// What is pinned.
    pub lock: PlatformLock,
    /// What is to be there.
    pub plan: Plan,
}

impl Machine {
    /// Builds the image unless it exists, and pushes it when it has a registry.
    pub async fn build(&self, request: &BuildRequest) -> Result<BuildReport, BuildError> {
        let started = Instant::now();
        let recipe = lower(&request.spec, request.fallback_python)?;
        let target = request.spec.image_name(&request.directory)?;
        let declared = self.declare(request)?;
        let name = request.spec.image_name_text(&request.directory)?;
        let mut changed = Vec::new();
        // `--refresh` asks for what has moved since, which the tag does not say (design D10).
        if !request.force && request.refresh == Refresh::WhenOld {
            match self.look_up(request.push, &target, &recipe, &declared).await? {
                Existence::Exists { digest } => {
                    return Ok(self.report(
                        name,
                        digest,
                        BuildStatus::Exists,
                        changed,
                        &recipe,
                        Vec::new(),
                        started,
                    ));
                }
                Existence::Missing { .. } => {}
                Existence::Stale { changed: inputs, .. } => changed = inputs,
            }
        }
        let lock = self.lock(request, &recipe, &declared).await?;
        let platform = &recipe.platforms[0];
        let planned = self.plan_locked(request, &recipe, platform, &lock).await?;
        let (image, layers) = self.make(request, &planned, &lock, &declared, &target).await?;
        self.keep(&image)?;
        record(&self.store, &target, &recipe.platforms, image.descriptor.digest, &declared)?;
        self.reporter.report(Event::Done { image: name.clone(), digest: image.descriptor.digest });
        let status = if changed.is_empty() { BuildStatus::Built } else { BuildStatus::StaleRebuilt };
        Ok(self.report(name, image.descriptor.digest, status, changed, &recipe, layers, started))
    }

    /// Whether the image of a spec exists.
    pub async fn exists(&self, request: &BuildRequest) -> Result<Existence, BuildError> {
        let recipe = lower(&request.spec, request.fallback_python)?;
        let target = request.spec.image_name(&request.directory)?;
        let declared = self.declare(request)?;
        self.look_up(request.spec.registry.is_some(), &target, &recipe, &declared).await
    }

    /// Whether an image is in its registry, or in the store when it is meant for no registry.
    async fn look_up(
        &self,
        in_registry: bool,
        target: &ImageReference,
        recipe: &Recipe,
        declared: &Declared,
    ) -> Result<Existence, BuildError> {
        if in_registry {
            existence(&self.client, &self.store, target, &recipe.platforms, declared).await
        } else {
            local_existence(&self.store, target, &recipe.platforms, declared)
        }
    }

    /// The lock of a spec, made or given.
    pub async fn lock(
        &self,
        request: &BuildRequest,
        recipe: &Recipe,
        declared: &Declared,
    ) -> Result<Lock, BuildError> {
        if request.frozen {
            return request.lock.clone().ok_or(BuildError::NotCovered { what: "anything".to_owned() });
        }
        let asked = self.asked(request)?;
        let downloads = self.downloads(request, &asked);
        let search = UvSearch {
            explicit: self.uv.as_deref(),
            beside: self.program_folder.as_deref(),
            tools: &self.store.directory().join("tools"),
            host: &self.host,
        };
        let uv = locate(&search).await?;
        let locker = Locker {
            client: &self.client,
            store: &self.store,
            downloads: &downloads,
            uv: &uv,
            host: &self.host,
            asked: &asked,
            debian: self.debian(request, &downloads),
            refresh: request.refresh,
            offline: request.offline,
        };
        let mut lock = Lock {
            version: Lock::VERSION,
            epoch: request.epoch,
            inputs: declared.inputs.clone(),
            platforms: [].into(),
        };
        for platform in &recipe.platforms {
            let subject = format!("{} for {platform}", request.spec.name);
            self.reporter.report(Event::Started { stage: Stage::Resolve, subject });
            let previous = request.lock.as_ref().and_then(|lock| lock.platform(platform));
            let Locked { lock: pinned, warnings, .. } = locker.lock(recipe, platform, previous).await?;
            for warning in &warnings {
                self.reporter.warn(warning.to_string(), None);
            }
            lock.platforms.insert(platform.to_string(), pinned);
        }
        Ok(lock)
    }

    /// The plan of one platform of a lock.
    pub async fn plan_locked(
        &self,
        request: &BuildRequest,
        recipe: &Recipe,
        platform: &Platform,
        lock: &Lock,
    ) -> Result<Planned, BuildError> {
        let pinned = lock.platform(platform);
        let pinned = pinned.ok_or_else(|| BuildError::NotCovered { what: platform.to_string() })?;
        let downloads = self.downloads(request, &self.asked(request)?);
        let debian = self.debian(request, &downloads);
        let base = locked_base(&self.client, &debian, &pinned.base, platform).await?;
        let plan = plan(recipe, platform, pinned, &base, lock.epoch)?;
        Ok(Planned { lock: pinned.clone(), plan })
    }

    /// Makes the layers, sends each as soon as it is there, and puts the image together.
    async fn make(
        &self,
        request: &BuildRequest,
        planned: &Planned,
        lock: &Lock,
        declared: &Declared,
        target: &ImageReference,
    ) -> Result<(Image, Vec<LayerReport>), BuildError> {
        let asked = self.asked(request)?;
        let producer = Producer {
            store: self.store.clone(),
            downloads: self.downloads(request, &asked),
            mirrors: self.mirrors.clone(),
            threads: self.threads,
            epoch: lock.epoch,
            memory: Memory::default(),
        };
        let plan = &planned.plan;
        let pusher = request.push.then_some(Pusher {
            client: &self.client,
            store: &self.store,
            target,
            reporter: &self.reporter,
        });
        let layers = stream::iter(&plan.layers)
            .map(|definition| self.obtain_and_push(&producer, pusher.as_ref(), definition))
            .buffered(LAYERS_AT_ONCE)
            .try_collect::<Vec<_>>();
        let base = async {
            match &pusher {
                Some(pusher) => pusher.push_base(&plan.base).await,
                None => Ok(()),
            }
        };
        let (layers, ()) = tokio::try_join!(layers, base)?;
        let (finished, reports): (Vec<FinishedLayer>, Vec<LayerReport>) = layers.into_iter().unzip();
        let installed: Vec<&Installed> = finished.iter().flat_map(|layer| &layer.installed).collect();
        for overlap in overlaps(&installed) {
            self.reporter.warn(overlap.to_string(), None);
        }
        let provenance =
            Provenance { inputs: declared.inputs.clone(), declared: declared.digest, lock: lock.digest() };
        let image = assemble(plan, &finished, &provenance);
        if let Some(pusher) = &pusher {
            pusher.commit(&image, &finished).await?;
        }
        Ok((image, base_reports(plan).chain(reports).collect()))
    }

    async fn obtain_and_push(
        &self,
        producer: &Producer,
        pusher: Option<&Pusher<'_>>,
        definition: &LayerDefinition,
    ) -> Result<(FinishedLayer, LayerReport), BuildError> {
        let Obtained { record, was_made } = producer.obtain(definition).await?;
        let source = if was_made { LayerSource::Produced } else { LayerSource::Cached };
        self.reporter.report(Event::Layer {
            title: definition.title.clone(),
            kind: definition.kind,
            digest: record.digest,
            size: record.size,
            source,
        });
        let finished = FinishedLayer {
            key: definition.key,
            title: definition.title.clone(),
            digest: record.digest,
            diff_id: record.diff_id,
            size: record.size,
            media_type: record.facts.media_type.clone(),
            installed: serde_json::from_value(record.facts.details).unwrap_or_default(),
        };
        if let Some(pusher) = pusher {
            pusher.push_layer(&finished).await?;
        }
        let report = LayerReport {
            digest: record.digest,
            diff_id: record.diff_id,
            size: record.size,
            kind: Some(definition.kind),
            packages: finished.installed.iter().map(|one| format!("{} {}", one.name, one.version)).collect(),
            source,
        };
        Ok((finished, report))
    }

    /// Keeps configuration and manifest, so that the image is in the store.
    fn keep(&self, image: &Image) -> Result<(), BuildError> {
        self.store.put_blob(&image.config)?;
        self.store.put_blob(&image.manifest)?;
        Ok(())
    }

    fn asked(&self, request: &BuildRequest) -> Result<Asked, BuildError> {
        let recipe = lower(&request.spec, request.fallback_python)?;
        Ok(Asked::of(recipe.packages(), &self.host).map_err(imagewright_lock::LockError::from)?)
    }

    fn downloads(&self, request: &BuildRequest, asked: &Asked) -> Downloads {
        let reporter = self.reporter.clone();
        let progress = Box::new(move |subject: &str, done, total| {
            reporter.report(Event::Progress { subject: subject.to_owned(), done, total });
        });
        Downloads::new(
            self.store.clone(),
            asked.indexes.clone(),
            self.host.clone(),
            request.offline,
            progress,
        )
    }

    fn debian<'a>(&'a self, request: &BuildRequest, downloads: &'a Downloads) -> DebianResolver<'a> {
        let (store, mirrors) = (&self.store, &self.mirrors);
        DebianResolver { store, downloads, mirrors, refresh: request.refresh, offline: request.offline }
    }

    fn declare(&self, request: &BuildRequest) -> Result<Declared, BuildError> {
        let python = request.fallback_python.to_string();
        let context = DeclaredContext {
            directory: &request.directory,
            python: Some(&python),
            flytekit: None,
            environment: self.host.variables(),
        };
        Ok(declared(&request.spec, &context)?)
    }

    #[expect(clippy::too_many_arguments, reason = "the columns of one report")]
    fn report(
        &self,
        name: String,
        digest: imagewright_oci::Digest,
        status: BuildStatus,
        changed: Vec<String>,
        recipe: &Recipe,
        layers: Vec<LayerReport>,
        started: Instant,
    ) -> BuildReport {
        let statistics = self.client.statistics();
        BuildReport {
            image: name,
            digest,
            status,
            changed,
            platforms: recipe.platforms.clone(),
            layers,
            bytes_uploaded: statistics.bytes_sent,
            bytes_downloaded: statistics.bytes_received,
            requests: statistics.requests,
            seconds: started.elapsed().as_secs_f64(),
        }
    }
}

fn base_reports(plan: &Plan) -> impl Iterator<Item = LayerReport> + '_ {
    plan.base.layers.iter().map(|layer| LayerReport {
        digest: layer.descriptor.digest,
        diff_id: layer.diff_id,
        size: layer.descriptor.size,
        kind: None,
        packages: Vec::new(),
        source: LayerSource::Base,
    })
}
