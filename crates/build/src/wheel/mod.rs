//! Wheels of projects that have none: built in the sandbox, in the image as far as it is without Python packages.

mod failed;
mod restore;
mod run;

use std::collections::btree_map::{BTreeMap, Entry};
use std::path::PathBuf;
use std::sync::Arc;

use futures_util::FutureExt as _;
use futures_util::future::LocalBoxFuture;
use imagewright_layer::LayerKey;
use imagewright_lock::python::Refresh;
use imagewright_lock::{
    AptResult, BuildRoot, BuilderFailure, BuiltWheel, Project, SourceFetcher, SystemPackage, WheelBuild,
    WheelBuilder,
};
use imagewright_oci::{Digest, canonical_json};
use imagewright_plan::{AptVersions, WheelPlan, plan_wheel};
use imagewright_pypa::WheelFilename;
use imagewright_store::DocumentKind;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;

use crate::BuildError;
use crate::event::{Event, Stage};
use crate::image::FinishedLayer;
use crate::job::{Inputs, Job};
use crate::lookup::Shelves;
use crate::native::Machine;
use crate::obtain::{Obtaining, There};
use crate::produce::Producer;
use crate::step::execute::Executor;
use imagewright_lock::lease;

use self::run::{Answer, Ended, Hook};

/// A wheel, by all that it was built from.
const WHEEL: DocumentKind = DocumentKind("built-wheel");
/// What a backend asks for, by the same.
const REQUIREMENTS: DocumentKind = DocumentKind("build-requirements");

#[derive(Serialize, Deserialize)]
struct Known {
    filename: WheelFilename,
    sha256: Digest,
    size: u64,
}

/// Builds wheels for one image.
#[derive(Debug)]
pub(crate) struct WheelMaker<'a> {
    job: &'a Job<'a>,
    inputs: &'a Inputs,
    /// The machine, with events of the image's layers only.
    machine: Machine,
    producer: Producer,
    epoch: u64,
    /// The versions that apt chooses, by what it chooses them for: each platform has its own.
    chosen: Mutex<BTreeMap<Digest, Vec<SystemPackage>>>,
}

impl Job<'_> {
    /// What builds wheels, with files of the time `epoch`.
    pub(crate) fn wheel_maker<'b>(&'b self, inputs: &'b Inputs, epoch: u64) -> WheelMaker<'b> {
        let mut machine = self.machine.clone();
        let reporter = self.machine.reporter.clone();
        machine.reporter = crate::event::Reporter::new(move |event| {
            // What a wheel is built in is no image.
            if !matches!(event, Event::Layer { .. }) {
                reporter.report(event);
            }
        });
        let shelves = Shelves { store: machine.store.clone(), target: None, lacking: self.lacking() };
        let producer = Producer {
            no_cache: false,
            reporter: machine.reporter.clone(),
            ..self.producer(shelves, inputs, epoch)
        };
        WheelMaker { job: self, inputs, machine, producer, epoch, chosen: Mutex::default() }
    }
}

