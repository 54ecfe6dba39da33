//! Owners, where there is only one id.
//!
//! A user namespace with one id cannot give a file to anybody else. So the system calls that would are answered with
//! success, and whom they named is kept in an extended attribute of the file: an overlay copies it with the file, and
//! it goes where the file goes. Symbolic links and pipes cannot have one; their owners are told as lost.

use std::ffi::OsString;
use std::io;
use std::os::fd::AsRawFd as _;
use std::os::unix::ffi::OsStringExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{XattrFlags, lsetxattr, setxattr};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, pidfd_open};

use super::changes::place;
use super::seccomp::{Action, Listener, Question, Rule, install_with_listener};
use super::xattrs::{OWNER, value, value_through_links};
use crate::LostOwner;
use crate::change::{Change, ChangeKind};

/// An id of -1 leaves the owner or the group as it is.
const UNCHANGED: u32 = u32::MAX;

/// Answers the calls of a command that change owners.
#[derive(Debug)]
pub(super) struct Owners {
    listener: Listener,
}

/// What a call would change.
struct Target {
    place: PathBuf,
    /// Whether a symbolic link at the place is meant itself.
    is_link_meant: bool,
    uid: u32,
    gid: u32,
}

impl Owners {
    /// Watches this process and all that it will start.
    pub(super) fn watch() -> io::Result<Self> {
        Ok(Self { listener: install_with_listener(&rules())? })
    }

    pub(super) fn listener(&self) -> &std::fs::File {
        self.listener.file()
    }

    /// Answers one call; gives back the owner if it could not be kept.
    pub(super) fn answer(&self) -> io::Result<Option<LostOwner>> {
        let Some(question) = self.listener.next()? else { return Ok(None) };
        let result = target(&question).and_then(|target| keep(&target));
        let lost = match result {
            Ok(lost) => {
                self.listener.answer(&question, Ok(()))?;
                lost
            }
            Err(error) => {
                let errno = Errno::from_io_error(&error).unwrap_or(Errno::IO);
                self.listener.answer(&question, Err(errno))?;
                None
            }
        };
        Ok(lost)
    }
}

fn rules() -> Vec<Rule> {
    let rule = |action| move |call| Rule { call, first_argument: None, action };
    let asked = [
        libc::SYS_fchown,
        libc::SYS_fchownat,
        #[cfg(target_arch = "x86_64")]
        libc::SYS_chown,
        #[cfg(target_arch = "x86_64")]
        libc::SYS_lchown,
    ];
    // A process that becomes another user stays the same.
    let pretended = [
        libc::SYS_setuid,
        libc::SYS_setgid,
        libc::SYS_setreuid,
        libc::SYS_setregid,
        libc::SYS_setresuid,
        libc::SYS_setresgid,
        libc::SYS_setfsuid,
        libc::SYS_setfsgid,
        libc::SYS_setgroups,
    ];
    let asked = asked.into_iter().map(rule(Action::Ask));
    asked.chain(pretended.into_iter().map(rule(Action::Pretend))).collect()
}

/// The file that a call is about, as this process sees it.
fn target(question: &Question) -> io::Result<Target> {
    let [first, second, third, fourth, fifth, _] = question.arguments;
    let process = format!("/proc/{}", number_in_proc(question.pid)?);
    let descriptor = |number: u64| format!("{process}/fd/{}", low(number));
    let at = |base: String, address: u64| -> io::Result<PathBuf> {
        let path = PathBuf::from(OsString::from_vec(question.text(address)?));
        match path.strip_prefix("/") {
            _ if path.as_os_str().is_empty() => Err(Errno::NOENT.into()),
            Ok(below) => Ok(Path::new(&process).join("root").join(below)),
            Err(_) => Ok(Path::new(&base).join(path)),
        }
    };
    let here = format!("{process}/cwd");
    let file = |place, is_link_meant, uid, gid| Target { place, is_link_meant, uid: low(uid), gid: low(gid) };
    match question.call {
        libc::SYS_fchown => Ok(file(descriptor(first).into(), false, second, third)),
        libc::SYS_fchownat => {
            let base = if low(first) == libc::AT_FDCWD.cast_unsigned() { here } else { descriptor(first) };
            let flags = low(fifth).cast_signed();
            let is_link_meant = flags & libc::AT_SYMLINK_NOFOLLOW != 0;
            if flags & libc::AT_EMPTY_PATH != 0 && question.text(second)?.is_empty() {
                return Ok(file(base.into(), false, third, fourth));
            }
            Ok(file(at(base, second)?, is_link_meant, third, fourth))
        }
        #[cfg(target_arch = "x86_64")]
        libc::SYS_chown => Ok(file(at(here, first)?, false, second, third)),
        #[cfg(target_arch = "x86_64")]
        libc::SYS_lchown => Ok(file(at(here, first)?, true, second, third)),
        _ => Err(Errno::NOSYS.into()),
    }
}

