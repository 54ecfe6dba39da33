use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use rustix::fs::{FileType, Stat};

use super::super::changes::{ancestors, described, parent, walk};
use crate::change::{Change, ChangeKind};
use crate::task::Failure;

/// The metadata of every file of a tree before a step.
#[derive(Debug)]
pub(super) struct Before(BTreeMap<Vec<u8>, Stat>);

impl Before {
    pub(super) fn of(tree: &Path) -> Result<Self, Failure> {
        walk(tree).map(Self)
    }

    /// What is different now, with the directories above it; sorted by path.
    ///
    /// Writing to a file, or changing anything about it, gives its inode a new change time, which no program can
    /// set. A file system that does not keep one has the other fields.
    pub(super) fn changes(&self, tree: &Path) -> Result<Vec<Change>, Failure> {
        let after = walk(tree)?;
        let is_changed =
            |path: &Vec<u8>, now: &Stat| self.0.get(path).is_none_or(|was| identity(was) != identity(now));
        let present_anew =
            after.iter().filter(|(path, now)| is_changed(path, now)).map(|(path, _)| path.as_slice());
        let is_directory =
            |path| after.get(path).is_some_and(|stat| FileType::from_raw_mode(stat.st_mode).is_dir());
        let removed = self.0.keys().map(Vec::as_slice).filter(|path| {
            // What was in a directory is gone with it.
            !after.contains_key(*path) && parent(path).is_none_or(is_directory)
        });
        let removed: BTreeSet<&[u8]> = removed.collect();
        let mut told: BTreeSet<&[u8]> = present_anew.chain(removed.iter().copied()).collect();
        for path in told.clone() {
            told.extend(ancestors(path));
        }
        let present = told.iter().filter_map(|path| after.get_key_value(*path));
        let mut changes = described(tree, present)?;
        changes.extend(removed.into_iter().map(removal));
        changes.sort_by(|a, b| a.path.as_bytes().cmp(b.path.as_bytes()));
        Ok(changes)
    }
}

fn removal(path: &[u8]) -> Change {
    let path = path.to_vec().into();
    Change { path, kind: ChangeKind::Removed, mode: 0, uid: 0, gid: 0, xattrs: BTreeMap::new() }
}

/// What differs if a file is another one or was changed.
fn identity(stat: &Stat) -> impl PartialEq {
    (
        (stat.st_ino, stat.st_size, stat.st_mode, stat.st_uid, stat.st_gid, stat.st_rdev),
        (stat.st_mtime, stat.st_mtime_nsec, stat.st_ctime, stat.st_ctime_nsec),
    )
}
