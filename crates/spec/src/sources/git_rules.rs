//! What git ignores in a folder, as git itself says.

use std::collections::BTreeSet;
use std::io;
use std::path::Path;
use std::process::{Command, Output, Stdio};

/// Variables by which git is told of another repository than the one it is started in: by a hook of it, most often.
pub const GIT_VARIABLES: [&str; 10] = [
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_COMMON_DIR",
    "GIT_DIR",
    "GIT_GRAFT_FILE",
    "GIT_INDEX_FILE",
    "GIT_NAMESPACE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_PREFIX",
    "GIT_SHALLOW_FILE",
    "GIT_WORK_TREE",
];

/// Where git reads what it is to ignore.
pub(super) const GIT_IGNORE: &str = ".gitignore";

/// Files and folders that are not git's and that an ignore file of git's names, by their paths below the folder.
#[derive(Debug, Default)]
pub(super) struct GitRules {
    ignored: BTreeSet<String>,
    silence: Option<Silence>,
}

/// That git does not say what it ignores.
#[derive(Clone, Debug)]
pub(super) struct Silence {
    /// Why.
    pub(super) problem: String,
    /// Whether there is a file above the folder that says it.
    pub(super) matters: bool,
}

impl GitRules {
    /// Outside of a repository nothing is ignored, and in a folder that is ignored as a whole neither.
    pub(super) fn of(folder: &Path) -> io::Result<Self> {
        let real = fs_err::canonicalize(folder)?;
        let Some(repository) = real.ancestors().find(|above| above.join(".git").exists()) else {
            return Ok(Self::default());
        };
        let in_repository = || real.ancestors().take_while(|above| above.starts_with(repository));
        let silent = |result| {
            let matters = in_repository().any(|above| above.join(GIT_IGNORE).exists());
            Ok(Self::silent(result, matters))
        };
        let asked = git(folder, repository, &["check-ignore", "--quiet", "--no-index", "."]);
        match asked.map(|output| (output.status.code(), output)) {
            Ok((Some(0), _)) => return Ok(Self::default()),
            Ok((Some(1), _)) => {}
            other => return silent(other.map(|(_, output)| output)),
        }
        let arguments = ["ls-files", "-z", "--others", "--ignored", "--exclude-standard", "--directory"];
        let output = match git(folder, repository, &arguments) {
            Ok(output) if output.status.success() => output,
            other => return silent(other),
        };
        let text = String::from_utf8(output.stdout)
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
        let ignored = text.split_terminator('\0').map(|path| path.trim_end_matches('/').to_owned());
        Ok(Self { ignored: ignored.collect(), silence: None })
    }

    fn silent(result: io::Result<Output>, matters: bool) -> Self {
        let problem = match result {
            Err(error) if error.kind() == io::ErrorKind::NotFound => "it is not installed".to_owned(),
            Err(error) => error.to_string(),
            Ok(output) => {
                let said = String::from_utf8_lossy(&output.stderr);
                let first = said.lines().next().unwrap_or("it failed");
                first.trim_start_matches("fatal: ").to_owned()
            }
        };
        Self { ignored: BTreeSet::new(), silence: Some(Silence { problem, matters }) }
    }

    /// That git does not say what it ignores.
    pub(super) fn silence(&self) -> Option<&Silence> {
        self.silence.as_ref()
    }

    pub(super) fn is_ignored(&self, path: &str) -> bool {
        let folders = path.match_indices('/').map(|(end, _)| &path[..end]);
        !self.ignored.is_empty() && folders.chain([path]).any(|path| self.ignored.contains(path))
    }
}

#[expect(clippy::disallowed_methods, reason = "only git knows which of its configurations are in force")]
fn git(folder: &Path, repository: &Path, arguments: &[&str]) -> io::Result<Output> {
    let mut command = Command::new("git");
    // A checkout may be another user's, as in most pipelines, or a download. What it sets and git would execute for this
    // answer is a monitor of files, and a program that fetches what a partial clone lacks.
    command.args(["-c", "safe.directory=*", "-c", "core.fsmonitor=false"]).args(arguments);
    for name in GIT_VARIABLES {
        command.env_remove(name);
    }
    // A damaged repository is not passed over for one that it is in.
    if let Some(above) = repository.parent() {
        command.env("GIT_CEILING_DIRECTORIES", above);
    }
    command.env("GIT_ALLOW_PROTOCOL", "none").env("GIT_NO_LAZY_FETCH", "1");
    command.current_dir(folder).stdin(Stdio::null()).output()
}
