//! What is left out of a folder that is copied.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use super::docker_rules::DockerRules;
use super::git_rules::{GitRules, Silence};
use super::{SourceTree, clean};
use crate::source_tree::ignore::is_standard;

/// What git ignores, what `.dockerignore` names (of the folder, and of the working directory if the folder is in it),
/// and flytekit's standard patterns.
///
/// What the spec names is copied even when an ignore file names it: it was named on purpose. That ignore file then
/// says nothing about what is in it.
#[derive(Debug)]
pub(super) struct Rules {
    /// By the path of the folder that is a repository, with a slash behind it; what is copied is in one, too.
    git: BTreeMap<String, GitRules>,
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
        let git = BTreeMap::from([(String::new(), GitRules::of(top)?)]);
        Ok(Self { git, own: DockerRules::of(top)?, outer })
    }

    /// Takes what git ignores in a repository of its own, at `path` below the folder `top`: a submodule, of which the
    /// repository that has it says nothing.
    pub(super) fn enter(&mut self, top: &Path, path: &str) -> io::Result<()> {
        let rules = GitRules::of(&top.join(path))?;
        self.git.insert(format!("{path}/"), rules);
        Ok(())
    }

    /// Whether what is at `path` below the folder is left out.
    pub(super) fn is_ignored(&self, path: &str) -> bool {
        let is_outside =
            |(rules, inside): &(DockerRules, String)| rules.is_ignored(&format!("{inside}/{path}"));
        is_standard(path)
            || self.git.iter().any(|(folder, rules)| {
                path.strip_prefix(folder.as_str()).is_some_and(|path| rules.is_ignored(path))
            })
            || self.own.is_ignored(path)
            || self.outer.as_ref().is_some_and(is_outside)
    }

    /// Whether something in a folder that is left out may be copied: only `.dockerignore` can say so, with a `!`.
    pub(super) fn may_include_below(&self) -> bool {
        self.own.has_exceptions() || self.outer.as_ref().is_some_and(|(rules, _)| rules.has_exceptions())
    }

    /// That git does not say what it ignores in the folder at `path`.
    pub(super) fn silence(&self, path: &str) -> Option<&Silence> {
        let path = format!("{path}/");
        let repositories = self.git.iter().filter(|(folder, _)| path.starts_with(folder.as_str()));
        repositories.max_by_key(|(folder, _)| folder.len())?.1.silence()
    }
}
