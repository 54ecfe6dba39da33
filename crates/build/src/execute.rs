//! Runs what a spec executes, in the image as far as it is made: what that changes becomes a layer (design D8).

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use imagewright_oci::{Descriptor, DiffId, ImageReference, Platform};
use imagewright_plan::{Execution, LayerDefinition, Plan};
use imagewright_sandbox::{Bind, LostOwner, Mode, Network, RunRequest, Sandbox, StepOutcome, Stopper};
use imagewright_store::LayerRecord;
use tokio::sync::OnceCell;

use crate::BuildError;
use crate::apt::AptRun;
use crate::blocking::blocking;
use crate::event::{Event, Reporter};
use crate::image::FinishedLayer;
use crate::native::Machine;
use crate::produce::Producer;
use crate::surroundings::Surroundings;

/// How commands of a spec are isolated.
#[derive(Clone, Debug)]
pub struct SandboxChoice {
    /// The program that is the sandbox's helper.
    pub helper: PathBuf,
    /// The mode to use, instead of the best that works.
    pub mode: Option<Mode>,
}

/// How many of a step's last lines its error has.
const TAIL: usize = 20;

/// How many files a warning of lost owners names.
const LOST_NAMED: usize = 8;

/// What runs the executions of one plan. The sandbox is looked for when the first of them is not at hand.
#[derive(Debug)]
pub(crate) struct Executor<'a> {
    machine: &'a Machine,
    plan: &'a Plan,
    means: OnceCell<Means>,
}

/// What a command is run with.
#[derive(Clone, Debug)]
struct Means {
    sandbox: Sandbox,
    surroundings: Surroundings,
}

impl<'a> Executor<'a> {
    pub(crate) fn of(machine: &'a Machine, plan: &'a Plan) -> Self {
        Self { machine, plan, means: OnceCell::new() }
    }

    /// Finds out, before any work, whether what is not at hand can be executed here.
    pub(crate) async fn check(&self, producer: &Producer) -> Result<(), BuildError> {
        for definition in &self.plan.layers {
            let Some(execution) = definition.execution() else { continue };
            if producer.kept(definition).await?.is_none() {
                return self.means(&execution.origin).await.map(drop);
            }
        }
        Ok(())
    }

    async fn means(&self, origin: &str) -> Result<&Means, BuildError> {
        self.means.get_or_try_init(|| self.find_means(origin.to_owned())).await
    }

    async fn find_means(&self, origin: String) -> Result<Means, BuildError> {
        let platform = &self.plan.platform;
        if !Platform::of_this_machine().accepts(platform) {
            return Err(BuildError::ForeignPlatform { origin, platform: platform.clone() });
        }
        let Machine { store, host, .. } = self.machine;
        let (scratch_of, choice) = (store.clone(), self.machine.sandbox.clone());
        let sandbox = blocking(move || {
            let scratch = scratch_of.scratch_directory()?;
            let sandbox = match choice.mode {
                Some(mode) => Sandbox::forced(mode, &choice.helper, scratch.path()),
                None => Sandbox::first(&choice.helper, scratch.path()),
            };
            sandbox.map_err(|source| BuildError::NoSandbox { origin, source })
        });
        let sandbox = sandbox.await?;
        let uv = self.machine.uv().await?;
        Ok(Means { sandbox, surroundings: Surroundings::of(host, store, Some(uv.executable()))? })
    }

    /// Runs a command above the base and the layers `below`.
    pub(crate) async fn layer(
        &self,
        producer: &Producer,
        definition: &LayerDefinition,
        execution: &Execution,
        below: &[&FinishedLayer],
    ) -> Result<LayerRecord, BuildError> {
        let Means { sandbox, surroundings } = self.means(&execution.origin).await?.clone();
        let roots = self.roots(&sandbox, below).await?;
        let step = Step {
            apt: AptRun::of(self.machine, execution, &roots).await?,
            sandbox,
            surroundings,
            execution: execution.clone(),
            definition: definition.clone(),
            producer: producer.clone(),
            output: Output::new(&definition.title, &self.machine.reporter),
            running: Running::default(),
        };
        // When nobody waits any more, the command is stopped.
        let _stopped = StopOnDrop(step.running.clone());
        blocking(move || step.run(roots)).await
    }

