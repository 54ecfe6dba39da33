use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{
    CWD, FileType, Mode, OFlags, ResolveFlags, Stat, fstat, makedev, mknodat, open, openat2, stat,
};
use rustix::io::Errno;

use super::super::made::Made;
use super::super::mounts::resolver_files;
use super::super::secrets;
use super::mirror::{How, copy, mirror};
use crate::task::{Failure, Trying as _};
use crate::{Bind, RunRequest, SecretFile};

/// The devices that every program may expect, by their numbers.
const DEVICES: [(&str, u32, u32); 6] = [
    ("/dev/null", 1, 3),
    ("/dev/zero", 1, 5),
    ("/dev/full", 1, 7),
    ("/dev/random", 1, 8),
    ("/dev/urandom", 1, 9),
    ("/dev/tty", 5, 0),
];

const READ: OFlags = OFlags::RDONLY.union(OFlags::CLOEXEC);
const OVERWRITE: OFlags = OFlags::WRONLY.union(OFlags::TRUNC).union(OFlags::CLOEXEC);

/// Files of the machine, opened while its paths can still be seen and put into place when only the image's can.
#[derive(Debug)]
pub(in super::super) struct Places {
    files: Vec<(Bind, OwnedFd)>,
    secrets: Vec<SecretFile>,
}

impl Places {
    pub(in super::super) fn take(request: &RunRequest) -> Result<Self, Failure> {
        let binds = resolver_files(request.network).into_iter().chain(request.binds.iter().cloned());
        let taken = binds.map(|bind| {
            let file = open(&bind.source, READ, Mode::empty())
                .trying(|| format!("open {}", bind.source.display()))?;
            Ok((bind, file))
        });
        Ok(Self { files: taken.collect::<Result<_, Failure>>()?, secrets: request.secrets.clone() })
    }

    /// Puts everything into place in the root directory that this process has entered.
    pub(in super::super) fn put(self, made: &mut Made) -> Result<(), Failure> {
        for directory in ["/proc", "/sys", "/dev", "/dev/shm"] {
            made.directory(Path::new(directory), if directory == "/dev/shm" { 0o1777 } else { 0o755 })?;
            made.mount_point(Path::new(directory))?;
        }
        made.directory(Path::new("/tmp"), 0o1777)?;
        for (path, major, minor) in DEVICES {
            make_device(path, makedev(major, minor)).trying(|| format!("make the device {path}"))?;
        }
        self.files.into_iter().try_for_each(|(bind, file)| put(&bind, file, made))?;
        self.secrets.iter().try_for_each(|secret| put_secret(secret, made))
    }
}

fn make_device(path: &str, device: u64) -> Result<(), Errno> {
    if stat(path).is_ok_and(|found| found.st_rdev == device) {
        return Ok(());
    }
    match rustix::fs::unlink(path) {
        Ok(()) | Err(Errno::NOENT) => {}
        Err(errno) => return Err(errno),
    }
    mknodat(CWD, path, FileType::CharacterDevice, Mode::from_raw_mode(0o666), device)?;
    open(path, READ | OFlags::NOCTTY, Mode::empty()).map(drop).or_else(|errno| match errno {
        // There is no terminal.
        Errno::NXIO => Ok(()),
        errno => Err(errno),
    })
}

fn put(bind: &Bind, file: OwnedFd, made: &mut Made) -> Result<(), Failure> {
    let target = Path::new("/").join(&bind.target);
    let step = || format!("put {} into the image", target.display());
    let found = fstat(&file).trying(step)?;
    if is_directory(&found) {
        made.directory(&target, found.st_mode & 0o7777)?;
        let directory = open(&target, READ, Mode::empty()).trying(step)?;
        mirror(&file, &directory, if bind.writable { How::Linked } else { How::Copied }).trying(step)?;
    } else {
        made.directory(target.parent().unwrap_or(Path::new("/")), 0o755)?;
        made.file(&target)?;
        copy(file, open(&target, OVERWRITE, Mode::empty()).trying(step)?, &found).trying(step)?;
    }
    made.mount_point(&target)
}

fn put_secret(secret: &SecretFile, made: &mut Made) -> Result<(), Failure> {
    let target = Path::new("/").join(&secret.target);
    made.directory(target.parent().unwrap_or(Path::new("/")), 0o755)?;
    made.file(&target)?;
    let step = || format!("put a secret at {}", target.display());
    rustix::fs::chmod(&target, Mode::from_raw_mode(secrets::MODE)).trying(step)?;
    secrets::write(secret, &target)?;
    made.mount_point(&target)
}

/// Puts what the command wrote into the files and directories that it was given to write to.
pub(super) fn hand_back(request: &RunRequest, tree: &Path) -> Result<(), Failure> {
    let tree = open(tree, READ, Mode::empty()).trying(|| "open the root directory".to_owned())?;
    for bind in request.binds.iter().filter(|bind| bind.writable) {
        let step = || format!("hand back {}", bind.target.display());
        let inside = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
        let written = match openat2(&tree, &bind.target, READ, Mode::empty(), inside) {
            // The command has removed it.
            Err(Errno::NOENT | Errno::NOTDIR) => continue,
            written => written.trying(step)?,
        };
        let found = fstat(&written).trying(step)?;
        if is_directory(&found) {
            let source = open(&bind.source, READ, Mode::empty()).trying(step)?;
            mirror(&written, &source, How::Linked).trying(step)?;
        } else {
            let source = open(&bind.source, OVERWRITE, Mode::empty()).trying(step)?;
            copy(written, source, &found).trying(step)?;
        }
    }
    Ok(())
}

fn is_directory(found: &Stat) -> bool {
    FileType::from_raw_mode(found.st_mode).is_dir()
}
