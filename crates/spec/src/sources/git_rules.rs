//! What git ignores in a folder, as git itself says.

use std::collections::BTreeSet;
use std::io;
use std::path::Path;
use std::process::{Command, Output, Stdio};

/// Files and folders that are not git's and that an ignore file of git's names, by their paths below the folder.
#[derive(Debug, Default)]
pub(super) struct GitRules {
    ignored: BTreeSet<String>,
    /// Why git does not say.
    pub(super) problem: Option<String>,
}

impl GitRules {
    /// Outside of a repository nothing is ignored, and in a folder that is ignored as a whole neither.
    pub(super) fn of(folder: &Path) -> io::Result<Self> {
        let real = fs_err::canonicalize(folder)?;
        if !real.ancestors().any(|above| above.join(".git").exists()) {
            return Ok(Self::default());
        }
        let asked = git(folder, &["check-ignore", "--quiet", "--no-index", "."]);
        match asked.map(|output| (output.status.code(), output)) {
            Ok((Some(0), _)) => Ok(Self::default()),
            Ok((Some(1), _)) => Self::listed(folder),
            other => Ok(Self::silent(other.map(|(_, output)| output))),
        }
    }

    fn listed(folder: &Path) -> io::Result<Self> {
        let arguments = ["ls-files", "-z", "--others", "--ignored", "--exclude-standard", "--directory"];
        let output = match git(folder, &arguments) {
            Ok(output) if output.status.success() => output,
            other => return Ok(Self::silent(other)),
        };
        let text = String::from_utf8(output.stdout)
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
        let ignored = text.split_terminator('\0').map(|path| path.trim_end_matches('/').to_owned());
        Ok(Self { ignored: ignored.collect(), problem: None })
    }

    fn silent(result: io::Result<Output>) -> Self {
        let problem = match result {
            Err(error) if error.kind() == io::ErrorKind::NotFound => "it is not installed".to_owned(),
            Err(error) => error.to_string(),
            Ok(output) => {
                let said = String::from_utf8_lossy(&output.stderr);
                let first = said.lines().next().unwrap_or("it failed");
                first.trim_start_matches("fatal: ").to_owned()
            }
        };
        Self { ignored: BTreeSet::new(), problem: Some(problem) }
    }

    pub(super) fn is_ignored(&self, path: &str) -> bool {
        let folders = path.match_indices('/').map(|(end, _)| &path[..end]);
        !self.ignored.is_empty() && folders.chain([path]).any(|path| self.ignored.contains(path))
    }
}

#[expect(clippy::disallowed_methods, reason = "only git knows which of its configurations are in force")]
fn git(folder: &Path, arguments: &[&str]) -> io::Result<Output> {
    let mut command = Command::new("git");
    // A checkout may be another user's, as in most pipelines. Of what it sets, this is the one thing that is executed.
    command.args(["-c", "safe.directory=*", "-c", "core.fsmonitor=false"]).args(arguments);
    // This program may have been started by a hook of another repository.
    for name in ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_PREFIX"] {
        command.env_remove(name);
    }
    command.current_dir(folder).stdin(Stdio::null()).output()
}
