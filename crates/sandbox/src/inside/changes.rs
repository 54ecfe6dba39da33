//! What a step has changed.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ffi::OsStr;
use std::io::{self, BufRead as _, BufReader};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{FileType, Stat, lstat, major, minor, readlink};

use super::{made, owners, xattrs};
use crate::RunRequest;
use crate::change::{Change, ChangeKind};
use crate::task::{Failure, Trying as _};

/// Names that begin so stand for something else in a layer.
const MARK: &[u8] = b".wh.";

/// Where the file of a change is.
pub(super) fn place(root: &Path, change: &Change) -> PathBuf {
    root.join(OsStr::from_bytes(change.path.as_bytes()))
}

/// The changes in the writable directory of an overlay, sorted by path.
pub(super) fn of_overlay(upper: &Path, roots: &[PathBuf]) -> Result<Vec<Change>, Failure> {
    let changes = without_same_files(described(upper, &walk(upper)?)?, upper, roots)?;
    without_touched_directories(changes, roots)
}

/// Leaves out files that are what they were: the overlay copies whatever is opened for writing, or given what it has.
fn without_same_files(changes: Vec<Change>, upper: &Path, roots: &[PathBuf]) -> Result<Vec<Change>, Failure> {
    let new = new_directories(&changes);
    let target = |change: &Change| match &change.kind {
        ChangeKind::Hardlink { target } => Some(target.as_bytes().to_vec()),
        _ => None,
    };
    let linked: BTreeSet<Vec<u8>> = changes.iter().filter_map(target).collect();
    let mut kept = Vec::new();
    for change in changes {
        let path = change.path.as_bytes();
        let may_be_copy = matches!(change.kind, ChangeKind::File { .. })
            && !linked.contains(path)
            && !ancestors(path).any(|above| new.contains(above));
        let before = if may_be_copy { as_before(&change, roots)? } else { None };
        let is_same = match before {
            Some(before) => has_same_content(&place(upper, &change), &before)
                .trying(|| format!("compare /{}", String::from_utf8_lossy(path)))?,
            None => false,
        };
        if !is_same {
            kept.push(change);
        }
    }
    Ok(kept)
}

/// Directories that hide what other layers have at their paths.
fn new_directories(changes: &[Change]) -> BTreeSet<Vec<u8>> {
    let is_new = |change: &&Change| matches!(change.kind, ChangeKind::Directory { opaque: true });
    changes.iter().filter(is_new).map(|change| change.path.as_bytes().to_vec()).collect()
}

/// Leaves out directories in which something was made and removed again: the overlay has copies of them.
fn without_touched_directories(changes: Vec<Change>, roots: &[PathBuf]) -> Result<Vec<Change>, Failure> {
    let new = new_directories(&changes);
    let (mut kept, mut needed) = (Vec::new(), BTreeSet::new());
    for change in changes.into_iter().rev() {
        let path = change.path.as_bytes();
        // What is below a new directory is new, whatever other layers have at that path.
        let may_be_copy = matches!(change.kind, ChangeKind::Directory { opaque: false })
            && !needed.contains(path)
            && !ancestors(path).any(|above| new.contains(above));
        if !(may_be_copy && as_before(&change, roots)?.is_some()) {
            needed.extend(parent(path).map(<[u8]>::to_vec));
            kept.push(change);
        }
    }
    kept.reverse();
    Ok(kept)
}

/// These files below `root`; of several names of one file, the first has it and the others link to it.
pub(super) fn described<'a>(
    root: &Path,
    files: impl IntoIterator<Item = (&'a Vec<u8>, &'a Stat)>,
) -> Result<Vec<Change>, Failure> {
    let mut first_names = HashMap::new();
    let mut changes = Vec::new();
    for (path, found) in files {
        let mut change = describe(&root.join(OsStr::from_bytes(path)), path, found)?;
        if found.st_nlink > 1 && matches!(change.kind, ChangeKind::File { .. }) {
            let first =
                first_names.entry((found.st_dev, found.st_ino)).or_insert_with(|| change.path.clone());
            if *first != change.path {
                change.kind = ChangeKind::Hardlink { target: first.clone() };
            }
        }
        changes.push(change);
    }
    Ok(changes)
}

