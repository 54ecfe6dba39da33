//! The entries of a layer.

use std::collections::BTreeSet;
use std::io::{self, Read};

use imagewright_oci::{Digest, HashingReader};
use tar::{Archive, EntryType};
use thiserror::Error;

use super::Problem;
use super::tree::Tree;

/// What may be wrong with an entry; all but the first three are asked of layers of ours only.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum TreeProblem {
    /// Absolute, or with `..` or empty parts.
    #[error("has the path {path:?}")]
    Path {
        /// Which.
        path: String,
    },
    /// Two entries have one path.
    #[error("has {path} twice")]
    Twice {
        /// Which.
        path: String,
    },
    /// A whiteout with content, or with a name that hides nothing.
    #[error("has a whiteout {path:?} that is none")]
    Whiteout {
        /// Which.
        path: String,
    },
    /// A whiteout of what no layer below has.
    #[error("removes {path}, which is not there")]
    HidesNothing {
        /// Which.
        path: String,
    },
    /// Entries are not in order.
    #[error("has {path} behind {before}")]
    Unsorted {
        /// The entry.
        path: String,
        /// The one before it.
        before: String,
    },
    /// The parent directory is in no layer so far, or is no directory.
    #[error("has {path} without its directory")]
    Orphan {
        /// Which.
        path: String,
    },
    /// The times of two entries differ.
    #[error("has {path} of another time than the entries before it")]
    Time {
        /// Which.
        path: String,
    },
    /// An owner with a name, which is looked up in other images by other engines.
    #[error("has {path} with an owner's name")]
    OwnerName {
        /// Which.
        path: String,
    },
    /// A hard link to what is not in the layer.
    #[error("links {path} to what is not there")]
    DeadLink {
        /// Which.
        path: String,
    },
    /// The archive does not end with two blocks of zeros and nothing else.
    #[error("does not end as an archive does")]
    End,
}

/// An entry, as far as it is judged.
struct Item {
    path: String,
    kind: EntryType,
    size: u64,
    mtime: u64,
    has_owner_name: bool,
    link: Option<String>,
}

/// Reads an archive and adds its entries to the tree; the digest of all its bytes.
pub(super) fn check(
    archive: impl Read,
    is_ours: bool,
    tree: &mut Tree,
    note: &mut dyn FnMut(Problem),
) -> io::Result<Digest> {
    let mut archive = Ending { inner: HashingReader::new(archive), zeros: 0, length: 0 };
    let mut layer = Layer::default();
    let mut entries = Archive::new(&mut archive);
    for entry in entries.entries()? {
        let item = describe(&mut entry?)?;
        let mut note = |problem: TreeProblem| note(problem.into());
        layer.check_any(&item, &mut note);
        if is_ours {
            layer.check_ours(&item, tree, &mut note);
        }
        layer.apply(&item, tree);
    }
    io::copy(&mut archive, &mut io::sink())?;
    if is_ours && !archive.is_right() {
        note(TreeProblem::End.into());
    }
    Ok(archive.inner.finish().0)
}

fn describe(entry: &mut tar::Entry<'_, impl Read>) -> io::Result<Item> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let header = entry.header();
    let is_named = |name: Option<&[u8]>| name.is_some_and(|name| !name.is_empty());
    Ok(Item {
        kind: header.entry_type(),
        mtime: header.mtime()?,
        has_owner_name: is_named(header.username_bytes()) || is_named(header.groupname_bytes()),
        size: entry.size(),
        path: text(&entry.path_bytes()),
        link: entry.link_name_bytes().map(|link| text(&link)),
    })
}

/// What is known of a layer behind some of its entries.
#[derive(Default)]
struct Layer {
    seen: BTreeSet<String>,
    time: Option<u64>,
    before: Option<String>,
    /// Whether bytecode, which comes behind all else, has begun.
    is_second_run: bool,
}

