//! What a command finds in its root file system besides the image: processes, devices, and the machine's files.

use std::ffi::CStr;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{CWD, FileType, StatVfsMountFlags, stat, statvfs, symlink};
use rustix::io::Errno;
use rustix::mount::{
    MountFlags, MoveMountFlags, OpenTreeFlags, UnmountFlags, mount, mount_bind, mount_remount, move_mount,
    open_tree, unmount,
};
use rustix::process::{chdir, pivot_root};

use super::made::Made;
use super::secrets;
use crate::task::{Failure, Trying as _};
use crate::{Bind, Network, RunRequest, SecretFile};

const DEVICES: [&str; 6] = ["null", "zero", "full", "random", "urandom", "tty"];
const DEVICE_LINKS: [(&str, &str); 5] = [
    ("/proc/self/fd", "/dev/fd"),
    ("/proc/self/fd/0", "/dev/stdin"),
    ("/proc/self/fd/1", "/dev/stdout"),
    ("/proc/self/fd/2", "/dev/stderr"),
    ("pts/ptmx", "/dev/ptmx"),
];
/// Settings of the machine that root could change.
const READ_ONLY: [&str; 5] = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"];
/// What tells root about the machine more than a command needs to know.
const HIDDEN: [&str; 6] =
    ["/proc/acpi", "/proc/kcore", "/proc/keys", "/proc/scsi", "/proc/timer_list", "/sys/firmware"];

/// Mounts of the machine, taken while its paths can still be seen and put into place when only the image's can:
/// so a symbolic link in the image cannot lead a mount out of it.
pub(super) struct Mounts {
    proc: Option<OwnedFd>,
    sys: Option<OwnedFd>,
    devices: Vec<(&'static str, OwnedFd)>,
    binds: Vec<(Bind, OwnedFd)>,
    secrets: Vec<SecretFile>,
}

impl Mounts {
    pub(super) fn take(request: &RunRequest) -> Result<Self, Failure> {
        let mut devices = Vec::new();
        for name in DEVICES {
            devices.push((name, clone_of(Path::new("/dev").join(name).as_path())?));
        }
        let mut binds = Vec::new();
        for bind in resolver_files(request.network).into_iter().chain(request.binds.iter().cloned()) {
            let mount = clone_of(&bind.source)?;
            binds.push((bind, mount));
        }
        Ok(Self {
            proc: clone_of(Path::new("/proc")).ok(),
            sys: clone_of(Path::new("/sys")).ok(),
            devices,
            binds,
            secrets: request.secrets.clone(),
        })
    }

