//! The files and folders that a spec has copied into the image: found once, for the digest and for the copy.
//!
//! What the ignore files mean holds, where flytekit's tag (which [`source_tree`](crate::source_tree) reproduces) only
//! does what flytekit's code happens to do: patterns are of paths below the folder, however the spec names it, and the
//! entries of `copy` have ignore files too.

mod docker_rules;
mod git_rules;
mod links;
mod rules;
mod walk;

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt;
use std::path::{Path, PathBuf};

use imagewright_oci::{Digest, canonical_json};
use serde::{Deserialize, Serialize};

use crate::declared::read;
use crate::source_tree::{SourceFile, module_files};
use crate::{Field, ImageSpec, Layout, SourceCopyMode, SpecError};

use self::walk::{Found, Walk};

pub use self::git_rules::GIT_VARIABLES;
pub use self::links::led_to;

/// All that a spec has copied, by the name of each as an input: `source_root`, `copy: data`.
pub type Sources = BTreeMap<String, Source>;

/// A file or folder of this machine that is copied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// Where it is.
    pub place: PathBuf,
    /// What of it is copied.
    pub tree: SourceTree,
    /// What the user should know.
    pub warnings: Vec<SourceWarning>,
}

/// What is copied, by its path below the file or folder that the spec names; [`SourceTree::TOP`] is that itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SourceTree {
    /// Never without the top.
    pub entries: BTreeMap<String, SourceEntry>,
}

/// One file, folder or link that is copied.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum SourceEntry {
    /// A folder.
    Folder,
    /// A file.
    File {
        /// Whether its owner may execute it; of all its permissions, this alone counts.
        executable: bool,
        /// In bytes.
        size: u64,
        /// Of its content.
        digest: Digest,
    },
    /// A symbolic link.
    Link {
        /// As written.
        target: String,
    },
}

/// What the user should know of a source that is copied nevertheless.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SourceWarning {
    /// A pipe, a socket or a device, which is left out.
    Special {
        /// As the spec names it.
        path: PathBuf,
    },
    /// A link that is copied, and leads to nothing in the image.
    Broken {
        /// As the spec names it.
        path: PathBuf,
        /// Where it leads.
        target: String,
    },
    /// A folder in a repository without `.gitignore`, of which git does not say what it ignores.
    Git {
        /// As the spec names it.
        path: PathBuf,
        /// What git says instead.
        problem: String,
    },
}

/// What a spec names, and where it is named.
struct Named<'a> {
    field: Field,
    path: &'a Path,
}

/// Finds and digests what `spec` has copied. `left_out` are files that are about the image and not of it, its lock.
///
/// Paths are relative to `directory`. An entry that is not there or cannot be read is an error that names it.
pub(crate) fn sources(
    spec: &ImageSpec,
    directory: &Path,
    left_out: &[PathBuf],
) -> Result<Sources, SpecError> {
    let mut sources = Sources::new();
    let root = spec.source_root.as_deref().filter(|_| spec.copies_source_root());
    let root = root.map(|path| Named { field: Field::SourceRoot, path });
    let copies = spec.copy.iter().map(|path| Named { field: Field::Copy, path });
    if let Some(root) = root {
        let source = match (spec.source_copy_mode, &spec.loaded_modules) {
            (SourceCopyMode::LoadedModules, Some(modules)) => root.modules(modules, directory)?,
            (SourceCopyMode::LoadedModules, None) => return Err(SpecError::LoadedModules),
            _ => root.source(directory, left_out)?,
        };
        sources.insert(source_name(root.field, root.path), source);
    }
    for named in copies {
        if let Entry::Vacant(entry) = sources.entry(source_name(named.field, named.path)) {
            entry.insert(named.source(directory, left_out)?);
        }
    }
    let below_root = spec.source_root.iter().filter(|_| spec.builder_options.layout == Layout::Flyte);
    let folder = below_root.fold(directory.to_owned(), |directory, root| directory.join(root));
    for copy in &spec.builder_options.copy {
        let named = Named { field: Field::BuilderOptions, path: &copy.source };
        if let Entry::Vacant(entry) = sources.entry(source_name(named.field, named.path)) {
            entry.insert(named.source(&folder, left_out)?);
        }
    }
    Ok(sources)
}

/// The folder `path` of a project that `field` has built: all of it but what is ignored, as it would be copied.
pub fn project(
    field: Field,
    path: &Path,
    directory: &Path,
    left_out: &[PathBuf],
) -> Result<Source, SpecError> {
    Named { field, path }.source(directory, left_out)
}

/// The name of what `field` has copied, as an input of the image. One file or folder has one name, however often it
/// is copied; a source root, which may be anywhere, has the same on all machines.
pub fn source_name(field: Field, path: &Path) -> String {
    match field {
        Field::SourceRoot => Field::SourceRoot.to_string(),
        _ => format!("{}: {}", Field::Copy, clean(path)),
    }
}

