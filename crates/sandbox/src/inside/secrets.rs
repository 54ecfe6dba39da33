//! Secrets of a run, as files that are in memory alone.

use std::io::Write as _;
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{Mode, OFlags, open};
use rustix::mount::{UnmountFlags, mount, unmount};

use super::mounts::{clone_of, safe_flags};
use crate::task::{Failure, Trying as _};
use crate::{Bind, SecretFile};

/// A directory of the run's own, which is covered for a moment.
const PLACE: &str = "/dev/shm";
/// Its owner may read it.
pub(super) const MODE: u32 = 0o400;

/// A mount of each secret, to be attached where it is to be seen.
///
/// They are files of a file system in memory of which nothing else is mounted anywhere, so they are gone with the last
/// process of the run.
pub(super) fn mounts(secrets: &[SecretFile]) -> Result<Vec<(Bind, OwnedFd)>, Failure> {
    if secrets.is_empty() {
        return Ok(Vec::new());
    }
    let step = || "make room for secrets".to_owned();
    mount("tmpfs", PLACE, "tmpfs", safe_flags(), Some(c"mode=700")).trying(step)?;
    let mounts = secrets.iter().enumerate().map(|(index, secret)| {
        let path = Path::new(PLACE).join(index.to_string());
        write(secret, &path)?;
        let bind = Bind { source: path, target: secret.target.clone(), writable: false };
        let mount = clone_of(&bind.source)?;
        Ok((bind, mount))
    });
    let mounts = mounts.collect::<Result<_, Failure>>();
    unmount(PLACE, UnmountFlags::DETACH).trying(step)?;
    mounts
}

/// Writes a secret to a file, which may be there.
pub(super) fn write(secret: &SecretFile, path: &Path) -> Result<(), Failure> {
    let step = || format!("put a secret at {}", secret.target.display());
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::TRUNC | OFlags::CLOEXEC;
    let file = open(path, flags, Mode::from_raw_mode(MODE)).trying(step)?;
    std::fs::File::from(file).write_all(&secret.content).trying(step)
}
