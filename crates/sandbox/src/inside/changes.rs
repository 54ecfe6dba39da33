//! What a step has changed, read from the writable directory of its overlay.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{FileType, Stat, lstat, major, minor, readlink};

use super::{made, xattrs};
use crate::RunRequest;
use crate::change::{Change, ChangeKind};
use crate::task::{Failure, Trying as _};

/// Names that begin so stand for something else in a layer.
const MARK: &[u8] = b".wh.";

/// Where the file of a change is.
pub(super) fn place(root: &Path, change: &Change) -> PathBuf {
    root.join(OsStr::from_bytes(change.path.as_bytes()))
}

/// The changes in `upper`, sorted by path, without the mount points that were made for the step.
pub(super) fn of_overlay(upper: &Path, request: &RunRequest) -> Result<Vec<Change>, Failure> {
    let mut changes = Vec::new();
    let mut first_names = BTreeMap::new();
    for (path, found) in walk(upper)? {
        let file = upper.join(OsStr::from_bytes(&path));
        let mut change = describe(&file, &path, &found)?;
        if found.st_nlink > 1 && matches!(change.kind, ChangeKind::File { .. }) {
            let first =
                first_names.entry((found.st_dev, found.st_ino)).or_insert_with(|| change.path.clone());
            if *first != change.path {
                change.kind = ChangeKind::Hardlink { target: first.clone() };
            }
        }
        changes.push(change);
    }
    let made = made::listed(&request.scratch).trying(|| "read the list of mount points".to_owned())?;
    without_mount_points(changes, &made, &request.roots)
}

/// Everything below `root`, sorted by path. Sockets are left out: without a process they are nothing.
fn walk(root: &Path) -> Result<BTreeMap<Vec<u8>, Stat>, Failure> {
    let mut found = BTreeMap::new();
    let mut directories = vec![Vec::new()];
    while let Some(directory) = directories.pop() {
        let step = || format!("read the changes in /{}", String::from_utf8_lossy(&directory));
        for entry in fs_err::read_dir(root.join(OsStr::from_bytes(&directory))).trying(step)? {
            let entry = entry.trying(step)?;
            let mut path = directory.clone();
            if !path.is_empty() {
                path.push(b'/');
            }
            path.extend(entry.file_name().as_bytes());
            if entry.file_name().as_bytes().starts_with(MARK) {
                return Err(Failure::ReservedName { path: format!("/{}", String::from_utf8_lossy(&path)) });
            }
            let stat = lstat(entry.path()).trying(step)?;
            match FileType::from_raw_mode(stat.st_mode) {
                FileType::Socket => continue,
                FileType::Directory => directories.push(path.clone()),
                _ => {}
            }
            found.insert(path, stat);
        }
    }
    Ok(found)
}

fn describe(file: &Path, path: &[u8], found: &Stat) -> Result<Change, Failure> {
    let step = || format!("read the change of /{}", String::from_utf8_lossy(path));
    let has = |name| xattrs::value(file, name).trying(step);
    let (major, minor) = (major(found.st_rdev), minor(found.st_rdev));
    let size = u64::try_from(found.st_size).unwrap_or(0);
    let kind = match FileType::from_raw_mode(found.st_mode) {
        FileType::Directory => {
            ChangeKind::Directory { opaque: has(xattrs::OPAQUE)?.as_deref() == Some(b"y") }
        }
        FileType::Symlink => {
            let target = readlink(file, Vec::new()).trying(step)?;
            ChangeKind::Symlink { target: target.into_bytes().into() }
        }
        FileType::Fifo => ChangeKind::Fifo,
        FileType::BlockDevice => ChangeKind::BlockDevice { major, minor },
        FileType::CharacterDevice if (major, minor) == (0, 0) => ChangeKind::Removed,
        FileType::CharacterDevice => ChangeKind::CharacterDevice { major, minor },
        _ if size == 0 && has(xattrs::WHITEOUT)?.is_some() => ChangeKind::Removed,
        _ => ChangeKind::File { size },
    };
    Ok(Change {
        path: path.to_vec().into(),
        kind,
        mode: found.st_mode & 0o7777,
        uid: found.st_uid,
        gid: found.st_gid,
        xattrs: xattrs::kept(file).trying(step)?,
    })
}

/// Leaves out what was made for the step, unless the command has put something into it, and the directories that
/// are there for no other reason.
fn without_mount_points(
    changes: Vec<Change>,
    made: &BTreeSet<Vec<u8>>,
    roots: &[PathBuf],
) -> Result<Vec<Change>, Failure> {
    let above_made: BTreeSet<&[u8]> = made.iter().flat_map(|path| ancestors(path)).collect();
    let (mut kept, mut needed) = (Vec::new(), BTreeSet::new());
    // What is in a directory comes behind it, so it is seen first from the end.
    for change in changes.into_iter().rev() {
        let path = change.path.as_bytes();
        let is_only_for_mounts = match change.kind {
            ChangeKind::File { size: 0 } => made.contains(path),
            ChangeKind::Directory { .. } if needed.contains(path) => false,
            ChangeKind::Directory { .. } => {
                made.contains(path) || above_made.contains(path) && is_as_before(&change, roots)?
            }
            _ => false,
        };
        if !is_only_for_mounts {
            needed.extend(parent(path).map(<[u8]>::to_vec));
            kept.push(change);
        }
    }
    kept.reverse();
    Ok(kept)
}

fn parent(path: &[u8]) -> Option<&[u8]> {
    path.iter().rposition(|byte| *byte == b'/').map(|slash| &path[..slash])
}

fn ancestors(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::successors(parent(path), |path| parent(path))
}

/// Whether the highest layer that has the directory has it as it is.
fn is_as_before(change: &Change, roots: &[PathBuf]) -> Result<bool, Failure> {
    for root in roots.iter().rev() {
        let before = place(root, change);
        if let Ok(found) = lstat(&before) {
            let before = describe(&before, change.path.as_bytes(), &found)?;
            let is_directory = matches!(before.kind, ChangeKind::Directory { .. });
            return Ok(is_directory && Change { kind: change.kind.clone(), ..before } == *change);
        }
    }
    Ok(false)
}
