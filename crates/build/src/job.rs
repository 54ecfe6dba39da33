//! One request on one machine: looked up, pinned, planned.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use imagewright_lock::python::Asked;
use imagewright_lock::uv::Host;
use imagewright_lock::{
    BaseLock, BuiltBase, DebianResolver, Downloads, Lock, LockedInputs, PlatformLock, Transfer, locked_base,
    locked_inputs,
};
use imagewright_oci::{Digest, ImageReference, Platform};
use imagewright_plan::{Plan, plan};
use imagewright_recipe::{FrontEnd, Recipe, lower};
use imagewright_sandbox::Network;
use imagewright_spec::{BuilderName, Declared, DeclaredContext, DeclaredPython, Sources, declared};

use crate::BuildError;
use crate::event::Stage;
use crate::existence::{AtTag, Existence, Wanted, at_local_tag, at_tag, remember};
use crate::forecast::{BaseForecast, LayerForecast, PlatformForecast};
use crate::last_build::LastBuild;
use crate::lookup::{Lacking, Shelves};
use crate::mend::warn_of_damage;
use crate::native::{BuildRequest, GivenLock, Machine};
use crate::nested::homes;
use crate::progress::Progress;
use crate::provenance::Provenance;
use crate::report::{BuildReport, BuildStatus, PartReport};
use crate::secret::Secrets;
use crate::settle::is_open;
use crate::step::execute::Executor;

/// A request, and what follows from it without asking anyone.
#[derive(Clone, Debug)]
pub(crate) struct Job<'a> {
    pub(crate) machine: &'a Machine,
    pub(crate) request: &'a BuildRequest,
    pub(crate) recipe: Recipe,
    /// Where the image goes.
    pub(crate) target: ImageReference,
    /// The same, as flytekit writes it.
    pub(crate) name: String,
    /// The same repository under the tags that the image has besides.
    pub(crate) further_tags: Vec<ImageReference>,
    /// The repositories that may have the base and its layers, the likeliest first.
    pub(crate) homes: Vec<ImageReference>,
    /// The base, when another spec makes it and it was built for this job.
    pub(crate) built_base: Option<BuiltBase>,
    pub(crate) declared: Declared,
    /// The user's files that are copied.
    pub(crate) sources: Sources,
    /// Whether what is pinned is made at once, by this builder.
    pub(crate) is_made_here: bool,
    pub(crate) started: Instant,
    pub(crate) fetched: Fetched,
}

/// How many bytes of each file were fetched, besides those that registries count.
#[derive(Clone, Debug, Default)]
pub(crate) struct Fetched(Arc<Mutex<BTreeMap<String, u64>>>);

impl Fetched {
    fn note(&self, file: &str, bytes: u64) {
        self.0.lock().expect("no holder panics").insert(file.to_owned(), bytes);
    }

    fn bytes(&self) -> u64 {
        self.0.lock().expect("no holder panics").values().sum()
    }
}

/// How many layers are looked for at once.
const LOOKUPS: usize = 8;

/// One platform of an image, planned.
#[derive(Clone, Debug)]
pub struct Planned {
    /// What is pinned.
    pub lock: PlatformLock,
    /// What is to be there.
    pub plan: Plan,
}

/// What pins inputs: what the build is trusted with, what the user asks for in packages, and how files are fetched.
#[derive(Clone, Debug)]
pub(crate) struct Inputs {
    pub(crate) secrets: Arc<Secrets>,
    /// The machine with them.
    pub(crate) host: Host,
    pub(crate) asked: Asked,
    pub(crate) downloads: Downloads,
}

impl<'a> Job<'a> {
    pub(crate) fn new(machine: &'a Machine, request: &'a BuildRequest) -> Result<Self, BuildError> {
        if request.spec.builder == BuilderName::Noop {
            return Err(BuildError::NothingBuilt);
        }
        let started = Instant::now();
        let python = request.fallback_python.to_string();
        let context = DeclaredContext {
            directory: &request.directory,
            python: Some(if request.python_is_chosen {
                DeclaredPython::Chosen(&python)
            } else {
                DeclaredPython::ByDefault(&python)
            }),
            with: &request.with,
            environment: machine.host.variables(),
            left_out: &request.left_out,
        };
        let front_end = FrontEnd {
            with: &request.with,
            client: request.client.as_deref(),
            image_id: request.id.as_deref(),
        };
        let recipe = lower(&request.spec, request.fallback_python)?.for_front_end(&front_end);
        let (declared, sources) = declared(&request.spec, &context)?;
        let target = request.spec.image_name(&request.directory)?;
        let homes = homes(&request.spec, &target, &request.directory)?;
        let further_tags =
            request.further_tags.iter().map(|tag| target.with_tag(tag)).collect::<Result<_, _>>()?;
        let job = Self {
            machine,
            request,
            recipe,
            target,
            name: request.spec.image_name_text(&request.directory)?,
            further_tags,
            homes,
            built_base: None,
            declared,
            sources,
            is_made_here: false,
            started,
            fetched: Fetched::default(),
        };
        job.check_frozen()?;
        Ok(job)
    }