/// Everything below `root`, sorted by path. Sockets are left out: without a process they are nothing.
pub(super) fn walk(root: &Path) -> Result<BTreeMap<Vec<u8>, Stat>, Failure> {
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

/// One file, as an entry of a layer has it.
pub(super) fn describe(file: &Path, path: &[u8], found: &Stat) -> Result<Change, Failure> {
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
    let kept_owner = has(xattrs::OWNER)?.as_deref().and_then(owners::read);
    let (uid, gid) = kept_owner.unwrap_or((found.st_uid, found.st_gid));
    Ok(Change {
        path: path.to_vec().into(),
        kind,
        mode: found.st_mode & 0o7777,
        uid,
        gid,
        xattrs: xattrs::kept(file).trying(step)?,
    })
}

/// Leaves out what was put into place for the step, and the directories that are there for no other reason.
pub(super) fn without_mount_points(
    changes: Vec<Change>,
    request: &RunRequest,
) -> Result<Vec<Change>, Failure> {
    let made = made::listed(&request.scratch).trying(|| "read the list of mount points".to_owned())?;
    let above_mount_points: BTreeSet<&[u8]> = made.paths().flat_map(ancestors).collect();
    let (mut kept, mut needed) = (Vec::new(), BTreeSet::new());
    // What is in a directory comes behind it, so it is seen first from the end.
    for change in changes.into_iter().rev() {
        let path = change.path.as_bytes();
        let is_only_for_mounts = match change.kind {
            _ if made.is_mounted(path) => true,
            ChangeKind::Directory { .. } if needed.contains(path) => false,
            ChangeKind::Directory { .. } => {
                made.directories.contains(path)
                    || above_mount_points.contains(path) && as_before(&change, &request.roots)?.is_some()
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

/// The directory that a path is in, unless that is the root.
pub(super) fn parent(path: &[u8]) -> Option<&[u8]> {
    path.iter().rposition(|byte| *byte == b'/').map(|slash| &path[..slash])
}

/// The directories above a path, the nearest first.
pub(super) fn ancestors(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::successors(parent(path), |path| parent(path))
}

/// Where the highest layer that has the file or directory has it as it is, but for what is in it.
fn as_before(change: &Change, roots: &[PathBuf]) -> Result<Option<PathBuf>, Failure> {
    for (index, root) in roots.iter().enumerate().rev() {
        let before = place(root, change);
        if let Ok(found) = lstat(&before) {
            let described = describe(&before, change.path.as_bytes(), &found)?;
            let is_same = match (&described.kind, &change.kind) {
                (ChangeKind::Directory { .. }, ChangeKind::Directory { .. }) => true,
                (was, is) => was == is,
            };
            let is_same = is_same && Change { kind: change.kind.clone(), ..described } == *change;
            let is_seen = is_same && !is_hidden(change.path.as_bytes(), &roots[index + 1..])?;
            return Ok(is_seen.then_some(before));
        }
    }
    Ok(None)
}

/// Whether one of these layers, which do not have the path, hides what lower ones have there.
fn is_hidden(path: &[u8], roots: &[PathBuf]) -> Result<bool, Failure> {
    for root in roots {
        for above in ancestors(path) {
            let place = root.join(OsStr::from_bytes(above));
            let Ok(found) = lstat(&place) else { continue };
            match describe(&place, above, &found)?.kind {
                ChangeKind::Directory { opaque: false } => {}
                _ => return Ok(true),
            }
        }
    }
    Ok(false)
}

/// Whether two files of one length have the same bytes.
fn has_same_content(one: &Path, other: &Path) -> io::Result<bool> {
    let reader = |path: &Path| Ok::<_, io::Error>(BufReader::new(fs_err::File::open(path)?));
    let (mut one, mut other) = (reader(one)?, reader(other)?);
    loop {
        let (left, right) = (one.fill_buf()?, other.fill_buf()?);
        let length = left.len().min(right.len());
        if left[..length] != right[..length] {
            return Ok(false);
        }
        if length == 0 {
            return Ok(left.len() == right.len());
        }
        one.consume(length);
        other.consume(length);
    }
}