impl Layer {
    /// What no engine could agree on with another.
    fn check_any(&self, item: &Item, note: &mut dyn FnMut(TreeProblem)) {
        let path = name(item);
        let parts_are_right = path.split('/').all(|part| !matches!(part, "" | "..")) || path.is_empty();
        if !parts_are_right || item.path.starts_with('/') {
            note(TreeProblem::Path { path: item.path.clone() });
        }
        if self.seen.contains(path) {
            note(TreeProblem::Twice { path: path.to_owned() });
        }
        if let Some(hidden) = file_name(path).strip_prefix(".wh.") {
            let is_right =
                item.size == 0 && (hidden == ".wh..opq" || !hidden.is_empty() && !hidden.starts_with(".wh."));
            if !is_right {
                note(TreeProblem::Whiteout { path: path.to_owned() });
            }
        }
    }

    /// What makes a layer reproducible, and independent of how engines treat links.
    fn check_ours(&mut self, item: &Item, tree: &Tree, note: &mut dyn FnMut(TreeProblem)) {
        let path = name(item).to_owned();
        self.check_order(item, &path, note);
        if let Some(parent) =
            path.rsplit_once('/').map(|(parent, _)| parent).filter(|it| !tree.has_directory(it))
        {
            note(TreeProblem::Orphan { path: format!("{parent} of {path}") });
        }
        if *self.time.get_or_insert(item.mtime) != item.mtime {
            note(TreeProblem::Time { path: path.clone() });
        }
        if item.has_owner_name {
            note(TreeProblem::OwnerName { path: path.clone() });
        }
        if let Some(hidden) = hidden(&path).filter(|hidden| !tree.has(hidden)) {
            note(TreeProblem::HidesNothing { path: hidden });
        }
        if item.kind == EntryType::Link && !item.link.as_ref().is_some_and(|link| self.seen.contains(link)) {
            note(TreeProblem::DeadLink { path });
        }
    }

    /// Sorted by path; behind it bytecode, sorted; behind all hard links.
    fn check_order(&mut self, item: &Item, path: &str, note: &mut dyn FnMut(TreeProblem)) {
        if item.kind == EntryType::Link {
            return;
        }
        let before = self.before.replace(path.to_owned());
        let Some(before) = before.filter(|before| before.as_str() > path) else { return };
        let is_bytecode = path.split('/').any(|part| part == "__pycache__");
        if !is_bytecode || self.is_second_run {
            note(TreeProblem::Unsorted { path: path.to_owned(), before });
        }
        self.is_second_run = true;
    }

    fn apply(&mut self, item: &Item, tree: &mut Tree) {
        let path = name(item).to_owned();
        match (file_name(&path).strip_prefix(".wh."), path.rsplit_once('/')) {
            (Some(".wh..opq"), Some((parent, _))) => tree.remove_below(parent),
            (Some(_), _) => hidden(&path).iter().for_each(|hidden| tree.remove(hidden)),
            (None, _) if path.is_empty() => {}
            (None, _) => tree.insert(&path, item.kind == EntryType::Directory),
        }
        self.seen.insert(path);
    }
}

/// The path without `./` and without the slash of a directory; empty for the root.
fn name(item: &Item) -> &str {
    let path = item.path.strip_prefix("./").unwrap_or(&item.path).trim_end_matches('/');
    if path == "." { "" } else { path }
}

fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or_default()
}

/// What a whiteout removes.
fn hidden(path: &str) -> Option<String> {
    let name = file_name(path).strip_prefix(".wh.").filter(|name| *name != ".wh..opq")?;
    Some(match path.rsplit_once('/') {
        Some((parent, _)) => format!("{parent}/{name}"),
        None => name.to_owned(),
    })
}

/// Counts the zeros at the end of what is read.
struct Ending<R> {
    inner: R,
    zeros: u64,
    length: u64,
}

impl<R> Ending<R> {
    /// Two blocks of zeros at the least, since the last file may end with some; and whole blocks.
    fn is_right(&self) -> bool {
        self.zeros >= 1024 && self.length.is_multiple_of(512)
    }
}

impl<R: Read> Read for Ending<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        let zeros = buffer[..count].iter().rev().take_while(|byte| **byte == 0).count() as u64;
        self.zeros = if zeros == count as u64 { self.zeros + zeros } else { zeros };
        self.length += count as u64;
        Ok(count)
    }
}
