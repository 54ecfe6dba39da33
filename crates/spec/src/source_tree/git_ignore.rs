//! What git ignores, as git itself says.

use std::collections::BTreeSet;
use std::io;
use std::path::{Component, Path, PathBuf};

/// flytekit's `GitIgnore`: the output of `git ls-files`, compared name by name.
///
/// Without git, or outside of a repository, nothing is ignored. Names that git prints in quotes, because they are
/// not ASCII, are compared with their quotes, as flytekit does, and so are never ignored.
#[derive(Debug)]
pub(super) struct GitIgnore {
    folder: PathBuf,
    files: BTreeSet<String>,
    folders: BTreeSet<String>,
}

impl GitIgnore {
    /// `relative` tells whether the spec names the folder by a relative path; see `is_ignored`.
    pub(super) fn of(folder: &Path, relative: bool) -> io::Result<Self> {
        let files = list(folder, &[])?;
        let folders =
            if relative && !files.is_empty() { list(folder, &["--directory"])? } else { BTreeSet::new() };
        Ok(Self { folder: folder.to_owned(), files, folders })
    }

    /// The second comparison, with ignored *folders*, can only succeed when the root is relative: `src/a` is then
    /// looked for at `src/src/a`. It is a slip of flytekit, and part of its tag.
    pub(super) fn is_ignored(&self, path: &str) -> bool {
        if self.files.is_empty() {
            return false;
        }
        let posix = posix(path);
        self.files.contains(&posix)
            || (!self.folders.is_empty()
                && self.folders.contains(&format!("{posix}/"))
                && self.folder.join(path).is_dir())
    }
}

/// `Path(path).as_posix()`.
fn posix(path: &str) -> String {
    let parts = Path::new(path).components().filter(|part| *part != Component::CurDir);
    parts.collect::<PathBuf>().to_string_lossy().into_owned()
}

#[expect(clippy::disallowed_methods, reason = "only git knows which of its configurations are in force")]
fn list(folder: &Path, arguments: &[&str]) -> io::Result<BTreeSet<String>> {
    let output = std::process::Command::new("git")
        .args(["ls-files", "-io", "--exclude-standard"])
        .args(arguments)
        .current_dir(folder)
        .stdin(std::process::Stdio::null())
        .output();
    match output {
        Ok(output) if output.status.success() => {
            let text = String::from_utf8(output.stdout)
                .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
            Ok(text.split_terminator('\n').map(str::to_owned).collect())
        }
        Ok(_) => Ok(BTreeSet::new()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(BTreeSet::new()),
        Err(error) => Err(error),
    }
}
