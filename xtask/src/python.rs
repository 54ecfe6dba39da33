//! `cargo xtask python`: an environment as a user of the Python package has it, with this checkout's wheel installed.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result};

use crate::oracle;
use crate::process::{cargo, command, run as run_command, step};
use crate::workspace::Workspace;

/// The flytekit that everything is tested with.
pub(crate) const FLYTEKIT: &str = "flytekit==1.16.31";

/// What stands beside the wheel: what its plugins are for, and what tests and checks its types. In the pods of later
/// versions of kubernetes an image cannot be a spec.
const REQUIREMENTS: [&str; 6] = [FLYTEKIT, "flyte==2.12.1", "kubernetes<36", "mypy", "pyright", "pytest"];

/// A virtual environment with all that the wheel needs, and the wheel when it is installed.
#[derive(Debug)]
pub(crate) struct Environment {
    folder: PathBuf,
    oracle: PathBuf,
}

impl Environment {
    /// Makes the environment, or finds it complete; `oracle` is the interpreter of the one that has pip and uv.
    pub(crate) fn ensure(workspace: &Workspace, oracle: &Path) -> Result<Self> {
        let environment = Self { folder: workspace.cache("python"), oracle: oracle.to_owned() };
        let mark = environment.folder.join("complete");
        let wanted = REQUIREMENTS.join("\n");
        if !fs_err::read_to_string(&mark).is_ok_and(|made| made == wanted) {
            run_command(
                command(environment.uv())
                    .args(["venv", "--quiet", "--clear", "--python"])
                    .arg(oracle)
                    .arg(&environment.folder),
            )?;
            environment.install(REQUIREMENTS)?;
            fs_err::write(mark, wanted)?;
        }
        Ok(environment)
    }

    /// Its interpreter.
    pub(crate) fn python(&self) -> PathBuf {
        self.folder.join("bin/python")
    }

    fn uv(&self) -> PathBuf {
        self.oracle.with_file_name("uv")
    }

    /// Builds the wheel of this checkout, and installs it.
    pub(crate) fn install_wheel(&self, workspace: &Workspace) -> Result<()> {
        let wheel = build_wheel(workspace, &self.oracle)?;
        self.install([OsStr::new("--reinstall-package=imagewright"), wheel.as_os_str()])
    }

    fn install<A: AsRef<OsStr>>(&self, words: impl IntoIterator<Item = A>) -> Result<()> {
        run_command(
            command(self.uv())
                .args(["pip", "install", "--quiet", "--only-binary", ":all:", "--python"])
                .arg(self.python())
                .args(words),
        )
    }
}

/// Builds the wheel of this checkout as `pip install .` does, but with the profile of the tests.
pub(crate) fn build_wheel(workspace: &Workspace, oracle: &Path) -> Result<PathBuf> {
    let wheels = workspace.cache("wheels");
    if wheels.exists() {
        fs_err::remove_dir_all(&wheels)?;
    }
    run_command(
        oracle::pip(oracle)
            .args(["wheel", "--no-deps", "--wheel-dir"])
            .args([wheels.as_path(), workspace.root.as_path()])
            .env("MATURIN_PEP517_ARGS", "--profile dev")
            .env("CARGO", cargo().get_program())
            .env("CARGO_TARGET_DIR", &workspace.target),
    )?;
    Ok(fs_err::read_dir(&wheels)?.next().context("pip made no wheel")??.path())
}

/// Prints where the interpreter is.
pub(crate) fn run() -> Result<ExitCode> {
    let workspace = Workspace::find()?;
    let python = ensure(&workspace, &oracle::ensure(&workspace)?)?;
    eprintln!("{}", python.display());
    Ok(ExitCode::SUCCESS)
}

/// Makes the environment anew where it has to be, and installs the wheel.
pub(crate) fn ensure(workspace: &Workspace, oracle: &Path) -> Result<PathBuf> {
    step("Python package", || {
        let environment = Environment::ensure(workspace, oracle)?;
        environment.install_wheel(workspace)?;
        Ok(environment.python())
    })
}