    /// What is below, as directories.
    async fn roots(&self, sandbox: &Sandbox, below: &[&FinishedLayer]) -> Result<Vec<PathBuf>, BuildError> {
        let base_at: Vec<ImageReference> =
            self.plan.base.homes.iter().map(ImageReference::name_only).collect();
        self.machine.keep_local_base(&self.plan.base).await?;
        let base = self.plan.base.layers.iter().map(|layer| (layer.descriptor.clone(), layer.diff_id));
        let ours = below.iter().map(|layer| (descriptor(layer), layer.diff_id));
        let layers: Vec<(Descriptor, DiffId)> = base.chain(ours).collect();
        self.machine.unpack_layers(sandbox, layers, |_| base_at.clone()).await
    }
}

/// One command, and where what it changes goes.
struct Step {
    sandbox: Sandbox,
    surroundings: Surroundings,
    execution: Execution,
    definition: LayerDefinition,
    producer: Producer,
    output: Output,
    running: Running,
    apt: Option<AptRun>,
}

impl Step {
    fn run(self, roots: Vec<PathBuf>) -> Result<LayerRecord, BuildError> {
        let scratch = self.producer.store.scratch_directory()?;
        let Execution { argv, environment, working_directory, .. } = self.execution.clone();
        let running = self.sandbox.start_step(RunRequest {
            roots,
            scratch: scratch.path().to_owned(),
            argv,
            env: self.surroundings.around(&environment),
            cwd: working_directory.into(),
            user: String::new(),
            binds: self.binds(),
            network: Network::Host,
        })?;
        self.running.set(running.stopper());
        let StepOutcome { exit, changes } = running.wait(|line| self.output.tell(line))?;
        self.output.tell_lost(&changes.lost_owners);
        if !exit.success() {
            let Self { execution, output, apt, .. } = self;
            let last_lines = output.last_lines();
            return Err(match apt {
                Some(apt) => apt.failure(exit, last_lines),
                None => BuildError::Step { origin: execution.origin, exit, last_lines },
            });
        }
        if let Some(apt) = &self.apt {
            apt.record(&self.producer.store, &self.definition.key)?;
        }
        self.producer.commit_tree(&self.definition, changes.entries)
    }

    fn binds(&self) -> Vec<Bind> {
        let apt = self.apt.iter().flat_map(AptRun::binds);
        self.surroundings.binds.iter().cloned().chain(apt).collect()
    }
}

/// What a command writes, told line by line; the last lines are kept for the error.
struct Output {
    subject: String,
    reporter: Reporter,
    last: Mutex<VecDeque<String>>,
}

impl Output {
    fn new(subject: &str, reporter: &Reporter) -> Self {
        Self { subject: subject.to_owned(), reporter: reporter.clone(), last: Mutex::default() }
    }

    fn tell(&self, line: &str) {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if last.len() == TAIL {
            last.pop_front();
        }
        last.push_back(line.to_owned());
        drop(last);
        self.reporter.report(Event::Log { subject: self.subject.clone(), line: line.to_owned() });
    }

    /// Says which files have not the owner that the command gave them.
    fn tell_lost(&self, lost: &[LostOwner]) {
        let named =
            lost.iter().take(LOST_NAMED).map(|LostOwner { path, uid, gid }| format!("/{path} ({uid}:{gid})"));
        let mut named: Vec<String> = named.collect();
        if named.is_empty() {
            return;
        }
        if lost.len() > LOST_NAMED {
            named.push(format!("and {} more", lost.len() - LOST_NAMED));
        }
        let message = format!(
            "{}: owners that this sandbox cannot give are root's now: {}",
            self.subject,
            named.join(", ")
        );
        let hint = "build as root, or with subordinate ids; `imagewright doctor` says what is missing";
        self.reporter.warn(message, Some(hint.to_owned()));
    }

    fn last_lines(self) -> Vec<String> {
        self.last.into_inner().unwrap_or_else(PoisonError::into_inner).into()
    }
}

/// The step that is under way.
#[derive(Clone, Debug, Default)]
struct Running(Arc<Mutex<State>>);

#[derive(Debug, Default)]
enum State {
    #[default]
    NotStarted,
    Started(Stopper),
    Abandoned,
}

impl Running {
    /// Remembers what stops the step, which is at once if nobody waits for it any more.
    fn set(&self, stopper: Stopper) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if matches!(*state, State::Abandoned) {
            stopper.stop();
        } else {
            *state = State::Started(stopper);
        }
    }
}

struct StopOnDrop(Running);

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
