//! A root file system that is kept between two steps, so that the second one copies only what is new.

use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{FileType, Mode, lstat, mkdir};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

use super::super::changes::{ancestors, describe};
use super::super::made;
use super::assemble::{add_layer, remove};
use super::tree;
use crate::RunRequest;
use crate::change::ChangeKind;
use crate::task::{Failure, Trying as _};

/// The file in the scratch directory that says what its tree is.
const RECORD: &str = "kept.json";

/// What the tree is: these layers and what a step has changed above them, without what was put into place for the step.
#[derive(Debug, Serialize, Deserialize)]
struct Kept {
    roots: Vec<PathBuf>,
    /// Where something was put into place: what the layers have there is not in the tree.
    holes: Vec<Vec<u8>>,
}

/// Makes the tree what the layers of the request are.
///
/// What a step has changed is the first layer above those that it ran on, so that layer is put over the tree as any
/// other: it has nothing that the tree does not have already.
pub(super) fn make(request: &RunRequest) -> Result<(), Failure> {
    let (scratch, step) = (&request.scratch, || "make the root directory".to_owned());
    let tree = tree(scratch);
    let is_below =
        |kept: &Kept| request.roots.len() > kept.roots.len() && request.roots.starts_with(&kept.roots);
    let kept = take(scratch).trying(step)?.filter(is_below);
    // Whatever is in its way is not in that of a new one.
    let known = kept.filter(|kept| matches!(kept.fill(&tree), Ok(true))).map_or(0, |kept| kept.roots.len());
    if known == 0 {
        remove(&tree).trying(step)?;
        mkdir(&tree, Mode::from_raw_mode(0o700)).trying(step)?;
        rustix::fs::chmod(&tree, Mode::from_raw_mode(0o755))
            .trying(|| "open the root directory to everybody".to_owned())?;
    }
    request.roots[known..].iter().try_for_each(|root| add_layer(root, &tree, |_| true))
}

/// Removes what was put into place, and says what the tree is now; a tree that this cannot be said of is removed.
pub(super) fn keep(request: &RunRequest) -> io::Result<()> {
    let (scratch, tree) = (&request.scratch, tree(&request.scratch));
    let made = made::listed(scratch)?;
    for path in made.mount_points() {
        if !is_inside(&tree, path) {
            return remove(&tree);
        }
        remove(&place(&tree, path))?;
    }
    for path in made.directories.iter().rev().filter(|path| is_inside(&tree, path)) {
        // What is in it now is of the layer, and so is what is there instead of it.
        match rustix::fs::rmdir(place(&tree, path)) {
            Ok(()) | Err(Errno::NOTEMPTY | Errno::EXIST | Errno::NOENT | Errno::NOTDIR) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
    let holes = made.mount_points().map(<[u8]>::to_vec).collect();
    let kept = Kept { roots: request.roots.clone(), holes };
    fs_err::write(scratch.join(RECORD), serde_json::to_vec(&kept)?)
}

/// Reads the record, which is void from then on: whatever fails now leaves no tree that is taken for something.
fn take(scratch: &Path) -> io::Result<Option<Kept>> {
    let path = scratch.join(RECORD);
    let text = match fs_err::read(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        text => text?,
    };
    fs_err::remove_file(path)?;
    Ok(serde_json::from_slice(&text).ok())
}

impl Kept {
    /// Puts back what the layers have where something else was; whether that can be done.
    fn fill(&self, tree: &Path) -> Result<bool, Failure> {
        let is_hole = |path: &[u8]| {
            let mut paths = std::iter::once(path).chain(ancestors(path));
            paths.any(|path| self.holes.iter().any(|hole| hole == path))
        };
        for root in &self.roots {
            for hole in &self.holes {
                if !is_inside(tree, hole) {
                    return Ok(false);
                }
                if is_hidden(root, hole)? {
                    remove(&place(tree, hole)).trying(|| "make the root directory".to_owned())?;
                }
            }
            add_layer(root, tree, is_hole)?;
        }
        Ok(true)
    }
}

/// Whether a layer hides what lower ones have at a path, because of what it has above that.
fn is_hidden(root: &Path, path: &[u8]) -> Result<bool, Failure> {
    for above in ancestors(path) {
        let place = place(root, above);
        let Ok(found) = lstat(&place) else { continue };
        if describe(&place, above, &found)?.kind != (ChangeKind::Directory { opaque: false }) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether everything above a path is a directory, as far as it is there: a link could lead out of the tree.
fn is_inside(tree: &Path, path: &[u8]) -> bool {
    ancestors(path)
        .filter_map(|above| lstat(place(tree, above)).ok())
        .all(|found| FileType::from_raw_mode(found.st_mode).is_dir())
}

fn place(root: &Path, path: &[u8]) -> PathBuf {
    root.join(OsStr::from_bytes(path))
}
