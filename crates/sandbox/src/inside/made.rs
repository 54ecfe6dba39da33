//! What is put into a root file system for a run only, so that it is told apart from what the command made.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Write as _};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags, mkdir, open, readlink, stat};
use rustix::io::Errno;

use crate::task::{Failure, Trying as _};

/// The file in the scratch directory that lists it, with a NUL behind each path.
const LIST: &str = "made";

/// Makes mount points and notes those that were not there.
#[derive(Debug)]
pub(super) struct Made {
    list: File,
    paths: Vec<PathBuf>,
}

impl Made {
    /// Opens the list, while the scratch directory can still be seen.
    pub(super) fn begin(scratch: &Path) -> Result<Self, Failure> {
        let path = scratch.join(LIST);
        let list = fs_err::File::create(path).trying(|| "list the mount points".to_owned())?.into_file();
        Ok(Self { list, paths: Vec::new() })
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
            Ok(()) => {
                self.paths.push(path.to_owned());
                Ok(())
            }
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
            (made, _) => {
                made.trying(|| format!("make the file {} in the image", path.display()))?;
                self.paths.push(path.to_owned());
                Ok(())
            }
        }
    }

    /// Writes the list, with the paths that the links on the way lead to.
    pub(super) fn finish(mut self) -> Result<(), Failure> {
        let step = || "list the mount points".to_owned();
        for path in &self.paths {
            let path = fs_err::canonicalize(path).trying(step)?;
            self.list.write_all(path.as_os_str().as_bytes()).trying(step)?;
            self.list.write_all(b"\0").trying(step)?;
        }
        Ok(())
    }
}

/// The list of a run, relative to the root of the image.
pub(super) fn listed(scratch: &Path) -> io::Result<BTreeSet<Vec<u8>>> {
    let list = fs_err::read(scratch.join(LIST))?;
    let paths = list.split(|byte| *byte == 0).filter_map(|path| path.strip_prefix(b"/"));
    Ok(paths.map(<[u8]>::to_vec).collect())
}

/// Removes the list.
pub(super) fn forget(scratch: &Path) -> io::Result<()> {
    match fs_err::remove_file(scratch.join(LIST)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
