//! The lock file beside a spec: where it is, and how it is read and written.

use std::path::{Path, PathBuf};

use imagewright_build::GivenLock;
use imagewright_lock::Lock;

use crate::failure::Failure;

/// `image.lock` for `image.yaml`.
pub(crate) fn beside(spec: &Path) -> PathBuf {
    spec.with_extension("lock")
}

/// The lock to start from: the one that was named, else the one beside the spec, if there is one.
pub(crate) fn find(named: Option<&Path>, spec: &Path) -> Result<Option<GivenLock>, Failure> {
    match named {
        Some(path) => read(path).map(Some),
        None => read_if_there(&beside(spec)),
    }
}

/// The lock in a file, when there is such a file.
pub(crate) fn read_if_there(path: &Path) -> Result<Option<GivenLock>, Failure> {
    if path.is_file() { read(path).map(Some) } else { Ok(None) }
}

fn read(path: &Path) -> Result<GivenLock, Failure> {
    let place = path.display().to_string();
    let lock = Lock::parse(&fs_err::read_to_string(path)?, &place)?;
    Ok(GivenLock { lock, place })
}

/// Writes a lock; whoever reads the file meanwhile sees the old one or the new one.
pub(crate) fn write(path: &Path, lock: &Lock) -> Result<(), Failure> {
    let mut partial = path.as_os_str().to_owned();
    partial.push(".partial");
    fs_err::write(&partial, lock.to_text())?;
    Ok(fs_err::rename(&partial, path)?)
}
