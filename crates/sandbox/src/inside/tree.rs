use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use rustix::fs::{
    AtFlags, FileType, Gid, Mode, OFlags, ResolveFlags, Stat, Timespec, Timestamps, UTIME_OMIT, Uid,
    XattrFlags, chmodat, chownat, fchmod, fchown, fsetxattr, futimens, linkat, makedev, mkdirat, mkfifoat,
    mknodat, open, openat, openat2, statat, symlinkat, unlinkat, utimensat,
};
use rustix::io::Errno;

use super::owners;
use super::unpack::{EntryPath, Whiteouts};
use super::xattrs::{OPAQUE, OWNER, WHITEOUT};
use crate::task::{Cause, Failure};

/// What an entry says besides its content.
#[derive(Debug)]
pub(super) struct Metadata {
    pub(super) mode: u32,
    pub(super) uid: u32,
    pub(super) gid: u32,
    /// Seconds since 1970.
    pub(super) mtime: i64,
    pub(super) xattrs: Vec<(String, Vec<u8>)>,
}

/// Who owns what is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Owners {
    /// Whom the entry names.
    Recorded,
    /// The caller; whom the entry names is kept in an attribute.
    Caller,
}

/// A directory that is being filled.
///
/// Every path is resolved by the kernel below the directory's descriptor, symbolic links included, so that no
/// entry can be written anywhere else, whatever links earlier entries made.
#[derive(Debug)]
pub(super) struct Tree {
    root: OwnedFd,
    owners: Owners,
    /// The directory that the last entry was in; entries are mostly grouped by directory.
    open: Option<(EntryPath, OwnedFd)>,
    whiteouts: Whiteouts,
    /// Writing into a directory changes its time, so these come last.
    directory_times: BTreeMap<EntryPath, i64>,
}

const DIRECTORY: OFlags =
    OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);
const NEW_FILE: OFlags =
    OFlags::WRONLY.union(OFlags::CREATE).union(OFlags::EXCL).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// What is used for directories that no entry describes.
const IMPLIED_MODE: u32 = 0o755;

