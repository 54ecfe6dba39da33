//! What is left out of a folder that is copied.

use std::io;
use std::path::Path;

use super::docker_rules::DockerRules;
use super::git_rules::GitRules;
use super::{SourceTree, clean};
use crate::source_tree::ignore::is_standard;

/// What git ignores, what `.dockerignore` names (of the folder, and of the working directory if the folder is in it),
/// and flytekit's standard patterns.
///
/// What the spec names is copied even when an ignore file names it: it was named on purpose. That ignore file then
/// says nothing about what is in it.
#[derive(Debug)]
pub(super) struct Rules {
    git: GitRules,
    own: DockerRules,
    /// Of the working directory, and the path of the folder in it.
    outer: Option<(DockerRules, String)>,
}

impl Rules {
    /// Of the folder `top`, which the spec names `path`.
    pub(super) fn of(top: &Path, path: &Path, directory: &Path) -> io::Result<Self> {
        let inside = directory.join(path);
        let inside = inside.strip_prefix(directory).ok().map(clean);
        let is_below =
            |inside: &String| inside != SourceTree::TOP && inside.split('/').all(|part| part != "..");
        let inside = inside.filter(is_below);
        let outer = match inside {
            Some(inside) => {
                let rules = DockerRules::of(directory)?;
                (!rules.is_ignored(&inside)).then_some((rules, inside))
            }
            None => None,
        };
        Ok(Self { git: GitRules::of(top)?, own: DockerRules::of(top)?, outer })
    }

    /// Whether what is at `path` below the folder is left out.
    pub(super) fn is_ignored(&self, path: &str) -> bool {
        let is_outside =
            |(rules, inside): &(DockerRules, String)| rules.is_ignored(&format!("{inside}/{path}"));
        is_standard(path)
            || self.git.is_ignored(path)
            || self.own.is_ignored(path)
            || self.outer.as_ref().is_some_and(is_outside)
    }

    /// Whether something in a folder that is left out may be copied: only `.dockerignore` can say so, with a `!`.
    pub(super) fn may_include_below(&self) -> bool {
        self.own.has_exceptions() || self.outer.as_ref().is_some_and(|(rules, _)| rules.has_exceptions())
    }

    /// Why git does not say what it ignores.
    pub(super) fn git_problem(&self) -> Option<String> {
        self.git.problem.clone()
    }
}
