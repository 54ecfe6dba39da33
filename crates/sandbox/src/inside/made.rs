//! What is put into a root file system for a run only, so that it is told apart from what the command made.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Write as _};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use rustix::fs::{Mode, OFlags, mkdir, open, readlink, stat};
use rustix::io::Errno;

use super::changes::ancestors;
use crate::task::{Failure, Trying as _};

/// The file in the scratch directory that lists it, with a NUL behind each path.
const LIST: &str = "made";
/// What a path in the list begins with: a directory that was made, or a mount point.
const DIRECTORY: u8 = b'+';
const MOUNT_POINT: u8 = b'=';

/// Makes what is missing, and notes that and every mount point.
#[derive(Debug)]
pub(super) struct Made {
    list: File,
}

impl Made {
    /// Opens the list, while the scratch directory can still be seen.
    pub(super) fn begin(scratch: &Path) -> Result<Self, Failure> {
        let path = scratch.join(LIST);
        let list = fs_err::File::create(path).trying(|| "list the mount points".to_owned())?.into_file();
        Ok(Self { list })
    }

    /// Makes a directory of the image with those above it.
    pub(super) fn directory(&mut self, path: &Path, mode: u32) -> Result<(), Failure> {
        if stat(path).is_ok() {
            return Ok(());
        }
        if let Some(parent) = path.parent() {
            self.directory(parent, 0o755)?;
        }
        match mkdir(path, Mode::from_raw_mode(mode)) {
            Ok(()) => self.note(DIRECTORY, path),
            Err(Errno::EXIST) => Ok(()),
            Err(errno) => Err(errno).trying(|| format!("make the directory {} in the image", path.display())),
        }
    }

    /// Makes a file where there is none. A symbolic link is followed, here it ends in the image; what it leads to
    /// may be something that only a running system has, such as a directory below `/run`.
    pub(super) fn file(&mut self, path: &Path) -> Result<(), Failure> {
        if stat(path).is_ok() {
            return Ok(());
        }
        let flags = OFlags::CREATE | OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK;
        match (open(path, flags, Mode::from_raw_mode(0o644)), readlink(path, Vec::new())) {
            (Err(Errno::NOENT), Ok(target)) => {
                let target = path.parent().unwrap_or(path).join(OsStr::from_bytes(target.as_bytes()));
                self.directory(target.parent().unwrap_or(&target), 0o755)?;
                self.file(&target)
            }
            (made, _) => made.map(drop).trying(|| format!("make the file {} in the image", path.display())),
        }
    }

    /// Notes, before it is mounted, that what is at and below this path is not the image's.
    pub(super) fn mount_point(&mut self, path: &Path) -> Result<(), Failure> {
        self.note(MOUNT_POINT, path)
    }

    /// Writes a record, with the path that the links on the way lead to.
    fn note(&mut self, kind: u8, path: &Path) -> Result<(), Failure> {
        let step = || format!("list the mount point {}", path.display());
        let path = fs_err::canonicalize(path).trying(step)?;
        let record = [&[kind], path.as_os_str().as_bytes(), b"\0"].concat();
        self.list.write_all(&record).trying(step)
    }
}

/// The list of a run; paths are relative to the root of the image.
#[derive(Debug, Default)]
pub(super) struct Listed {
    /// Directories that were made.
    pub(super) directories: BTreeSet<Vec<u8>>,
    mount_points: BTreeSet<Vec<u8>>,
}

impl Listed {
    pub(super) fn paths(&self) -> impl Iterator<Item = &[u8]> {
        self.directories.iter().chain(&self.mount_points).map(Vec::as_slice)
    }

    pub(super) fn mount_points(&self) -> impl Iterator<Item = &[u8]> {
        self.mount_points.iter().map(Vec::as_slice)
    }

    /// Whether a path is a mount point, or below one.
    pub(super) fn is_mounted(&self, path: &[u8]) -> bool {
        std::iter::once(path).chain(ancestors(path)).any(|path| self.mount_points.contains(path))
    }
}

/// Reads the list.
pub(super) fn listed(scratch: &Path) -> io::Result<Listed> {
    let mut listed = Listed::default();
    for record in fs_err::read(scratch.join(LIST))?.split(|byte| *byte == 0) {
        match record {
            [DIRECTORY, b'/', path @ ..] => listed.directories.insert(path.to_vec()),
            [MOUNT_POINT, b'/', path @ ..] => listed.mount_points.insert(path.to_vec()),
            _ => continue,
        };
    }
    Ok(listed)
}

/// Removes the list.
pub(super) fn forget(scratch: &Path) -> io::Result<()> {
    match fs_err::remove_file(scratch.join(LIST)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