impl Tree {
    pub(super) fn open(directory: &Path, owners: Owners) -> Result<Self, Failure> {
        let root = open(directory, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
            .map_err(|errno| step(&format!("open {}", directory.display()), errno.into()))?;
        Ok(Self { root, owners, open: None, whiteouts: Whiteouts::new(), directory_times: BTreeMap::new() })
    }

    /// Makes a directory, or gives an existing one these properties.
    pub(super) fn directory(&mut self, path: &EntryPath, metadata: &Metadata) -> Result<(), Failure> {
        self.place(path, |tree, parent, name| {
            tree.make_directory(parent, name, path)?;
            let directory = openat(parent, name, DIRECTORY, Mode::empty())?;
            tree.describe(&directory, metadata)
        })?;
        self.directory_times.insert(path.clone(), metadata.mtime);
        Ok(())
    }

    /// Writes a file; returns its length in bytes.
    pub(super) fn file(
        &mut self,
        path: &EntryPath,
        content: &mut impl Read,
        metadata: &Metadata,
    ) -> Result<u64, Failure> {
        self.place(path, |tree, parent, name| {
            let mut file = File::from(replacing(parent, name, || {
                openat(parent, name, NEW_FILE, Mode::from_raw_mode(0o600))
            })?);
            let length = io::copy(content, &mut file)?;
            tree.describe(&file, metadata)?;
            futimens(&file, &times(metadata.mtime))?;
            Ok(length)
        })
    }

    pub(super) fn symbolic_link(
        &mut self,
        path: &EntryPath,
        target: &[u8],
        metadata: &Metadata,
    ) -> Result<(), Failure> {
        self.place(path, |tree, parent, name| {
            replacing(parent, name, || symlinkat(target, parent, name))?;
            tree.describe_at(parent, name, metadata)
        })
    }

    pub(super) fn fifo(&mut self, path: &EntryPath, metadata: &Metadata) -> Result<(), Failure> {
        self.place(path, |tree, parent, name| {
            replacing(parent, name, || mkfifoat(parent, name, Mode::from_raw_mode(0o600)))?;
            tree.describe_at(parent, name, metadata)?;
            chmodat(parent, name, Mode::from_raw_mode(metadata.mode), AtFlags::empty())?;
            Ok(())
        })
    }

    pub(super) fn hard_link(&mut self, path: &EntryPath, target: &EntryPath) -> Result<(), Failure> {
        let Some(target_name) = target.name() else {
            return Err(path.refused("it is a link to the root".to_owned()));
        };
        let target_parent = self.resolve(&target.parent()).map_err(|error| step_for(target, error))?;
        self.place(path, |_, parent, name| {
            replacing(parent, name, || linkat(&target_parent, target_name, parent, name, AtFlags::empty()))
        })
    }

    /// Hides what lower layers have in a directory.
    pub(super) fn make_opaque(&mut self, path: &EntryPath) -> Result<(), Failure> {
        let opaque = |tree: &mut Self| {
            let directory = tree.make_directories(path)?;
            let directory = openat(&directory, ".", DIRECTORY, Mode::empty())?;
            set_opaque(&directory)
        };
        opaque(self).map_err(|error| step_for(path, error))
    }

    /// Hides what lower layers have at a path. It does not hide what this layer has there: a directory of this
    /// layer becomes opaque, anything else stays as it is.
    pub(super) fn white_out(&mut self, path: &EntryPath) -> Result<(), Failure> {
        self.whiteouts.insert(path.clone());
        let is_directory =
            self.place(path, |tree, parent, name| match statat(parent, name, AtFlags::SYMLINK_NOFOLLOW) {
                Ok(found) => Ok(FileType::from_raw_mode(found.st_mode).is_dir()),
                Err(Errno::NOENT) => tree.make_whiteout(parent, name).map(|()| false),
                Err(errno) => Err(errno.into()),
            })?;
        if is_directory { self.make_opaque(path) } else { Ok(()) }
    }

    /// A device 0/0; on a file system that is an overlay itself, which keeps those for itself, an empty file with
    /// an attribute, in a directory (and a layer) that is marked to have such files.
    fn make_whiteout(&self, parent: &OwnedFd, name: &[u8]) -> io::Result<()> {
        match mknodat(parent, name, FileType::CharacterDevice, Mode::empty(), makedev(0, 0)) {
            Err(Errno::PERM) => {}
            result => return Ok(result?),
        }
        let file = openat(parent, name, NEW_FILE, Mode::empty())?;
        fsetxattr(&file, WHITEOUT, b"y", XattrFlags::empty())?;
        for directory in [
            openat(parent, ".", DIRECTORY, Mode::empty())?,
            openat(&self.root, ".", DIRECTORY, Mode::empty())?,
        ] {
            match fsetxattr(&directory, OPAQUE, b"x", XattrFlags::CREATE) {
                // It is marked, or hides everything anyway.
                Ok(()) | Err(Errno::EXIST) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
        Ok(())
    }

    /// Sets the times of the directories. Lower ones first or last does not matter: this changes no directory.
    pub(super) fn finish(mut self) -> Result<(), Failure> {
        for (path, mtime) in std::mem::take(&mut self.directory_times) {
            self.place(&path, |_, parent, name| {
                match utimensat(parent, name, &times(mtime), AtFlags::SYMLINK_NOFOLLOW) {
                    // A later entry of the layer replaced something above it.
                    Ok(()) | Err(Errno::NOENT | Errno::NOTDIR) => Ok(()),
                    Err(errno) => Err(errno.into()),
                }
            })?;
        }
        Ok(())
    }

    /// Runs `make` with the directory that a path is in, and its name there.
    fn place<T>(
        &mut self,
        path: &EntryPath,
        make: impl FnOnce(&mut Self, &OwnedFd, &[u8]) -> io::Result<T>,
    ) -> Result<T, Failure> {
        let Some(name) = path.name() else { return Err(path.refused("it is the root".to_owned())) };
        let parent = path.parent();
        let open = match self.open.take() {
            Some((at, open)) if at == parent => open,
            _ => self.make_directories(&parent).map_err(|error| step_for(path, error))?,
        };
        let result = make(self, &open, name).map_err(|error| step_for(path, error))?;
        self.open = Some((parent, open));
        Ok(result)
    }

    fn resolve(&self, path: &EntryPath) -> io::Result<OwnedFd> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let inside = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
        Ok(openat2(&self.root, path.relative(), flags, Mode::empty(), inside)?)
    }

    fn make_directories(&mut self, path: &EntryPath) -> io::Result<OwnedFd> {
        match self.resolve(path) {
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {}
            result => return result,
        }
        for directory in path.ancestors().chain([path.clone()]) {
            if self.resolve(&directory).is_ok() {
                continue;
            }
            let parent = self.resolve(&directory.parent())?;
            let name = directory.name().expect("the root resolves");
            match statat(&parent, name, AtFlags::SYMLINK_NOFOLLOW) {
                Ok(found) if !self.is_whiteout(&directory, &found) => return Err(Errno::NOTDIR.into()),
                _ => self.make_directory(&parent, name, &directory)?,
            }
        }
        self.resolve(path)
    }

    fn is_whiteout(&self, path: &EntryPath, found: &Stat) -> bool {
        let kind = FileType::from_raw_mode(found.st_mode);
        self.whiteouts.contains(path) && (kind.is_char_device() || kind.is_file())
    }

    /// Leaves a directory as it is, and puts one in the place of anything else; in the place of a whiteout, it
    /// still hides what lower layers have there.
    fn make_directory(&mut self, parent: impl AsFd, name: &[u8], path: &EntryPath) -> io::Result<()> {
        let make = || mkdirat(&parent, name, Mode::from_raw_mode(IMPLIED_MODE));
        match make() {
            Ok(()) => {}
            Err(Errno::EXIST) => {
                let found = statat(&parent, name, AtFlags::SYMLINK_NOFOLLOW)?;
                if FileType::from_raw_mode(found.st_mode).is_dir() {
                    return Ok(());
                }
                unlinkat(&parent, name, AtFlags::empty())?;
                make()?;
            }
            Err(errno) => return Err(errno.into()),
        }
        if self.whiteouts.contains(path) {
            set_opaque(openat(&parent, name, DIRECTORY, Mode::empty())?)?;
        }
        Ok(())
    }

    /// Ownership first: a change of it clears set-id bits and capabilities.
    fn describe(&self, file: impl AsFd, metadata: &Metadata) -> io::Result<()> {
        if self.owners == Owners::Recorded {
            fchown(&file, Some(Uid::from_raw(metadata.uid)), Some(Gid::from_raw(metadata.gid)))?;
        } else if (metadata.uid, metadata.gid) != (0, 0) {
            fsetxattr(&file, OWNER, &owners::written(metadata.uid, metadata.gid), XattrFlags::empty())?;
        }
        fchmod(&file, Mode::from_raw_mode(metadata.mode))?;
        for (name, value) in &metadata.xattrs {
            match fsetxattr(&file, name.as_str(), value, XattrFlags::empty()) {
                // With one id there may be no root to whom capabilities could refer.
                Err(Errno::PERM | Errno::OPNOTSUPP) if self.owners == Owners::Caller => {}
                result => result?,
            }
        }
        Ok(())
    }

    fn describe_at(&self, parent: &OwnedFd, name: &[u8], metadata: &Metadata) -> io::Result<()> {
        if self.owners == Owners::Recorded {
            let (uid, gid) = (Uid::from_raw(metadata.uid), Gid::from_raw(metadata.gid));
            chownat(parent, name, Some(uid), Some(gid), AtFlags::SYMLINK_NOFOLLOW)?;
        }
        Ok(utimensat(parent, name, &times(metadata.mtime), AtFlags::SYMLINK_NOFOLLOW)?)
    }
}

/// Makes something, and if there is something else already, removes that first: the later entry counts.
fn replacing<T>(parent: &OwnedFd, name: &[u8], make: impl Fn() -> Result<T, Errno>) -> io::Result<T> {
    match make() {
        Err(Errno::EXIST) => {
            remove(parent, name)?;
            Ok(make()?)
        }
        result => Ok(result?),
    }
}

fn set_opaque(directory: impl AsFd) -> io::Result<()> {
    Ok(fsetxattr(directory, OPAQUE, b"y", XattrFlags::empty())?)
}

fn times(mtime: i64) -> Timestamps {
    Timestamps {
        last_access: Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT },
        last_modification: Timespec { tv_sec: mtime, tv_nsec: 0 },
    }
}

fn remove(parent: &OwnedFd, name: &[u8]) -> io::Result<()> {
    match unlinkat(parent, name, AtFlags::empty()) {
        Err(Errno::ISDIR) => Err(io::Error::other("a directory of the same layer is in its place")),
        result => Ok(result?),
    }
}

fn step_for(path: &EntryPath, error: io::Error) -> Failure {
    step(&format!("unpack {}", String::from_utf8_lossy(&path.relative())), error)
}

fn step(what: &str, error: io::Error) -> Failure {
    Failure::Step { step: what.to_owned(), cause: Cause::from(error) }
}