impl WheelMaker<'_> {
    /// Where sources come from.
    fn fetcher(&self) -> SourceFetcher<'_> {
        let store = &self.machine.store;
        let Inputs { asked, downloads, host, .. } = self.inputs;
        let request = self.job.request;
        let (left_out, offline) = (&request.left_out[..], request.offline);
        SourceFetcher { store, downloads, indexes: &asked.indexes, host, left_out, offline }
    }

    /// Whether what an earlier build made serves: it may be wrong since a library was missing, and it stays the same
    /// until it is made anew.
    fn may_take(&self, made: &Digest) -> bool {
        let request = self.job.request;
        !(request.no_cache || request.refresh == Refresh::Always) || self.machine.workplace.made.has(made)
    }

    fn plan(&self, root: BuildRoot<'_>, build: &WheelBuild) -> Result<WheelPlan, BuildError> {
        Ok(plan_wheel(&self.job.recipe, root, build, self.epoch)?)
    }

    /// The plan with the versions that apt chooses, where they are not chosen yet, or where a layer has to be made
    /// and the lock may give way.
    async fn settled(&self, root: BuildRoot<'_>, build: &WheelBuild) -> Result<WheelPlan, BuildError> {
        let plan = self.plan(root, build)?;
        let layers = &plan.root.layers;
        let open = layers.iter().enumerate().find_map(|(at, definition)| {
            let execution = definition.execution()?;
            Some((at, definition, execution, execution.apt.as_ref()?))
        });
        let Some((at, definition, execution, access)) = open else { return Ok(plan) };
        let is_settled = match access.versions {
            AptVersions::Chosen(_) => {
                self.job.request.frozen || self.producer.kept(definition).await?.is_some()
            }
            AptVersions::Preferred(_) => false,
        };
        if is_settled {
            return Ok(plan);
        }
        let of = access.of;
        let choose = async || {
            let executor = self.executor(&plan);
            let mut producer = self.producer.clone();
            executor.check(&mut producer).await?;
            let below = self.obtaining(&plan, &producer, &executor).layers_before(at).await?;
            let below: Vec<&FinishedLayer> =
                layers[..at].iter().filter_map(|layer| below.get(&layer.key)).map(|it| &it.0).collect();
            executor.choose(&producer, definition, execution, &below).await
        };
        let mut chosen = self.chosen.lock().await;
        let packages = match chosen.entry(of) {
            Entry::Occupied(known) => known.get().clone(),
            Entry::Vacant(unknown) => unknown.insert(choose().await?).clone(),
        };
        drop(chosen);
        let mut lock = root.lock.clone();
        lock.results.apt = AptResult { of: Some(of), packages, after: lock.results.apt.after };
        self.plan(BuildRoot { lock: &lock, ..root }, build)
    }

    fn executor<'s>(&'s self, plan: &'s WheelPlan) -> Executor<'s> {
        let secrets = Arc::clone(&self.inputs.secrets);
        Executor::of(&self.machine, &self.job.target, &plan.root, secrets, self.job.network()).of_packages()
    }

    fn obtaining<'s>(
        &'s self,
        plan: &'s WheelPlan,
        producer: &'s Producer,
        executor: &'s Executor<'s>,
    ) -> Obtaining<'s> {
        Obtaining { machine: &self.machine, plan: &plan.root, producer, pusher: None, executor }
    }

    /// What the store has under a key; of what was made without network only where there is none.
    fn noted<T: DeserializeOwned>(&self, kind: DocumentKind, key: Digest) -> Result<Option<T>, BuildError> {
        let store = &self.machine.store;
        match store.document(kind, &key)? {
            None if self.place(key) != key => Ok(store.document(kind, &self.place(key))?),
            found => Ok(found),
        }
    }

    /// Where what is made under a key is noted.
    fn place(&self, key: Digest) -> Digest {
        self.job.lacking().key(&LayerKey(key)).0
    }

    fn kept(&self, plan: &WheelPlan) -> Result<Option<BuiltWheel>, BuildError> {
        let Some(Known { filename, sha256, size }) = self.noted(WHEEL, plan.key)? else {
            return Ok(None);
        };
        let is_there = self.may_take(&sha256) && self.machine.store.artifact(&sha256)?.is_some();
        Ok(is_there.then_some(BuiltWheel { filename, sha256, size }))
    }

    async fn built(&self, root: BuildRoot<'_>, build: &WheelBuild) -> Result<BuiltWheel, BuildError> {
        let plan = self.settled(root, build).await?;
        let _lease = lease(&self.machine.store, plan.key).await?;
        if let Some(wheel) = self.kept(&plan)? {
            return Ok(wheel);
        }
        let store = &self.machine.store;
        let subject = build.to_string();
        self.machine.reporter.started(Stage::Build, &subject);
        let Answer::Wheel(filename, file) = self.ask(root, build, &plan, Hook::Wheel).await? else {
            unreachable!("a wheel was asked for")
        };
        let artifact = store.insert_artifact(None, filename.as_str(), file)?;
        let (sha256, size) = (artifact.digest, artifact.size);
        store.put_document(
            WHEEL,
            &self.place(plan.key),
            &Known { filename: filename.clone(), sha256, size },
        )?;
        self.machine.workplace.made.note(sha256);
        self.machine.reporter.ended(Stage::Build, &subject);
        Ok(BuiltWheel { filename, sha256, size })
    }

    async fn required(&self, root: BuildRoot<'_>, build: &WheelBuild) -> Result<Vec<String>, BuildError> {
        let plan = self.settled(root, build).await?;
        let key = Digest::of(&canonical_json(&("requirements", plan.key)));
        if self.may_take(&key)
            && let Some(known) = self.noted(REQUIREMENTS, key)?
        {
            return Ok(known);
        }
        let Answer::Requirements(requirements) = self.ask(root, build, &plan, Hook::Requirements).await?
        else {
            unreachable!("requirements were asked for")
        };
        self.machine.store.put_document(REQUIREMENTS, &self.place(key), &requirements)?;
        self.machine.workplace.made.note(key);
        Ok(requirements)
    }

    /// Runs the backend of a project.
    async fn ask(
        &self,
        root: BuildRoot<'_>,
        build: &WheelBuild,
        plan: &WheelPlan,
        hook: Hook,
    ) -> Result<Answer, BuildError> {
        let executor = self.executor(plan);
        // Whether it can be done at all is found out before any work.
        let means = executor.means(&format!("building {build}")).await?;
        let mut producer = self.producer.clone();
        executor.check(&mut producer).await?;
        self.restore(root, &build.requirements).await?;
        let obtaining = self.obtaining(plan, &producer, &executor);
        let layers = Box::pin(obtaining.layers(&There::new())).await?;
        let below: Vec<&FinishedLayer> = layers.iter().map(|(layer, _)| layer).collect();
        let below = executor.below(&producer, &means.sandbox, &below).await?;
        let source = self.fetcher().lay_out(build).await?;
        let project = Project::read(&source, build).map_err(imagewright_lock::LockError::from)?;
        let run = run::Run {
            machine: &self.machine,
            means,
            plan,
            build,
            secrets: Arc::clone(&self.inputs.secrets),
            network: self.job.network(),
        };
        match run.ask(below.roots.clone(), source, &project, hook).await? {
            Ended::Answered(answer) => Ok(answer),
            Ended::Failed(failure) => Err(self.failed(build, plan, &producer, &below, failure).await),
        }
    }
}

impl WheelBuilder for WheelMaker<'_> {
    fn known(&self, root: BuildRoot<'_>, build: &WheelBuild) -> Result<Option<BuiltWheel>, BuilderFailure> {
        Ok(self.kept(&self.plan(root, build)?)?)
    }

    fn requirements<'a>(
        &'a self,
        root: BuildRoot<'a>,
        build: &'a WheelBuild,
    ) -> LocalBoxFuture<'a, Result<Vec<String>, BuilderFailure>> {
        async move { Ok(self.required(root, build).await?) }.boxed_local()
    }

    fn wheel<'a>(
        &'a self,
        root: BuildRoot<'a>,
        build: &'a WheelBuild,
    ) -> LocalBoxFuture<'a, Result<BuiltWheel, BuilderFailure>> {
        async move { Ok(self.built(root, build).await?) }.boxed_local()
    }

    fn python<'a>(
        &'a self,
        root: BuildRoot<'a>,
    ) -> LocalBoxFuture<'a, Result<Option<PathBuf>, BuilderFailure>> {
        async move {
            let Some(compiler) = &root.lock.compiler else { return Ok(None) };
            Ok(Some(self.producer.compiler_program(compiler).await?))
        }
        .boxed_local()
    }
}
