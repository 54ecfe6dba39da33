//! Runs what a spec executes, in the image as far as it is made: what that changes becomes a layer (design D8).

use std::sync::{Arc, Mutex, PoisonError};

use imagewright_layer::{RawPath, TreeEntry};
use imagewright_lock::SystemPackage;
use imagewright_lock::uv::Uv;
use imagewright_oci::{Descriptor, DiffId, ImageReference};
use imagewright_plan::{Execution, LayerDefinition, LayerKind, Plan};
use imagewright_sandbox::{
    Bind, Exit, Network, NoEmulator, Processor, RunRequest, Sandbox, SandboxError, StepOutcome, Stopper,
    executed_by,
};
use imagewright_store::{LayerRecord, ScratchDirectory};
use tokio::sync::OnceCell;

use crate::BuildError;
use crate::blocking::blocking;
use crate::forecast::{SandboxForecast, with_causes};
use crate::image::FinishedLayer;
use crate::lookup::{Lacking, Shelves};
use crate::native::Machine;
use crate::produce::Producer;
use crate::secret::Secrets;
use crate::step::apt::{AptPurpose, AptRun};
use crate::step::failed::{Below, FailedStep};
use crate::step::output::{Loudness, StepOutput};
use crate::step::surroundings::Surroundings;

/// What runs the executions of one plan. The sandbox is looked for when the first of them is not at hand.
#[derive(Debug)]
pub(crate) struct Executor<'a> {
    machine: &'a Machine,
    image: &'a ImageReference,
    plan: &'a Plan,
    /// Whether it is for the build of a package, whose root the plan is.
    is_of_packages: bool,
    secrets: Arc<Secrets>,
    /// What network the steps have.
    network: Network,
    sandbox: OnceCell<Sandbox>,
    surroundings: OnceCell<Surroundings>,
    /// Where all of them write, each above the one before.
    scratch: OnceCell<Arc<ScratchDirectory>>,
}

/// What a step is run with.
#[derive(Clone, Debug)]
pub(crate) struct Means {
    pub(crate) sandbox: Sandbox,
    pub(crate) surroundings: Surroundings,
}

impl<'a> Executor<'a> {
    pub(crate) fn of(
        machine: &'a Machine,
        image: &'a ImageReference,
        plan: &'a Plan,
        secrets: Arc<Secrets>,
        network: Network,
    ) -> Self {
        let (sandbox, surroundings, scratch) = Default::default();
        let is_of_packages = false;
        Self { machine, image, plan, is_of_packages, secrets, network, sandbox, surroundings, scratch }
    }

    /// The same, for the build of a package.
    pub(crate) fn of_packages(self) -> Self {
        Self { is_of_packages: true, ..self }
    }

