//! What flytekit leaves out of a source tree: git's, Docker's and its own patterns.

use std::io;
use std::path::Path;

use super::docker_ignore::DockerIgnore;
use super::git_ignore::GitIgnore;

/// flytekit's `IgnoreGroup` of `GitIgnore`, `DockerIgnore` and `StandardIgnore`.
#[derive(Debug)]
pub(super) struct Ignore {
    git: GitIgnore,
    docker: DockerIgnore,
}

impl Ignore {
    /// What is ignored below `folder`, which the spec names `root`.
    pub(super) fn of(root: &Path, folder: &Path) -> io::Result<Self> {
        Ok(Self { git: GitIgnore::of(folder, root.is_relative())?, docker: DockerIgnore::of(folder)? })
    }

    /// `path` as flytekit sees it: below an absolute root, or including a relative one.
    pub(super) fn is_ignored(&self, path: &str) -> bool {
        self.git.is_ignored(path) || self.docker.is_ignored(path) || is_standard(path)
    }
}

/// `*.pyc`, `.cache`, `.cache/*`, `__pycache__/*`, `**/__pycache__/*` in Python's `fnmatch`, whose `*` takes `/`.
#[expect(clippy::case_sensitive_file_extension_comparisons, reason = "fnmatch minds the case on Unix")]
pub(crate) fn is_standard(path: &str) -> bool {
    path.ends_with(".pyc")
        || path == ".cache"
        || path.starts_with(".cache/")
        || path.starts_with("__pycache__/")
        || path.contains("/__pycache__/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn standard_patterns() {
        for path in ["a.pyc", "x/a.pyc", ".cache", ".cache/x/y", "__pycache__/a", "x/__pycache__/y/z"] {
            assert!(is_standard(path), "{path}");
        }
        for path in ["a.py", "x/.cache", "x/.cache/y", "__pycache__", "x__pycache__/a", "a.PYC"] {
            assert!(!is_standard(path), "{path}");
        }
    }
}
