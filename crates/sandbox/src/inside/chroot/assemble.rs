use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use rustix::fs::{
    AtFlags, CWD, FileType, Gid, Mode, Stat, Timespec, Timestamps, UTIME_OMIT, Uid, XattrFlags, chmod,
    chownat, lsetxattr, mkdir, mknodat, utimensat,
};

use super::super::changes::{describe, walk};
use crate::change::{Change, ChangeKind};
use crate::task::{Failure, Trying as _};

/// Copies a layer over those below it, as an overlay would show them; only what is `wanted`.
///
/// Every layer has an entry for each directory above its files, and directories come before what is in them: so a
/// link of a lower layer is replaced before anything could be written through it.
pub(super) fn add_layer(root: &Path, tree: &Path, wanted: impl Fn(&[u8]) -> bool) -> Result<(), Failure> {
    let mut first_names = HashMap::new();
    for (path, found) in walk(root)?.into_iter().filter(|(path, _)| wanted(path)) {
        let name = OsStr::from_bytes(&path);
        let (from, to) = (root.join(name), tree.join(name));
        let change = describe(&from, &path, &found)?;
        let step = || format!("put {} of a layer into the root file system", to.display());
        let may_be_linked = !matches!(change.kind, ChangeKind::Directory { .. } | ChangeKind::Removed);
        match first_names.entry((found.st_dev, found.st_ino)) {
            Entry::Occupied(first) if may_be_linked => {
                remove(&to).and_then(|()| fs_err::hard_link(first.get(), &to)).trying(step)?;
            }
            entry => {
                add(&change, &found, &from, &to).trying(step)?;
                entry.insert_entry(to);
            }
        }
    }
    Ok(())
}

fn add(change: &Change, found: &Stat, from: &Path, to: &Path) -> io::Result<()> {
    let is_directory = fs_err::symlink_metadata(to).is_ok_and(|there| there.is_dir());
    if !(is_directory && change.kind == ChangeKind::Directory { opaque: false }) {
        remove(to)?;
    }
    match &change.kind {
        ChangeKind::Removed => return Ok(()),
        ChangeKind::Directory { .. } if to.is_dir() => {}
        ChangeKind::Directory { .. } => mkdir(to, Mode::from_raw_mode(0o700))?,
        ChangeKind::File { .. } => fs_err::copy(from, to).map(drop)?,
        ChangeKind::Symlink { target } => {
            fs_err::os::unix::fs::symlink(OsStr::from_bytes(target.as_bytes()), to)?;
        }
        _ => mknodat(
            CWD,
            to,
            FileType::from_raw_mode(found.st_mode),
            Mode::from_raw_mode(0o600),
            found.st_rdev,
        )?,
    }
    let (uid, gid) = (Uid::from_raw(change.uid), Gid::from_raw(change.gid));
    chownat(CWD, to, Some(uid), Some(gid), AtFlags::SYMLINK_NOFOLLOW)?;
    if !matches!(change.kind, ChangeKind::Symlink { .. }) {
        // Behind the owner, whose change clears set-id bits.
        chmod(to, Mode::from_raw_mode(change.mode))?;
    }
    for (name, value) in &change.xattrs {
        lsetxattr(to, name.as_str(), value, XattrFlags::empty())?;
    }
    Ok(utimensat(CWD, to, &modified(found), AtFlags::SYMLINK_NOFOLLOW)?)
}

fn modified(found: &Stat) -> Timestamps {
    Timestamps {
        last_access: Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT },
        last_modification: Timespec { tv_sec: found.st_mtime, tv_nsec: found.st_mtime_nsec.cast_signed() },
    }
}

/// Removes what is at a path, if something is.
pub(super) fn remove(path: &Path) -> io::Result<()> {
    match fs_err::symlink_metadata(path) {
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            Ok(())
        }
        Ok(found) if found.is_dir() => fs_err::remove_dir_all(path),
        Ok(_) => fs_err::remove_file(path),
        Err(error) => Err(error),
    }
}