    /// Puts everything into place in the root file system that this process has entered.
    pub(super) fn attach(self, made: &mut Made) -> Result<(), Failure> {
        for directory in ["/proc", "/sys", "/dev"] {
            made.directory(Path::new(directory), 0o755)?;
            made.mount_point(Path::new(directory))?;
        }
        made.directory(Path::new("/tmp"), 0o1777)?;
        mount_proc(self.proc)?;
        mount_sys(self.sys)?;
        mount_dev(self.devices, made)?;
        for path in READ_ONLY {
            if mount_bind(path, path).is_ok() {
                make_read_only(Path::new(path))?;
            }
        }
        for path in HIDDEN {
            hide(path).trying(|| format!("mount nothing over {path}"))?;
        }
        let secrets = secrets::mounts(&self.secrets)?;
        for (bind, mount) in self.binds.into_iter().chain(secrets) {
            attach_bind(&bind, &mount, made)?;
        }
        Ok(())
    }
}

/// Makes `root` this process's root directory and forgets the former one, for every process of the mount namespace.
pub(super) fn enter_root(root: &Path) -> Result<(), Failure> {
    let step = || format!("enter the root file system {}", root.display());
    chdir(root).trying(step)?;
    pivot_root(".", ".").trying(step)?;
    unmount(".", UnmountFlags::DETACH).trying(step)?;
    chdir("/").trying(step)
}

/// The machine's files that tell names of hosts.
pub(super) fn resolver_files(network: Network) -> Vec<Bind> {
    if network == Network::None {
        return Vec::new();
    }
    let bind = |path: &str| Bind { source: path.into(), target: path.into(), writable: false };
    ["/etc/resolv.conf", "/etc/hosts"].into_iter().filter(|path| stat(*path).is_ok()).map(bind).collect()
}

pub(super) fn clone_of(path: &Path) -> Result<OwnedFd, Failure> {
    let flags =
        OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC | OpenTreeFlags::AT_RECURSIVE;
    open_tree(CWD, path, flags).trying(|| format!("take the mount of {}", path.display()))
}

fn attach(mount: &OwnedFd, target: &Path) -> Result<(), Failure> {
    move_mount(mount, "", CWD, target, MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)
        .trying(|| format!("mount {} in the image", target.display()))
}

const NO_OPTIONS: Option<&CStr> = None;

pub(super) fn safe_flags() -> MountFlags {
    MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC
}

/// A container may be allowed to make a process namespace, but not to mount its processes, because parts of its
/// own are hidden. Then the machine's are shown: numbers differ, but `/proc/self` is right.
fn mount_proc(machine: Option<OwnedFd>) -> Result<(), Failure> {
    match (mount("proc", "/proc", "proc", safe_flags(), NO_OPTIONS), machine) {
        (Ok(()), _) => Ok(()),
        (Err(Errno::PERM), Some(machine)) => attach(&machine, Path::new("/proc")),
        (Err(errno), _) => Err(errno).trying(|| "mount /proc in the image".to_owned()),
    }
}

/// A new `/sys` needs a network namespace of one's own; with the machine's it is the machine's.
fn mount_sys(machine: Option<OwnedFd>) -> Result<(), Failure> {
    let path = Path::new("/sys");
    match (mount("sysfs", path, "sysfs", safe_flags() | MountFlags::RDONLY, NO_OPTIONS), machine) {
        (Ok(()), _) => Ok(()),
        (Err(Errno::PERM), Some(machine)) => {
            attach(&machine, path)?;
            make_read_only(path)
        }
        (Err(errno), _) => Err(errno).trying(|| "mount /sys in the image".to_owned()),
    }
}

fn mount_dev(devices: Vec<(&'static str, OwnedFd)>, made: &mut Made) -> Result<(), Failure> {
    let step = |path: &'static str| move || format!("mount {path} in the image");
    mount("tmpfs", "/dev", "tmpfs", safe_flags(), Some(c"mode=755")).trying(step("/dev"))?;
    for (name, mount) in devices {
        let path = Path::new("/dev").join(name);
        made.file(&path)?;
        attach(&mount, &path)?;
    }
    made.directory(Path::new("/dev/shm"), 0o1777)?;
    mount("tmpfs", "/dev/shm", "tmpfs", safe_flags(), Some(c"mode=1777")).trying(step("/dev/shm"))?;
    made.directory(Path::new("/dev/pts"), 0o755)?;
    mount_pts().trying(step("/dev/pts"))?;
    for (target, link) in DEVICE_LINKS {
        symlink(target, link).trying(|| format!("make the link {link} in the image"))?;
    }
    Ok(())
}

/// Group 5 is `tty` by convention; a user namespace may have no such group.
fn mount_pts() -> Result<(), Errno> {
    let mount = |options| {
        mount("devpts", "/dev/pts", "devpts", MountFlags::NOSUID | MountFlags::NOEXEC, Some(options))
    };
    match mount(c"newinstance,ptmxmode=0666,mode=0620,gid=5") {
        Err(Errno::INVAL) => mount(c"newinstance,ptmxmode=0666,mode=0620"),
        result => result,
    }
}

fn attach_bind(bind: &Bind, mount: &OwnedFd, made: &mut Made) -> Result<(), Failure> {
    let step = || format!("mount {} in the image", bind.target.display());
    let is_directory = FileType::from_raw_mode(rustix::fs::fstat(mount).trying(step)?.st_mode).is_dir();
    let target = Path::new("/").join(&bind.target);
    if is_directory {
        made.directory(&target, 0o755)?;
    } else {
        made.directory(target.parent().unwrap_or(Path::new("/")), 0o755)?;
        made.file(&target)?;
    }
    made.mount_point(&target)?;
    attach(mount, &target)?;
    if bind.writable { Ok(()) } else { make_read_only(&target) }
}

/// The kernel refuses a change that would lose a restriction of the mount, so all of them are repeated.
fn make_read_only(path: &Path) -> Result<(), Failure> {
    let step = || format!("mount {} read-only", path.display());
    let now = statvfs(path).trying(step)?.f_flag;
    let kept = [
        (StatVfsMountFlags::NOSUID, MountFlags::NOSUID),
        (StatVfsMountFlags::NODEV, MountFlags::NODEV),
        (StatVfsMountFlags::NOEXEC, MountFlags::NOEXEC),
        (StatVfsMountFlags::NOATIME, MountFlags::NOATIME),
        (StatVfsMountFlags::NODIRATIME, MountFlags::NODIRATIME),
        (StatVfsMountFlags::RELATIME, MountFlags::RELATIME),
    ]
    .into_iter()
    .filter(|(flag, _)| now.contains(*flag))
    .fold(MountFlags::BIND | MountFlags::RDONLY, |flags, (_, flag)| flags | flag);
    mount_remount(path, kept, c"").trying(step)
}

fn hide(path: &str) -> io::Result<()> {
    let Ok(found) = stat(path) else { return Ok(()) };
    if FileType::from_raw_mode(found.st_mode).is_dir() {
        mount("tmpfs", path, "tmpfs", safe_flags() | MountFlags::RDONLY, NO_OPTIONS)?;
    } else {
        mount_bind("/dev/null", path)?;
    }
    Ok(())
}
