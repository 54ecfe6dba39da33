use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use imagewright_layer::{RawPath, TreeEntry};
use imagewright_lock::{Project, SourceFolder, WheelBuild};
use imagewright_plan::{BUILD_ENVIRONMENT, WheelPlan};
use imagewright_pypa::WheelFilename;
use imagewright_sandbox::{Bind, Exit, Network, RunRequest, StepOutcome};
use imagewright_store::ScratchDirectory;
use serde::Serialize;

use crate::BuildError;
use crate::blocking::blocking;
use crate::native::Machine;
use crate::secret::Secrets;
use crate::step::execute::{Means, Running, StopOnDrop};
use crate::step::left;
use crate::step::output::{Loudness, StepOutput};

/// What asks the backend.
const SCRIPT: &str = include_str!("backend.py");

/// Where the build sees its source: the same in every build, because compilers write it into what they make.
pub(super) const SOURCE: &str = "/run/imagewright/source";
/// Where it finds what is asked, and puts the answer.
const NOTES: &str = "/run/imagewright/build";

/// What a backend is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hook {
    /// What it needs besides what the project says.
    Requirements,
    /// The wheel.
    Wheel,
}

/// What it answers.
#[derive(Debug)]
pub(super) enum Answer {
    Requirements(Vec<String>),
    Wheel(WheelFilename, fs_err::File),
}

/// How a call ended.
#[derive(Debug)]
pub(super) enum Ended {
    Answered(Answer),
    Failed(Failure),
}

/// A backend that did not answer.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) exit: Exit,
    pub(super) last_lines: Vec<String>,
    /// What it changed in its root.
    pub(super) changes: Vec<TreeEntry<RawPath>>,
    /// Where the changes are.
    _scratch: ScratchDirectory,
}

/// One call of a backend.
#[derive(Debug)]
pub(super) struct Run<'a> {
    pub(super) machine: &'a Machine,
    pub(super) means: Means,
    pub(super) plan: &'a WheelPlan,
    pub(super) build: &'a WheelBuild,
    pub(super) secrets: Arc<Secrets>,
    pub(super) network: Network,
}

/// What the script reads.
#[derive(Serialize)]
struct Order<'a> {
    project: String,
    backend: &'a str,
    backend_path: &'a [String],
    wheel: bool,
    answers: &'a str,
}

impl Hook {
    /// What the backend has put into its folder; none when it is no answer.
    fn answer(self, notes: &Path) -> io::Result<Option<Answer>> {
        let text = left::read(notes, "answer.json")?;
        if self == Self::Requirements {
            return Ok(serde_json::from_str(&text).ok().map(Answer::Requirements));
        }
        let name: Option<WheelFilename> =
            serde_json::from_str::<String>(&text).ok().and_then(|name| name.parse().ok());
        let Some(filename) = name else { return Ok(None) };
        let file = left::open(notes, filename.as_str())?;
        Ok(Some(Answer::Wheel(filename, file)))
    }
}

/// Where a build sees its project.
pub(super) fn place_of(source: &SourceFolder) -> String {
    let below = source.project.strip_prefix(&source.top).expect("a project is in its source");
    Path::new(SOURCE).join(below).display().to_string()
}

impl Run<'_> {
    pub(super) async fn ask(
        self,
        roots: Vec<PathBuf>,
        source: SourceFolder,
        project: &Project,
        hook: Hook,
    ) -> Result<Ended, BuildError> {
        let (store, source_name) = (self.machine.store.clone(), self.build.to_string());
        let order = Order {
            project: place_of(&source),
            backend: &project.backend,
            backend_path: &project.backend_path,
            wheel: hook == Hook::Wheel,
            answers: NOTES,
        };
        let order = serde_json::to_string(&order).expect("paths of a project are text");
        let mask = self.secrets.mask().and(self.means.surroundings.mask());
        let output = StepOutput::new(&source_name, mask, &self.machine.reporter, Loudness::EveryLine);
        let _turn = self.machine.workplace.turn().await;
        let running = Running::default();
        // When nobody waits any more, the build is stopped.
        let _stopped = StopOnDrop::of(&running);
        let secrets = self.secrets;
        let env = self.means.surroundings.around(&self.plan.environment);
        let env = env.into_iter().chain(secrets.variables()).collect();
        let (interpreter, sandbox) = (self.plan.interpreter.clone(), self.means.sandbox.clone());
        let binds = self.means.surroundings.binds.clone();
        let network = self.network;
        blocking(move || {
            let (scratch, notes) = (store.scratch_directory()?, store.scratch_directory()?);
            let name = source_name.clone();
            let failed = |source| BuildError::BuildFiles { source_name: name.clone(), source };
            fs_err::write(notes.path().join("backend.py"), SCRIPT).map_err(failed)?;
            fs_err::write(notes.path().join("order.json"), order).map_err(failed)?;
            let bind = |source: PathBuf, target: &str| Bind { source, target: target.into(), writable: true };
            let own = [bind(source.top.clone(), SOURCE), bind(notes.path().to_owned(), NOTES)];
            let order = format!("{NOTES}/order.json");
            let script = format!("{NOTES}/backend.py");
            let step = sandbox.start_step(RunRequest {
                roots,
                scratch: scratch.path().to_owned(),
                argv: vec![interpreter, script, BUILD_ENVIRONMENT.to_owned(), order],
                env,
                cwd: "/".into(),
                user: String::new(),
                binds: binds.into_iter().chain(own).collect(),
                secrets: secrets.files().to_vec(),
                network,
                is_of_series: false,
            })?;
            running.set(step.stopper());
            let StepOutcome { exit, changes } = step.wait(|line| output.tell(line))?;
            let answered = exit.success().then(|| hook.answer(notes.path()));
            Ok(match answered.transpose().map_err(failed)?.flatten() {
                Some(answer) => Ended::Answered(answer),
                None => Ended::Failed(Failure {
                    exit,
                    last_lines: output.last_lines(),
                    changes: changes.entries,
                    _scratch: scratch,
                }),
            })
        })
        .await
    }
}
