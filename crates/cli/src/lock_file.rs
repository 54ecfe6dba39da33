//! The lock file beside a spec: where it is, and how it is read and written.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use imagewright_build::{BuildError, GivenLock};
use imagewright_lock::{Lock, LockError};

use crate::failure::Failure;
use crate::spec_request::STDIN;

/// `image.lock` for `image.yaml`; nothing is beside standard input.
pub(crate) fn beside(spec: &Path) -> Option<PathBuf> {
    (spec != Path::new(STDIN)).then(|| spec.with_extension("lock"))
}

/// The lock to start from: the one that was named, else the one beside the spec, if there is one.
pub(crate) fn find(named: Option<&Path>, spec: &Path) -> Result<Option<GivenLock>, Failure> {
    match (named, beside(spec)) {
        (Some(path), _) => read(path).map(Some),
        (None, Some(path)) => read_if_there(&path),
        (None, None) => Ok(None),
    }
}

/// The lock in a file, when there is such a file.
pub(crate) fn read_if_there(path: &Path) -> Result<Option<GivenLock>, Failure> {
    match read(path) {
        Err(Failure::File(error)) if error.kind() == ErrorKind::NotFound => Ok(None),
        other => other.map(Some),
    }
}

/// The same, for whoever can do without the lock: `told` hears of one that cannot be understood, which then counts as
/// none.
pub(crate) fn read_unless_damaged(
    path: &Path,
    told: impl FnOnce(&LockError),
) -> Result<Option<GivenLock>, Failure> {
    match read_if_there(path) {
        Err(Failure::Build(BuildError::Lock(
            error @ (LockError::Malformed { .. } | LockError::OtherVersion { .. }),
        ))) => {
            told(&error);
            Ok(None)
        }
        other => other,
    }
}

fn read(path: &Path) -> Result<GivenLock, Failure> {
    let place = path.display().to_string();
    // What is no UTF-8 is no lock either, and is refused as such.
    let text = String::from_utf8_lossy(&fs_err::read(path)?).into_owned();
    let lock = Lock::parse(&text, &place)?;
    Ok(GivenLock { lock, place })
}

/// Fails if no file can be made at `path`, before there is any work.
pub(crate) fn check_place(path: &Path) -> Result<(), Failure> {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() && !folder.is_dir() => Err(Failure::Arguments {
            message: format!("{} cannot be written: {} is no directory", path.display(), folder.display()),
            hint: None,
        }),
        _ => Ok(()),
    }
}

/// Writes a lock; whoever reads the file meanwhile sees the old one or the new one.
pub(crate) fn write(path: &Path, lock: &Lock) -> Result<(), Failure> {
    let mut partial = path.as_os_str().to_owned();
    partial.push(".partial");
    fs_err::write(&partial, lock.to_text())?;
    Ok(fs_err::rename(&partial, path)?)
}