    /// Whether the image is in its registry, or in the store when it is meant for no registry.
    pub(crate) async fn existence(&self, in_registry: bool) -> Result<Existence, BuildError> {
        Ok(self.at_tag(in_registry).await?.existence)
    }

    /// What is under the tag: in its registry, or in the store.
    pub(crate) async fn at_tag(&self, in_registry: bool) -> Result<AtTag, BuildError> {
        let machine = self.machine;
        let Machine { client, store, .. } = machine;
        let (platforms, given) = (&self.recipe.platforms, self.request.lock.as_ref());
        let covering =
            given.filter(|given| given.lock.uncovered(&self.locked_inputs(), platforms).is_empty());
        let wanted = Wanted { declared: &self.declared, lock: covering };
        if in_registry {
            machine.reporter.started(Stage::Check, self.target.to_string());
            at_tag(client, store, &self.target, platforms, wanted).await
        } else if self.request.spec.builder == BuilderName::Docker {
            self.at_tag_in_docker(wanted).await
        } else {
            at_local_tag(store, &self.target, platforms, wanted)
        }
    }

    /// What a lock has to have been made from to cover the spec.
    pub(crate) fn locked_inputs(&self) -> LockedInputs {
        locked_inputs(&self.recipe, &self.declared, &self.sources)
    }

    /// What an image says of where it came from that is made from the lock.
    pub(crate) fn provenance(&self, lock: &Lock) -> Provenance {
        Provenance::of_image(&self.declared, lock)
    }

    /// Remembers what is under a tag, and what it says it was made from.
    pub(crate) fn remember(
        &self,
        tag: &ImageReference,
        image: Digest,
        says: Option<&Provenance>,
    ) -> Result<(), BuildError> {
        let (store, platforms) = (&self.machine.store, &self.recipe.platforms);
        remember(store, tag, platforms, image, self.declared.digest, says)
    }

    /// Whether the lock that was given covers the spec, when it must.
    fn check_frozen(&self) -> Result<(), BuildError> {
        if !self.request.frozen {
            return Ok(());
        }
        let given = self.request.lock.as_ref().ok_or(BuildError::NoLock)?;
        match given.lock.uncovered(&self.locked_inputs(), &self.recipe.platforms) {
            what if what.is_empty() => Ok(()),
            what => Err(BuildError::NotCovered { place: given.place.clone(), what }),
        }
    }