/// What users call the entry at `path` of the source of this name: the path of a file on their machine.
pub fn entry_name(source: &str, path: &str) -> String {
    match source.split_once(": ") {
        Some((_, SourceTree::TOP)) => path.to_owned(),
        Some((_, top)) if path == SourceTree::TOP => top.to_owned(),
        Some((_, folder)) => format!("{folder}/{path}"),
        None if path == SourceTree::TOP => source.to_owned(),
        None => format!("{path} in {source}"),
    }
}

/// A relative path without `.` and doubled or trailing slashes; `.` for the working directory itself.
pub fn clean(path: &Path) -> String {
    let text = path.to_string_lossy();
    let parts: Vec<&str> = text.split('/').filter(|part| !matches!(*part, "" | ".")).collect();
    if parts.is_empty() { SourceTree::TOP.to_owned() } else { parts.join("/") }
}

impl Named<'_> {
    fn source(&self, directory: &Path, left_out: &[PathBuf]) -> Result<Source, SpecError> {
        let place = directory.join(self.path);
        let metadata = fs_err::metadata(&place).map_err(|source| self.error("", source))?;
        let (found, warnings) = if metadata.is_dir() {
            Walk::of(self, &place, directory, left_out)?
        } else if metadata.is_file() && self.field != Field::SourceRoot {
            (BTreeMap::from([(SourceTree::TOP.to_owned(), Found::file(&metadata))]), Vec::new())
        } else {
            let wanted = if self.field == Field::SourceRoot { "a folder" } else { "a file or a folder" };
            let problem = format!("it is not {wanted}");
            return Err(self.error("", std::io::Error::new(std::io::ErrorKind::InvalidInput, problem)));
        };
        let mut entries = BTreeMap::new();
        for (path, found) in found {
            let entry = self.entry(&place, &path, found)?;
            entries.insert(path, entry);
        }
        Ok(Source { place, tree: SourceTree { entries }, warnings })
    }

    /// The files of loaded modules below a source root, and the folders that they are in.
    fn modules(&self, modules: &[PathBuf], directory: &Path) -> Result<Source, SpecError> {
        let place = directory.join(self.path);
        let mut entries = BTreeMap::from([(SourceTree::TOP.to_owned(), SourceEntry::Folder)]);
        for SourceFile { path, relative } in module_files(self.path, modules, directory)? {
            let metadata = fs_err::metadata(&path).map_err(|source| self.error(&relative, source))?;
            let folders = relative.match_indices('/').map(|(end, _)| relative[..end].to_owned());
            entries.extend(folders.map(|folder| (folder, SourceEntry::Folder)));
            let entry = self.entry(&place, &relative, Found::file(&metadata))?;
            entries.insert(relative, entry);
        }
        Ok(Source { place, tree: SourceTree { entries }, warnings: Vec::new() })
    }

    fn entry(&self, place: &Path, path: &str, found: Found) -> Result<SourceEntry, SpecError> {
        let executable = match found {
            Found::Folder => return Ok(SourceEntry::Folder),
            Found::Link(target) => return Ok(SourceEntry::Link { target }),
            Found::File { executable } => executable,
        };
        let (digest, size) = read(self.field, &self.shown(path), &below(place, path))?;
        Ok(SourceEntry::File { executable, size, digest })
    }

    /// What is at `path` below it, as the spec names it.
    fn shown(&self, path: &str) -> PathBuf {
        below(self.path, path)
    }

    fn error(&self, path: &str, source: std::io::Error) -> SpecError {
        SpecError::file(self.field, self.shown(path), source)
    }
}

/// What is at `path` in a tree whose top is at `place`.
pub fn below(place: &Path, path: &str) -> PathBuf {
    if matches!(path, "" | SourceTree::TOP) { place.to_owned() } else { place.join(path) }
}

impl SourceTree {
    /// The path of what the spec names itself.
    pub const TOP: &str = ".";

    /// Of all entries, so of their names, contents and permissions.
    pub fn digest(&self) -> Digest {
        Digest::of(&canonical_json(self))
    }

    /// Whether it is a folder, and not one file.
    pub fn is_folder(&self) -> bool {
        matches!(self.entries.get(Self::TOP), Some(SourceEntry::Folder))
    }
}

impl SourceWarning {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Special { .. } => None,
            Self::Broken { .. } => {
                Some("name what it leads to in `copy` as well, or remove the link".to_owned())
            }
            Self::Git { .. } => Some(
                "make `git status` work there, or name in `.dockerignore` what is to be left out".to_owned(),
            ),
        }
    }
}

impl fmt::Display for SourceWarning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Special { path } => {
                write!(f, "`{}` is a pipe, socket or device, and is not copied", path.display())
            }
            Self::Broken { path, target } => {
                write!(f, "the link `{}` leads to `{target}`, which is not copied with it", path.display())
            }
            Self::Git { path, problem } => {
                write!(f, "git does not say what it ignores in `{}`: {problem}", path.display())
            }
        }
    }
}
