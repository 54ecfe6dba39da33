//! The root file system of a run: unpacked layers below, a writable directory above.

use std::collections::BTreeSet;
use std::ffi::CString;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, mkdir, symlink};
use rustix::io::Errno;
use rustix::mount::{MountFlags, MountPropagationFlags, UnmountFlags, mount, mount_change, unmount};
use rustix::process::chdir;

use super::made;
use crate::RunRequest;
use crate::task::{Failure, Trying as _};

/// What is made in the scratch directory, and where.
const UPPER: &str = "upper";
const WORK: &str = "work";
const MERGED: &str = "merged";
const LOWER: &str = "lower";
const MEMORY: &str = "memory/";

/// The mode of `/` in the image.
const ROOT_MODE: u32 = 0o755;

/// Makes the directories that a mount needs.
pub(super) fn prepare(scratch: &Path) -> Result<(), Failure> {
    for name in [UPPER, WORK, MERGED, LOWER, MEMORY] {
        mkdir(scratch.join(name), Mode::from_raw_mode(ROOT_MODE))
            .trying(|| format!("make {name} in the scratch directory {}", scratch.display()))?;
    }
    Ok(())
}

/// Removes what [`prepare`] made and the run wrote.
pub(super) fn clear(scratch: &Path) -> Result<(), Failure> {
    let step = || format!("clear the scratch directory {}", scratch.display());
    for name in [MERGED, MEMORY] {
        match unmount(scratch.join(name), UnmountFlags::DETACH) {
            // It was not mounted.
            Ok(()) | Err(Errno::INVAL) => {}
            Err(errno) => return Err(errno).trying(step),
        }
    }
    for name in [UPPER, WORK, MERGED, LOWER, MEMORY] {
        fs_err::remove_dir_all(scratch.join(name)).trying(step)?;
    }
    made::forget(scratch).trying(step)
}

/// Where the root file system is.
pub(super) fn merged(scratch: &Path) -> PathBuf {
    scratch.join(MERGED)
}

/// Mounts the root file system in this process's mount namespace; returns where the writable directory is.
///
/// Each layer has a short name below the scratch directory, because mount options must fit into one page: 100
/// layers by their own names would not. `userxattr`, since an unprivileged process may set no other attributes;
/// the other options keep the upper directory a plain layer (`nofollow` is what `redirect_dir=off` is called here).
pub(super) fn mount_root(request: &RunRequest) -> Result<PathBuf, Failure> {
    let scratch = &request.scratch;
    mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC)
        .trying(|| "make the mounts private".to_owned())?;
    chdir(scratch).trying(|| format!("enter {}", scratch.display()))?;
    let mut lower = String::new();
    for (index, root) in highest_first(&request.roots).into_iter().enumerate() {
        let name = format!("{LOWER}/{index}");
        symlink(root, &name).trying(|| format!("name the layer {}", root.display()))?;
        let separator = if index == 0 { "" } else { ":" };
        write!(lower, "{separator}{name}").expect("a string takes what is written");
    }
    let mounted = match mount_overlay(&lower, "") {
        Err(Errno::INVAL) => write_to_memory().and_then(|()| mount_overlay(&lower, MEMORY)).map(|()| MEMORY),
        result => result.map(|()| ""),
    };
    let above = mounted
        .trying(|| format!("mount {} layers as an overlay in {}", request.roots.len(), scratch.display()))?;
    Ok(scratch.join(above).join(UPPER))
}

fn mount_overlay(lower: &str, above: &str) -> Result<(), Errno> {
    let options = format!(
        "lowerdir={lower},upperdir={above}{UPPER},workdir={above}{WORK},\
         userxattr,redirect_dir=nofollow,metacopy=off,index=off"
    );
    let options = CString::new(options).map_err(|_| Errno::INVAL)?;
    mount("overlay", MERGED, "overlay", MountFlags::NODEV, options.as_c_str())
}

/// In a container the scratch directory is itself on an overlay, which cannot be an overlay's upper directory.
fn write_to_memory() -> Result<(), Errno> {
    mount("tmpfs", MEMORY, "tmpfs", MountFlags::NODEV, c"mode=755")?;
    for name in [UPPER, WORK] {
        mkdir(format!("{MEMORY}{name}"), Mode::from_raw_mode(ROOT_MODE))?;
    }
    Ok(())
}

/// An overlay takes no directory twice. A layer hides what lower ones have, so where it is highest decides alone.
fn highest_first(roots: &[PathBuf]) -> Vec<&PathBuf> {
    let mut seen = BTreeSet::new();
    roots.iter().rev().filter(|root| seen.insert(*root)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repeated_layer_counts_where_it_is_highest() {
        let roots: Vec<_> = ["a", "b", "a", "c"].map(PathBuf::from).into();
        assert_eq!(highest_first(&roots), ["c", "a", "b"].map(PathBuf::from).iter().collect::<Vec<_>>());
    }
}
