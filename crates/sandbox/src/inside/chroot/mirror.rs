use std::ffi::CStr;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{
    AtFlags, Dir, FileType, Gid, Mode, OFlags, Stat, Timespec, Timestamps, Uid, fchmod, fchown, futimens,
    linkat, mkdirat, openat, readlinkat, renameat, statat, symlinkat,
};
use rustix::io::Errno;

/// How a file comes to be in another place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum How {
    /// As the same file, where one file system has both.
    Linked,
    /// As a file of its own.
    Copied,
}

const DIRECTORY: OFlags =
    OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);
const NEW: OFlags = OFlags::WRONLY.union(OFlags::CREATE).union(OFlags::TRUNC).union(OFlags::CLOEXEC);
const EXISTING: OFlags = OFlags::RDONLY.union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);
/// A file has this name until it is whole.
const UNFINISHED: &CStr = c".imagewright-unfinished";

/// Puts everything that is in `from` into `to` that is not there yet. Nothing is removed: others may use it.
pub(super) fn mirror(from: &OwnedFd, to: &OwnedFd, how: How) -> io::Result<()> {
    for entry in Dir::read_from(from)? {
        let entry = entry?;
        let name = entry.file_name();
        if matches!(name.to_bytes(), b"." | b"..") || name == UNFINISHED {
            continue;
        }
        let found = statat(from, name, AtFlags::SYMLINK_NOFOLLOW)?;
        let there = statat(to, name, AtFlags::SYMLINK_NOFOLLOW).ok();
        match FileType::from_raw_mode(found.st_mode) {
            FileType::Directory => {
                if there.is_none() {
                    mkdirat(to, name, Mode::from_raw_mode(0o700))?;
                    describe(openat(to, name, DIRECTORY, Mode::empty())?, &found)?;
                }
                let open = |directory| openat(directory, name, DIRECTORY, Mode::empty());
                mirror(&open(from)?, &open(to)?, how)?;
            }
            FileType::RegularFile if !there.is_some_and(|there| is_same(&there, &found)) => {
                place(from, to, name, &found, how)?;
            }
            FileType::Symlink if there.is_none() => {
                symlinkat(readlinkat(from, name, Vec::new())?.as_c_str(), to, name)?;
            }
            _ => {}
        }
    }
    Ok(())
}

fn is_same(a: &Stat, b: &Stat) -> bool {
    let content = |stat: &Stat| (stat.st_mode, stat.st_size, stat.st_mtime, stat.st_mtime_nsec);
    (a.st_dev, a.st_ino) == (b.st_dev, b.st_ino) || content(a) == content(b)
}

fn place(from: &OwnedFd, to: &OwnedFd, name: &CStr, found: &Stat, how: How) -> io::Result<()> {
    let linked = match how {
        How::Linked => linkat(from, name, to, UNFINISHED, AtFlags::empty()),
        How::Copied => Err(Errno::XDEV),
    };
    match linked {
        Err(Errno::XDEV | Errno::PERM | Errno::EXIST) => {
            let source = openat(from, name, EXISTING, Mode::empty())?;
            copy(source, openat(to, UNFINISHED, NEW, Mode::from_raw_mode(0o600))?, found)?;
        }
        linked => linked?,
    }
    Ok(renameat(to, UNFINISHED, to, name)?)
}

/// Copies content, and all that the metadata says.
pub(super) fn copy(from: OwnedFd, to: OwnedFd, found: &Stat) -> io::Result<()> {
    let mut to = File::from(to);
    io::copy(&mut File::from(from), &mut to)?;
    describe(&to, found)?;
    let time = |seconds, nanoseconds: u64| Timespec { tv_sec: seconds, tv_nsec: nanoseconds.cast_signed() };
    let last_access = time(found.st_atime, found.st_atime_nsec);
    Ok(futimens(
        &to,
        &Timestamps { last_access, last_modification: time(found.st_mtime, found.st_mtime_nsec) },
    )?)
}

fn describe(file: impl AsFd, found: &Stat) -> io::Result<()> {
    fchown(&file, Some(Uid::from_raw(found.st_uid)), Some(Gid::from_raw(found.st_gid)))?;
    Ok(fchmod(&file, Mode::from_raw_mode(found.st_mode))?)
}
