//! The Python that the tests compare with: a virtual environment with flytekit, packaging, uv and the newest pip.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, Result};

use crate::process::{command, find, read, run};
use crate::python;
use crate::workspace::Workspace;

/// What is installed. The environment is kept until this list or the interpreter changes.
const REQUIREMENTS: [&str; 4] = [python::FLYTEKIT, "packaging", "pyyaml", "uv"];

/// Makes the environment, or finds it complete, and returns its interpreter.
pub(crate) fn ensure(workspace: &Workspace) -> Result<PathBuf> {
    let host = interpreter()?;
    let folder = workspace.cache("oracle");
    let python = folder.join("bin/python");
    let mark = folder.join("complete");
    let wanted = format!("{}\n{}\n", host.display(), REQUIREMENTS.join("\n"));
    if mark.exists() && fs_err::read_to_string(&mark)? == wanted {
        return Ok(python);
    }
    if folder.exists() {
        fs_err::remove_dir_all(&folder)?;
    }
    run(command(&host).args(["-m", "venv"]).arg(&folder))?;
    run(pip(&python).args(["install", "--upgrade", "pip"]))?;
    run(pip(&python).args(["install", "--only-binary", ":all:"]).args(REQUIREMENTS))?;
    fs_err::write(mark, wanted)?;
    Ok(python)
}

/// Whether the package index answers: asked of pip, so that the user's own index settings apply.
pub(crate) fn has_network(python: &Path) -> Result<bool> {
    let status = pip(python)
        .args(["--no-cache-dir", "download", "--no-deps", "--dest"])
        .arg(python.with_file_name("probe"))
        .arg("six")
        .env_remove("PIP_FIND_LINKS")
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .context("cannot start pip")?;
    Ok(status.success())
}

/// Pip of an interpreter, without chatter.
pub(crate) fn pip(python: &Path) -> std::process::Command {
    let mut pip = command(python);
    pip.args(["-m", "pip", "--quiet", "--disable-pip-version-check"]);
    pip
}

/// The real path of a Python of the machine that can make virtual environments and that flytekit supports.
fn interpreter() -> Result<PathBuf> {
    const PROBE: &str = "import ensurepip, sys, venv\n\
                         assert (3, 10) <= sys.version_info < (3, 14)\n\
                         print(sys.executable)";
    ["python3", "python3.13", "python3.12", "python3.11", "python3.10"]
        .iter()
        .filter_map(|name| find(name))
        .find_map(|python| read(command(python).args(["-c", PROBE])).ok())
        .map(|path| PathBuf::from(path.trim_end()))
        .context("no Python from 3.10 to 3.13 with the module venv; on Debian: apt-get install python3-venv")
}