    /// The same for another plan over the same base.
    pub(crate) fn with_plan<'b>(&self, plan: &'b Plan) -> Executor<'b>
    where
        'a: 'b,
    {
        let secrets = Arc::clone(&self.secrets);
        let (sandbox, surroundings) = (self.sandbox.clone(), self.surroundings.clone());
        let scratch = self.scratch.clone();
        let Self { machine, image, is_of_packages, network, .. } = *self;
        Executor { machine, image, plan, is_of_packages, secrets, network, sandbox, surroundings, scratch }
    }

    /// Finds out, before any work, whether what is not at hand can be executed here.
    pub(crate) async fn check(&self, producer: &mut Producer) -> Result<(), BuildError> {
        let no_cache = producer.no_cache;
        if let Some(execution) = self.missing(&producer.shelves, no_cache).await? {
            let sandbox = self.sandbox(&execution.origin).await?;
            producer.shelves.lacking.owners = !sandbox.mode().keeps_owners();
        }
        if self.missing(&producer.shelves, no_cache).await?.is_some() {
            self.surroundings().await?;
        }
        Ok(())
    }

    /// How what is not at hand would be isolated; none if nothing has to be executed.
    pub(crate) async fn forecast(
        &self,
        shelves: &mut Shelves,
    ) -> Result<Option<SandboxForecast>, BuildError> {
        let Some(execution) = self.missing(shelves, false).await? else { return Ok(None) };
        match self.sandbox(&execution.origin).await {
            Ok(sandbox) => {
                let mode = sandbox.mode();
                shelves.lacking.owners = !mode.keeps_owners();
                let missing = self.missing(shelves, false).await?;
                Ok(missing.map(|_| SandboxForecast::Works { mode: mode.name() }))
            }
            Err(error @ (BuildError::NoSandbox { .. } | BuildError::ForeignPlatform { .. })) => {
                Ok(Some(SandboxForecast::Missing { because: with_causes(&error) }))
            }
            Err(error) => Err(error),
        }
    }

    /// What executes the image's programs.
    fn processor(&self) -> Result<Processor, BuildError> {
        let platform = &self.plan.platform;
        let foreign = |source: NoEmulator| BuildError::ForeignPlatform {
            fields: self.fields(),
            platform: platform.clone(),
            source,
        };
        executed_by(platform).map_err(foreign)
    }

    /// The fields of the spec because of which something is executed. The configuration of a base is because of them.
    fn fields(&self) -> Vec<String> {
        let asked = self.plan.layers.iter().filter(|layer| layer.kind != LayerKind::Configuration);
        let origins = asked.filter_map(LayerDefinition::execution).map(|execution| &execution.origin);
        let own = self.is_of_packages.then_some("packages");
        let origins = origins.map(|origin| origin.split('[').next().unwrap_or(origin));
        let mut fields: Vec<String> = own.into_iter().chain(origins).map(str::to_owned).collect();
        fields.dedup();
        fields
    }

    /// The first execution whose layer has to be made.
    async fn missing(&self, shelves: &Shelves, no_cache: bool) -> Result<Option<&'a Execution>, BuildError> {
        for definition in &self.plan.layers {
            let Some(execution) = definition.execution() else { continue };
            if no_cache || shelves.find_for(definition).await?.is_err() {
                return Ok(Some(execution));
            }
        }
        Ok(None)
    }

    /// What a step is run with that makes no layer.
    pub(crate) async fn means(&self, origin: &str) -> Result<Means, BuildError> {
        let sandbox = self.sandbox(origin).await?.clone();
        Ok(Means { sandbox, surroundings: self.surroundings().await?.clone() })
    }

    async fn sandbox(&self, origin: &str) -> Result<&Sandbox, BuildError> {
        self.sandbox.get_or_try_init(|| self.find_sandbox(origin.to_owned())).await
    }

    async fn find_sandbox(&self, origin: String) -> Result<Sandbox, BuildError> {
        self.processor()?;
        let (store, choice) = (self.machine.store.clone(), self.machine.sandbox.clone());
        blocking(move || {
            let scratch = store.scratch_directory()?;
            choice.find(scratch.path()).map_err(|source| BuildError::NoSandbox { origin, source })
        })
        .await
    }

    async fn surroundings(&self) -> Result<&Surroundings, BuildError> {
        let find = async || {
            // This machine's uv is a program for its own loader, which an image for another processor has not.
            let uv = match self.processor()? {
                Processor::Own => Some(self.machine.uv().await?),
                Processor::Emulated { .. } => None,
            };
            Surroundings::of(&self.machine.host, &self.machine.store, uv.as_ref().map(Uv::executable))
        };
        self.surroundings.get_or_try_init(find).await
    }

    /// Runs a command above the base and the layers `below`.
    pub(crate) async fn layer(
        &self,
        producer: &Producer,
        definition: &LayerDefinition,
        execution: &Execution,
        below: &[&FinishedLayer],
    ) -> Result<LayerRecord, BuildError> {
        let step = self.step(producer, definition, execution, below, AptPurpose::Install).await?;
        let _turn = self.machine.workplace.turn().await;
        // When nobody waits any more, the command is stopped.
        let _stopped = StopOnDrop::of(&step.running);
        blocking(move || step.run()).await
    }

    /// Lets apt choose versions of what is to be installed above the base and the layers `below`. Nothing is changed.
    pub(crate) async fn choose(
        &self,
        producer: &Producer,
        definition: &LayerDefinition,
        execution: &Execution,
        below: &[&FinishedLayer],
    ) -> Result<Vec<SystemPackage>, BuildError> {
        let step = self.step(producer, definition, execution, below, AptPurpose::Choose).await?;
        let _turn = self.machine.workplace.turn().await;
        let _stopped = StopOnDrop::of(&step.running);
        blocking(move || step.choose()).await
    }

    async fn step(
        &self,
        producer: &Producer,
        definition: &LayerDefinition,
        execution: &Execution,
        below: &[&FinishedLayer],
        purpose: AptPurpose,
    ) -> Result<Step, BuildError> {
        let sandbox = self.sandbox(&execution.origin).await?;
        let unpacked = self.below(producer, sandbox, below).await?;
        // What was made above files with other owners than they should have may have copied them.
        let has_owners = |(layer, definition): (&&FinishedLayer, &LayerDefinition)| {
            [false, true]
                .iter()
                .any(|&network| layer.key == Lacking { owners: false, network }.key(&definition.key))
        };
        let is_below_lossy = !below.iter().zip(&self.plan.layers).all(has_owners);
        let (secrets, loudness) = match definition.kind {
            // It is the same for every spec.
            LayerKind::Configuration => (Arc::default(), Loudness::Failure),
            _ => (Arc::clone(&self.secrets), Loudness::EveryLine),
        };
        let surroundings = self.surroundings().await?.clone();
        let mask = secrets.mask().and(surroundings.mask());
        let make_scratch = async || Ok::<_, BuildError>(Arc::new(self.machine.store.scratch_directory()?));
        Ok(Step {
            scratch: Arc::clone(self.scratch.get_or_try_init(make_scratch).await?),
            apt: AptRun::of(self.machine, execution, purpose, self.network).await?,
            image: self.image.clone(),
            below: unpacked,
            sandbox: sandbox.clone(),
            surroundings,
            execution: execution.clone(),
            definition: definition.clone(),
            is_below_lossy,
            producer: producer.clone(),
            output: StepOutput::new(&definition.title, mask, &self.machine.reporter, loudness),
            secrets,
            network: self.network,
            running: Running::default(),
        })
    }

    /// What is below, unpacked.
    pub(crate) async fn below(
        &self,
        producer: &Producer,
        sandbox: &Sandbox,
        below: &[&FinishedLayer],
    ) -> Result<Below, BuildError> {
        // A layer of ours that the store has dropped is where the image goes to.
        let target = producer.shelves.target.as_ref().map(|(_, target)| target);
        let homes: Vec<ImageReference> =
            self.plan.base.homes.iter().chain(target).map(ImageReference::name_only).collect();
        self.machine.keep_local_base(&self.plan.base).await?;
        let base = self.plan.base.layers.iter().map(|layer| (layer.descriptor.clone(), layer.diff_id));
        let ours = below.iter().map(|layer| (descriptor(layer), layer.diff_id));
        let layers: Vec<(Descriptor, DiffId)> = base.chain(ours).collect();
        let roots = self.machine.unpack_layers(sandbox, layers.clone(), |_| homes.clone()).await?;
        Ok(Below { layers, homes, roots })
    }
}

