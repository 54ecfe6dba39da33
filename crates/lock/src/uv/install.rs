use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::UvError;
use super::{Host, Invocation};

/// The wheel is about 20 MB; a slow line still finishes in this time.
const LIMIT: Duration = Duration::from_mins(10);

/// How a machine may offer pip, the most exact first.
const PIPS: [&[&str]; 3] = [&["python3", "-m", "pip"], &["pip3"], &["pip"]];

/// Where an installed uv is kept.
pub(super) fn folder(tools: &Path) -> PathBuf {
    tools.join("uv")
}

/// Installs uv below `tools` with the first pip that can, and returns the program.
///
/// The installation appears by a rename, so that two processes may do this at once. `refused` are the candidates
/// that were found and did not serve; the error repeats them.
pub(super) async fn with_pip(
    tools: &Path,
    host: &Host,
    requirement: &str,
    refused: Vec<UvError>,
) -> Result<PathBuf, UvError> {
    let (mut problems, mut is_unreachable) = (Vec::new(), false);
    let file_error = |source| UvError::Folder { path: tools.to_owned(), source };
    fs_err::create_dir_all(tools).map_err(file_error)?;
    for pip in PIPS {
        let command = pip.join(" ");
        let Some(program) = on_path(host, pip[0]) else {
            tried(&mut problems, &command, "not on PATH".to_owned());
            continue;
        };
        let staging = tempfile::tempdir_in(tools).map_err(file_error)?;
        match install(&program, &pip[1..], staging.path(), host, requirement).await {
            Ok(()) => return publish(staging.path(), &folder(tools)).map_err(file_error),
            Err(refusal) => {
                is_unreachable |= refusal.is_unreachable;
                tried(&mut problems, &command, refusal.said);
            }
        }
    }
    let pips = problems.into_iter().map(|(commands, problem)| format!("{commands}: {problem}"));
    let attempts = refused.iter().map(ToString::to_string).chain(pips).collect();
    Err(UvError::Missing { attempts, requirement: requirement.to_owned(), is_unreachable })
}

/// Remembers why a pip did not serve; several that say the same are mostly one pip, and say it once.
fn tried(problems: &mut Vec<(String, String)>, command: &str, problem: String) {
    match problems.iter_mut().find(|(_, other)| *other == problem) {
        Some((commands, _)) => commands.extend([", `", command, "`"]),
        None => problems.push((format!("`{command}`"), problem)),
    }
}

fn on_path(host: &Host, name: &str) -> Option<PathBuf> {
    host.path().into_iter().map(|folder| folder.join(name)).find(|path| path.is_file())
}

/// Why a pip did not serve.
struct Refusal {
    /// What it wrote last, which is where pip says why.
    said: String,
    /// Whether the package index did not answer it.
    is_unreachable: bool,
}

/// What pip says before it tries again, which is not what it says in the end.
const RETRYING: &str = "after connection broken by";

/// Runs pip.
async fn install(
    program: &Path,
    leading: &[&str],
    target: &Path,
    host: &Host,
    requirement: &str,
) -> Result<(), Refusal> {
    let fixed = ["install", "--quiet", "--disable-pip-version-check", "--no-input", "--no-deps", "--target"];
    let mut arguments: Vec<String> = leading.iter().chain(&fixed).map(|&word| word.to_owned()).collect();
    arguments.push(target.display().to_string());
    arguments.push(requirement.to_owned());
    let mut variables = host.without_tool_settings();
    // Both settings of the user contradict `--target`.
    variables.insert("PIP_USER".to_owned(), "0".to_owned());
    variables.insert("PIP_REQUIRE_VIRTUALENV".to_owned(), "0".to_owned());
    let invocation = Invocation { program, arguments, variables, directory: None, limit: LIMIT };
    let not_run = |error: UvError| Refusal { said: error.to_string(), is_unreachable: false };
    let finished = invocation.run().await.map_err(not_run)?;
    let has_uv = target.join("bin").join("uv").is_file();
    if finished.status.success() && has_uv {
        return Ok(());
    }
    let lines = finished.stderr.lines().rev().filter(|line| !line.trim().is_empty());
    let said = lines.take(2).collect::<Vec<_>>().into_iter().rev().collect::<Vec<_>>().join("; ");
    Err(Refusal { said, is_unreachable: finished.stderr.contains(RETRYING) })
}

fn publish(staging: &Path, folder: &Path) -> io::Result<PathBuf> {
    let program = folder.join("bin").join("uv");
    let old = tempfile::tempdir_in(staging.parent().expect("made inside the tools folder"))?;
    if folder.exists() {
        fs_err::rename(folder, old.path().join("uv"))?;
    }
    match fs_err::rename(staging, folder) {
        // Another process was faster; its installation is as good.
        Err(_) if program.is_file() => Ok(program),
        renamed => renamed.map(|()| program),
    }
}