    /// Reads secrets, and what the user asks for in packages, in files and in the settings of the machine.
    pub(crate) fn inputs(&self) -> Result<Inputs, BuildError> {
        let Machine { store, host, reporter, workplace, .. } = self.machine;
        for warning in self.sources.values().flat_map(|source| &source.warnings) {
            reporter.warn(warning.to_string(), warning.hint());
        }
        let secrets = Arc::new(Secrets::read(&self.request.spec, host)?);
        let host = secrets.host(host);
        let asked = Asked::of(self.recipe.packages(), &host).map_err(imagewright_lock::LockError::from)?;
        let (progress, fetched) = (Progress::new(reporter), self.fetched.clone());
        let reporter = reporter.clone();
        let progress = Box::new(move |transfer: Transfer<'_>| match transfer {
            Transfer::Started { subject } => reporter.started(Stage::Index, subject),
            Transfer::Ended { subject } => reporter.ended(Stage::Index, subject),
            Transfer::Progress { subject, done, total } => {
                fetched.note(subject, done);
                progress.at(subject, done, total);
            }
            Transfer::Damaged { subject } => warn_of_damage(&reporter, subject, "fetched again"),
        });
        let indexes = asked.indexes.clone();
        let (line, offline) = (workplace.line.clone(), self.request.offline);
        let downloads = Downloads::new(line, store.clone(), indexes, host.clone(), offline, progress);
        Ok(Inputs { secrets, host, asked, downloads })
    }

    pub(crate) fn debian<'b>(&'b self, inputs: &'b Inputs) -> DebianResolver<'b> {
        DebianResolver {
            store: &self.machine.store,
            downloads: &inputs.downloads,
            mirrors: &self.machine.mirrors,
            refresh: self.request.refresh,
            offline: self.request.offline,
        }
    }

    /// The plan of one platform of a lock.
    pub(crate) async fn plan(
        &self,
        inputs: &Inputs,
        platform: &Platform,
        lock: &Lock,
    ) -> Result<Planned, BuildError> {
        let pinned = lock.platform(platform);
        let pinned = pinned.ok_or_else(|| BuildError::NoPlatform { platform: platform.clone() })?;
        let debian = self.debian(inputs);
        match &pinned.base {
            BaseLock::Image { reference, .. } => {
                self.machine.reporter.started(Stage::Base, reference.to_string());
            }
            BaseLock::Local { image, .. } => self.machine.reporter.started(Stage::Base, image.to_string()),
            BaseLock::Debian { .. } => {}
        }
        let base = {
            let (client, directory) = (&self.machine.client, &self.request.directory);
            locked_base(client, &debian, &pinned.base, platform, directory, &self.homes).await?
        };
        let plan = plan(&self.recipe, platform, pinned, &base, &lock.sources, lock.epoch)?;
        if let Some(GivenLock { place, .. }) = self.request.lock.as_ref().filter(|_| self.request.frozen)
            && plan.layers.iter().any(is_open)
        {
            return Err(BuildError::AptOpen { place: place.clone(), platform: platform.clone() });
        }
        Ok(Planned { lock: pinned.clone(), plan })
    }

    /// The places where layers of the image may be.
    pub(crate) fn shelves(&self) -> Shelves {
        let target = self.request.push.then(|| (self.machine.client.clone(), self.target.clone()));
        Shelves { store: self.machine.store.clone(), target, lacking: self.lacking() }
    }

    /// What steps have to do without, whatever the sandbox is.
    pub(crate) fn lacking(&self) -> Lacking {
        Lacking { owners: false, network: self.network() == Network::None }
    }

    /// The network that steps have.
    pub(crate) fn network(&self) -> Network {
        if self.request.offline { Network::None } else { Network::Host }
    }

    /// Which layers of a plan are there, and why the others are not.
    pub(crate) async fn forecast(
        &self,
        plan: &Plan,
        last: Option<&LastBuild>,
    ) -> Result<PlatformForecast, BuildError> {
        let mut shelves = self.shelves();
        let executor = Executor::of(self.machine, &self.target, plan, Arc::default(), self.network());
        let sandbox = executor.forecast(&mut shelves).await?;
        let last = last.map(|last| last.layers(&plan.platform));
        let lookups = plan.layers.iter().map(|definition| {
            let shelves = &shelves;
            async move {
                let lookup = shelves.look_up(definition, last).await?;
                Ok::<_, BuildError>(LayerForecast::new(definition, lookup))
            }
        });
        let layers = stream::iter(lookups).buffered(LOOKUPS).try_collect().await?;
        let (platform, base) = (plan.platform.clone(), BaseForecast::of(plan));
        Ok(PlatformForecast { platform, base, sandbox, layers })
    }

    pub(crate) fn report(
        &self,
        digest: Digest,
        status: BuildStatus,
        changed: Vec<String>,
        mut parts: Vec<PartReport>,
    ) -> BuildReport {
        let layers = match &mut parts[..] {
            [_] => parts.remove(0).layers,
            _ => Vec::new(),
        };
        let statistics = self.machine.client.statistics();
        let (repository, _) = self.name.rsplit_once(':').expect("the name of an image has its tag");
        BuildReport {
            image: self.name.clone(),
            further_tags: self.request.further_tags.iter().map(|tag| format!("{repository}:{tag}")).collect(),
            digest: Some(digest),
            status,
            changed,
            platforms: self.recipe.platforms.clone(),
            layers,
            parts,
            outputs: Vec::new(),
            bytes_uploaded: statistics.bytes_sent,
            bytes_downloaded: statistics.bytes_received + self.fetched.bytes(),
            requests: statistics.requests,
            seconds: self.started.elapsed().as_secs_f64(),
        }
    }
}
