//! A folder to work in: a project, a store, and an environment that says nothing of the machine's user.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use imagewright_store::Store;
use tempfile::TempDir;

use super::peers::oracle;
use super::process::{Run, run_within};
use super::report::Report;

/// How long any command may take.
const LIMIT: Duration = Duration::from_mins(5);
/// Seconds since 1970: when the stores of tests are looked at.
pub(super) const NOW: u64 = 4_000_000_000;

/// Where the command is run.
#[derive(Debug)]
pub(crate) struct Workshop {
    folder: TempDir,
    store: PathBuf,
    variables: BTreeMap<String, String>,
}

impl Workshop {
    /// A workshop with an empty store.
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        fs_err::create_dir(folder.path().join("project")).unwrap();
        let store = folder.path().join("store");
        let docker = folder.path().join("docker").display().to_string();
        let mut variables = BTreeMap::from([("DOCKER_CONFIG".to_owned(), docker)]);
        // uv beside the oracle: tests look at other things than at how it is obtained.
        if let Some(uv) = oracle().and_then(|python| Some(python.parent()?.join("uv"))) {
            variables.insert("IMAGEWRIGHT_UV".to_owned(), uv.display().to_string());
        }
        Self { folder, store, variables }
    }

    /// A workshop with a copy of a store that has downloaded before what most tests need.
    pub(crate) fn warm() -> Self {
        let workshop = Self::new();
        super::warm::copy_to(&workshop.store);
        workshop
    }

    /// A workshop whose store is the same for all tests of this run that ask for it: bases are unpacked there once.
    pub(crate) fn shared() -> Self {
        Self::new().with_store(&super::warm::shared())
    }

    /// A workshop whose store has those downloads, and nothing that was made of them.
    pub(crate) fn unbuilt() -> Self {
        let workshop = Self::new();
        super::warm::copy_downloads_to(&workshop.store);
        workshop
    }

    /// The same project and variables with another store.
    pub(crate) fn with_store(self, store: &Path) -> Self {
        Self { store: store.to_owned(), ..self }
    }

    /// A path in the workshop.
    pub(crate) fn path(&self, below: &str) -> PathBuf {
        self.folder.path().join(below)
    }

    /// Where the command is started.
    pub(crate) fn project(&self) -> PathBuf {
        self.path("project")
    }

    /// The store's directory.
    pub(crate) fn store_path(&self) -> &Path {
        &self.store
    }

    /// The store, opened by the test.
    pub(crate) fn store(&self) -> Store {
        Store::open(&self.store, NOW).unwrap()
    }

    /// How many bytes of inputs the store has.
    pub(crate) fn artifact_bytes(&self) -> u64 {
        let folder = self.store.join("artifacts");
        fs_err::read_dir(folder).unwrap().map(|entry| entry.unwrap().metadata().unwrap().len()).sum()
    }

    /// Writes a file of the project.
    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.project().join(name);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(&path, content).unwrap();
        path
    }

    /// The command with its arguments, in the project.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        self.wrapped(&[], arguments)
    }

    /// The command behind another one, such as `strace -f`.
    #[expect(clippy::disallowed_methods, reason = "the command under test")]
    pub(crate) fn wrapped(&self, wrapper: &[&str], arguments: &[&str]) -> Command {
        let binary = env!("CARGO_BIN_EXE_imagewright");
        let words: Vec<&str> = wrapper.iter().copied().chain([binary]).collect();
        let mut command = Command::new(words[0]);
        command.args(&words[1..]).args(arguments);
        self.place(&mut command);
        command
    }

    /// Makes a command start in the project, with the store and an environment that says nothing of the machine's user.
    pub(crate) fn place(&self, command: &mut Command) {
        command.current_dir(self.project());
        for name in ["REGISTRY_AUTH_FILE", "SOURCE_DATE_EPOCH", "PYTHONHASHSEED", "TZ", "LC_ALL"] {
            command.env_remove(name);
        }
        for name in ["PUSH_IMAGE_SPEC", "FORCE_PUSH_IMAGE_SPEC", "IMG_FAST_FAIL"] {
            command.env_remove(format!("FLYTE_{name}"));
        }
        command.env("IMAGEWRIGHT_STORE", &self.store).envs(&self.variables);
    }

    /// Runs the command.
    #[track_caller]
    pub(crate) fn run(&self, arguments: &[&str]) -> Run {
        run_within(&mut self.command(arguments), LIMIT)
    }

    /// Runs the command with this on its standard input.
    #[track_caller]
    pub(crate) fn run_on(&self, input: &str, arguments: &[&str]) -> Run {
        let (path, mut command) = (self.path("stdin"), self.command(arguments));
        fs_err::write(&path, input).unwrap();
        command.stdin(fs_err::File::open(path).unwrap().into_parts().0);
        Run::of(&command.output().unwrap())
    }

    /// Builds a spec of the project; what it reports.
    #[track_caller]
    pub(crate) fn build(&self, spec: &str, arguments: &[&str]) -> Report {
        let arguments = [&["build", spec, "--json"], arguments].concat();
        Report::parse(&self.run(&arguments).expect(0).stdout)
    }
}

/// A name for an image that no other test pushes.
pub(crate) fn unique(name: &str) -> String {
    format!("e2e-{name}-{}", std::process::id())
}
