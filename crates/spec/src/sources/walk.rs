//! What of a folder is copied.

use std::collections::BTreeMap;
use std::fs::{FileType, Metadata};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use super::git_rules::{GIT_IGNORE, Silence};
use super::links::settle;
use super::rules::Rules;
use super::{Named, SourceTree, SourceWarning, below};
use crate::SpecError;

/// What is at a path, before its content is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Found {
    Folder,
    File { executable: bool },
    Link(String),
}

impl Found {
    pub(super) fn file(metadata: &Metadata) -> Self {
        Self::File { executable: metadata.permissions().mode() & 0o100 != 0 }
    }
}

/// Never copied, in whatever folder: a repository's own files, or the link to them of a submodule or worktree.
const GIT: &str = ".git";

/// A walk through a folder: what was found so far.
pub(super) struct Walk<'a> {
    named: &'a Named<'a>,
    top: &'a Path,
    rules: Rules,
    left_out: Vec<PathBuf>,
    found: BTreeMap<String, Found>,
    warnings: Vec<SourceWarning>,
}

impl<'a> Walk<'a> {
    /// All that is copied of the folder `top`.
    pub(super) fn of(
        named: &'a Named<'a>,
        top: &'a Path,
        directory: &Path,
        left_out: &[PathBuf],
    ) -> Result<(BTreeMap<String, Found>, Vec<SourceWarning>), SpecError> {
        let error = |source| named.error("", source);
        let real = fs_err::canonicalize(top).map_err(error)?;
        // What is not there cannot be met on the way.
        let left_out = left_out.iter().filter_map(|path| fs_err::canonicalize(directory.join(path)).ok());
        let left_out = left_out.filter_map(|path| path.strip_prefix(&real).ok().map(Path::to_owned));
        let left_out: Vec<PathBuf> = left_out.collect();
        let rules = Rules::of(top, named.path, directory).map_err(error)?;
        let mut walk = Self { named, top, rules, left_out, found: BTreeMap::new(), warnings: Vec::new() };
        walk.listen("")?;
        walk.folder("")?;
        walk.found.insert(SourceTree::TOP.to_owned(), Found::Folder);
        let broken = settle(&mut walk.found, top);
        walk.warnings.extend(
            broken
                .into_iter()
                .map(|(path, target)| SourceWarning::Broken { path: named.shown(&path), target }),
        );
        Ok((walk.found, walk.warnings))
    }

    /// Takes what is in the folder at `path`. Whether the folder itself is copied: it is if something in it is, or if
    /// it is empty, but not if all in it is left out.
    fn folder(&mut self, path: &str) -> Result<bool, SpecError> {
        let (mut is_empty, mut is_kept) = (true, false);
        let error = |source| self.named.error(path, source);
        let place = below(self.top, path);
        if !path.is_empty() && place.join(GIT).exists() {
            self.rules.enter(self.top, path).map_err(error)?;
            self.listen(path)?;
        }
        for entry in fs_err::read_dir(place).map_err(error)? {
            let entry = entry.map_err(|source| self.named.error(path, source))?;
            is_empty = false;
            let name = entry.file_name();
            let name = name.to_str().ok_or_else(|| self.misnamed(path, Path::new(&name)))?;
            let child = if path.is_empty() { name.to_owned() } else { format!("{path}/{name}") };
            if name == GIT || self.left_out.iter().any(|left_out| left_out == Path::new(&child)) {
                continue;
            }
            let file_type = entry.file_type().map_err(|source| self.named.error(&child, source))?;
            if let (GIT_IGNORE, Some(silence)) = (name, self.rules.silence(path)) {
                return Err(self.unheard(path, silence));
            }
            let is_ignored = self.rules.is_ignored(&child);
            if file_type.is_dir() {
                if !is_ignored || self.rules.may_include_below() {
                    is_kept |= self.folder(&child)?;
                }
            } else if !is_ignored {
                is_kept |= self.file(child, file_type)?;
            }
        }
        let is_copied = is_kept || (is_empty && !self.rules.is_ignored(path));
        if is_copied && !path.is_empty() {
            self.found.insert(path.to_owned(), Found::Folder);
        }
        Ok(is_copied)
    }

    /// Takes what is at `path`, if it is something that can be copied.
    fn file(&mut self, path: String, file_type: FileType) -> Result<bool, SpecError> {
        let place = below(self.top, &path);
        let error = |source| self.named.error(&path, source);
        let found = if file_type.is_symlink() {
            let target = fs_err::read_link(&place).map_err(error)?;
            let target = target.to_str().ok_or_else(|| self.misnamed(&path, &target))?;
            Found::Link(target.to_owned())
        } else if file_type.is_file() {
            Found::file(&fs_err::symlink_metadata(&place).map_err(error)?)
        } else {
            self.warnings.push(SourceWarning::Special { path: self.named.shown(&path) });
            return Ok(false);
        };
        self.found.insert(path, found);
        Ok(true)
    }

    /// Takes note of it when git does not say what it ignores in the repository at `path`: where no file says that there
    /// is something, it is enough to tell.
    fn listen(&mut self, path: &str) -> Result<(), SpecError> {
        let Some(silence) = self.rules.silence(path) else { return Ok(()) };
        if silence.matters {
            return Err(self.unheard(path, silence));
        }
        let problem = silence.problem.clone();
        self.warnings.push(SourceWarning::Git { path: self.named.shown(path), problem });
        Ok(())
    }

    fn unheard(&self, path: &str, silence: &Silence) -> SpecError {
        let problem = silence.problem.clone();
        SpecError::GitSilent { field: self.named.field, path: self.named.shown(path), problem }
    }

    fn misnamed(&self, path: &str, name: &Path) -> SpecError {
        SpecError::FileName { field: self.named.field, path: self.named.shown(path).join(name) }
    }
}