/// The number of a process of this namespace in `/proc`, which may be the machine's.
fn number_in_proc(pid: u32) -> io::Result<u32> {
    let known = i32::try_from(pid).ok().and_then(Pid::from_raw).ok_or(Errno::SRCH)?;
    let process = match pidfd_open(known, PidfdFlags::empty()) {
        // A thread that is not its process's first; with a `/proc` of one's own its number is right.
        Err(Errno::INVAL | Errno::NOENT) => return Ok(pid),
        process => process?,
    };
    let info = fs_err::read_to_string(format!("/proc/self/fdinfo/{}", process.as_raw_fd()))?;
    let number = info.lines().find_map(|line| line.strip_prefix("Pid:")?.trim().parse().ok());
    Ok(number.ok_or(Errno::SRCH)?)
}

/// The kernel uses the low half of these arguments.
fn low(argument: u64) -> u32 {
    u32::try_from(argument & u64::from(u32::MAX)).expect("32 bits fit")
}

fn keep(target: &Target) -> io::Result<Option<LostOwner>> {
    let Target { place, is_link_meant, uid, gid } = target;
    let kept = if *is_link_meant { value(place, OWNER)? } else { value_through_links(place, OWNER)? };
    let before = kept.as_deref().and_then(read).unwrap_or_default();
    let new = |id: u32, old: u32| if id == UNCHANGED { old } else { id };
    let (uid, gid) = (new(*uid, before.0), new(*gid, before.1));
    if kept.is_some() && (uid, gid) == before {
        return Ok(None);
    }
    let text = written(uid, gid);
    let kept = if *is_link_meant {
        lsetxattr(place, OWNER, &text, XattrFlags::empty())
    } else {
        setxattr(place, OWNER, &text, XattrFlags::empty())
    };
    match kept {
        Ok(()) => Ok(None),
        // Not a file or a directory.
        Err(Errno::PERM | Errno::OPNOTSUPP) if (uid, gid) == (0, 0) => Ok(None),
        Err(Errno::PERM | Errno::OPNOTSUPP) => Ok(Some(LostOwner { path: seen_inside(place), uid, gid })),
        Err(errno) => Err(errno.into()),
    }
}

/// The value of the attribute.
pub(super) fn written(uid: u32, gid: u32) -> Vec<u8> {
    format!("{uid}:{gid}").into_bytes()
}

/// The owner and the group that a value of the attribute says.
pub(super) fn read(value: &[u8]) -> Option<(u32, u32)> {
    let (uid, gid) = std::str::from_utf8(value).ok()?.split_once(':')?;
    Some((uid.parse().ok()?, gid.parse().ok()?))
}

/// The owners of files that were given to root again, although they were not root's before.
///
/// Programs that replace a file give the new one the owner that they see, and here they see root everywhere.
pub(super) fn forgotten(root: &Path, changes: &[Change], layers: &[PathBuf]) -> io::Result<Vec<LostOwner>> {
    let mut lost = Vec::new();
    for change in changes.iter().filter(|change| change.kind != ChangeKind::Removed) {
        if value(&place(root, change), OWNER)?.as_deref().and_then(read) != Some((0, 0)) {
            continue;
        }
        let places = layers.iter().rev().map(|layer| place(layer, change));
        let Some(before) = places.into_iter().find(|before| fs_err::symlink_metadata(before).is_ok()) else {
            continue;
        };
        match value(&before, OWNER)?.as_deref().and_then(read) {
            None | Some((0, 0)) => {}
            Some((uid, gid)) => {
                let path = format!("/{}", String::from_utf8_lossy(change.path.as_bytes()));
                lost.push(LostOwner { path, uid, gid });
            }
        }
    }
    Ok(lost)
}

/// `/proc/7/cwd/file` as the path that it leads to.
fn seen_inside(place: &Path) -> String {
    let parent = place.parent().and_then(|parent| fs_err::canonicalize(parent).ok());
    let place = match (parent, place.file_name()) {
        (Some(parent), Some(name)) => parent.join(name),
        _ => place.to_owned(),
    };
    place.to_string_lossy().into_owned()
}