/// One command, and where what it changes goes.
struct Step {
    scratch: Arc<ScratchDirectory>,
    image: ImageReference,
    below: Below,
    sandbox: Sandbox,
    surroundings: Surroundings,
    execution: Execution,
    definition: LayerDefinition,
    is_below_lossy: bool,
    producer: Producer,
    output: StepOutput,
    secrets: Arc<Secrets>,
    network: Network,
    running: Running,
    apt: Option<AptRun>,
}

impl Step {
    fn run(self) -> Result<LayerRecord, BuildError> {
        let StepOutcome { exit, changes } = self.execute(&self.scratch, true)?;
        self.output.tell_lost(&changes.lost_owners);
        if !exit.success() {
            return Err(self.failed(exit, changes.entries));
        }
        let lacking = Lacking {
            owners: self.is_below_lossy || !changes.lost_owners.is_empty(),
            // A configuration asks for none, and apt fails without what it needs.
            network: self.network == Network::None && self.definition.kind == LayerKind::Commands,
        };
        let key = lacking.key(&self.definition.key);
        self.producer.commit_tree(&LayerDefinition { key, ..self.definition.clone() }, changes.entries)
    }

    fn choose(self) -> Result<Vec<SystemPackage>, BuildError> {
        let scratch = self.producer.store.scratch_directory()?;
        let StepOutcome { exit, changes } = self.execute(&scratch, false)?;
        if !exit.success() {
            return Err(self.failed(exit, changes.entries));
        }
        self.apt.as_ref().map_or_else(|| Ok(Vec::new()), AptRun::chosen)
    }

