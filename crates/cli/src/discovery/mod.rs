//! The images of a Python file: the user's Python imports it, and answers with requests.

mod answer;
mod arguments;
mod error;
mod interpreter;

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::io::AsyncReadExt as _;

use crate::configuration::Configuration;
use crate::environment::Environment;
use crate::failure::Failure;
use crate::interrupt;
pub(crate) use answer::Found;
pub(crate) use arguments::{Named, PythonFile, named};
pub(crate) use error::DiscoveryError;

/// How long a file may take to be imported, with all that it imports.
const LIMIT: Duration = Duration::from_mins(15);

/// Starts the module that answers. Where the Python has none it ends with [`NO_PACKAGE`], as whoever imports a file
/// has that file's folder on its path, and not the working directory.
const START: &str = r#"
import sys
if sys.path[:1] == [""]:
    del sys.path[0]
try:
    from imagewright._discover import main
except ModuleNotFoundError as error:
    if (error.name or "").partition(".")[0] != "imagewright":
        raise
    sys.exit(96)
main(sys.argv[1:])
"#;
const NO_PACKAGE: i32 = 96;

/// What `file` has: the images of what it names in it, else of its tasks and workflows, else of its variables.
pub(crate) fn found(environment: &Environment, file: &PythonFile) -> Result<Vec<Found>, Failure> {
    let PythonFile { path, names } = file;
    // That there is no such file is nothing that Python need say.
    fs_err::metadata(path)?;
    let program = interpreter::find(environment, &Configuration::load(environment)?);
    let program = program.ok_or_else(|| DiscoveryError::NoInterpreter { file: path.clone() })?;
    let text = interrupt::run(ask(&program, path, names))?;
    Ok(answer::parse(&program, path, &text)?)
}

/// Has a Python read a file; its answer.
async fn ask(program: &Path, file: &Path, names: &[String]) -> Result<String, DiscoveryError> {
    let mut command = tokio::process::Command::new(program);
    command.arg("-c").arg(START).arg(file).args(names);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit()).kill_on_drop(true);
    if let Ok(own) = std::env::current_exe() {
        // What asks the program while it is imported, as for a tag, asks this one.
        command.env("IMAGEWRIGHT_PROGRAM", own);
    }
    let failed = |source| DiscoveryError::NotStarted { program: program.to_owned(), source };
    let mut python = command.spawn().map_err(failed)?;
    let mut answer = String::new();
    let mut stdout = python.stdout.take().expect("it is a pipe");
    tokio::time::timeout(LIMIT, stdout.read_to_string(&mut answer))
        .await
        .map_err(|_| DiscoveryError::TimedOut { file: file.to_owned(), limit: LIMIT })?
        .map_err(failed)?;
    if !answer.is_empty() {
        // What it made for the answer is there as long as its standard input is open: until this process ends.
        std::mem::forget(python);
        return Ok(answer);
    }
    let status = python.wait().await.map_err(failed)?;
    let program = program.to_owned();
    if status.code() == Some(NO_PACKAGE) {
        return Err(DiscoveryError::NoPackage { program });
    }
    Err(DiscoveryError::Ended { program, file: file.to_owned(), status })
}

/// Where the lock of an image is, as if its spec was a file of its own: `train.image.py` for `train.py:image`.
fn place(file: &Path, name: &str) -> PathBuf {
    file.with_extension(format!("{name}.py"))
}
