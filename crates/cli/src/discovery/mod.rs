//! The images of a Python file: the user's Python imports it, and answers with requests.

mod answer;
mod arguments;
mod error;
mod folder;
mod interpreter;

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, BufReader};

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
    answer(environment, path, names, &[])
}

/// What the Python files below a folder have, each file read by a process of its own; of files without images nothing.
pub(crate) fn found_below(environment: &Environment, folder: &Path) -> Result<Vec<Found>, Failure> {
    let mut all: Vec<Found> = Vec::new();
    for file in folder::files(folder)? {
        for found in answer(environment, &file, &[], &["--may-be-empty"])? {
            // Files that import one another have the same images.
            if !all.iter().any(|other| other.identity == found.identity) {
                all.push(found);
            }
        }
    }
    if all.is_empty() {
        return Err(DiscoveryError::Empty { folder: folder.to_owned() }.into());
    }
    Ok(all)
}

fn answer(
    environment: &Environment,
    path: &Path,
    names: &[String],
    options: &[&str],
) -> Result<Vec<Found>, Failure> {
    // That there is no such file is nothing that Python need say.
    fs_err::metadata(path)?;
    let program = interpreter::find(environment, &Configuration::load(environment)?);
    let program = program.ok_or_else(|| DiscoveryError::NoInterpreter { file: path.to_owned() })?;
    let line = interrupt::run(ask(&program, path, names, options))?;
    Ok(answer::parse(&program, path, &line)?)
}

/// Has a Python read a file; its answer.
async fn ask(
    program: &Path,
    file: &Path,
    names: &[String],
    options: &[&str],
) -> Result<Vec<u8>, DiscoveryError> {
    let mut command = tokio::process::Command::new(program);
    command.arg("-c").arg(START).args(options).arg(file).args(names);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit()).kill_on_drop(true);
    if let Ok(own) = std::env::current_exe() {
        // What asks the program while it is imported, as for a tag, asks this one.
        command.env("IMAGEWRIGHT_PROGRAM", own);
    }
    let unread = |source| DiscoveryError::Unread { program: program.to_owned(), source };
    let mut python = command
        .spawn()
        .map_err(|source| DiscoveryError::NotStarted { program: program.to_owned(), source })?;
    let mut stdout = BufReader::new(python.stdout.take().expect("it is a pipe"));
    let mut line = Vec::new();
    let answered = async {
        // No more than a line: what the file started may hold the pipe open for ever.
        stdout.read_until(b'\n', &mut line).await?;
        if line.ends_with(b"\n") { Ok(None) } else { python.wait().await.map(Some) }
    };
    let ended = tokio::time::timeout(LIMIT, answered)
        .await
        .map_err(|_| DiscoveryError::TimedOut { file: file.to_owned(), limit: LIMIT })?
        .map_err(unread)?;
    let program = program.to_owned();
    match ended {
        None => {
            // What it made for the answer is there as long as its standard input is open: until this process ends.
            std::mem::forget(python);
            Ok(line)
        }
        Some(status) if status.code() == Some(NO_PACKAGE) => Err(DiscoveryError::NoPackage { program }),
        Some(status) => Err(DiscoveryError::Ended { program, file: file.to_owned(), status }),
    }
}

/// Where the lock of an image is, as if its spec was a file of its own: `train.image.py` for `train.py:image`.
fn place(file: &Path, name: &str) -> PathBuf {
    file.with_extension(format!("{name}.py"))
}