    fn execute(&self, scratch: &ScratchDirectory, is_of_series: bool) -> Result<StepOutcome, BuildError> {
        let Execution { argv, environment, working_directory, .. } = self.execution.clone();
        let running = self.sandbox.start_step(RunRequest {
            roots: self.below.roots.clone(),
            scratch: scratch.path().to_owned(),
            argv,
            env: self.surroundings.around(&environment).into_iter().chain(self.secrets.variables()).collect(),
            cwd: working_directory.into(),
            user: String::new(),
            binds: self.binds(),
            secrets: self.secrets.files().to_vec(),
            network: self.network,
            is_of_series,
        })?;
        self.running.set(running.stopper());
        let outcome = running.wait(|line| self.output.tell(line));
        outcome.map_err(|error| self.not_started(error))
    }

    /// What the command left is kept for a look; its own error counts more than one of that.
    fn failed(self, exit: Exit, changes: Vec<TreeEntry<RawPath>>) -> BuildError {
        let caches = self.apt.iter().flat_map(AptRun::binds).collect();
        let failed = FailedStep::new(&self.image, &self.execution, exit, &self.below, caches);
        if let Err(error) = failed.keep(&self.producer, &self.definition, changes) {
            let message =
                format!("what {} left cannot be looked at: {}", self.execution.origin, with_causes(&error));
            self.producer.reporter.warn(message, error.hint());
        }
        let last_lines = self.output.last_lines();
        match self.apt {
            Some(apt) => apt.failure(exit, last_lines, self.network),
            None => {
                BuildError::Step { origin: self.execution.origin, exit, last_lines, network: self.network }
            }
        }
    }

    /// Every step is started by a shell, which some images do not have.
    fn not_started(&self, error: SandboxError) -> BuildError {
        match error {
            SandboxError::NoSuchProgram { program, .. } if self.execution.argv.first() == Some(&program) => {
                BuildError::NoShell { origin: self.execution.origin.clone(), shell: program }
            }
            error => error.into(),
        }
    }

    fn binds(&self) -> Vec<Bind> {
        let apt = self.apt.iter().flat_map(AptRun::binds);
        self.surroundings.binds.iter().cloned().chain(apt).collect()
    }
}

/// The step that is under way.
#[derive(Clone, Debug, Default)]
pub(crate) struct Running(Arc<Mutex<State>>);

#[derive(Debug, Default)]
enum State {
    #[default]
    NotStarted,
    Started(Stopper),
    Abandoned,
}

impl Running {
    /// Remembers what stops the step, which is at once if nobody waits for it any more.
    pub(crate) fn set(&self, stopper: Stopper) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if matches!(*state, State::Abandoned) {
            stopper.stop();
        } else {
            *state = State::Started(stopper);
        }
    }
}

pub(crate) struct StopOnDrop(Running);

impl StopOnDrop {
    pub(crate) fn of(running: &Running) -> Self {
        Self(running.clone())
    }
}

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        let mut state = self.0.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let State::Started(stopper) = std::mem::replace(&mut *state, State::Abandoned) {
            stopper.stop();
        }
    }
}

fn descriptor(layer: &FinishedLayer) -> Descriptor {
    Descriptor::new(layer.media_type.clone(), layer.digest, layer.size)
}
