use std::fs::TryLockError;
use std::io;
use std::ops::ControlFlow;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use fs_err::File;

use crate::StoreError;

/// A locked file that exists only as long as its holder; the kernel releases it when the holder dies.
#[derive(Debug)]
pub(crate) struct OwnedLock {
    path: PathBuf,
    _file: File,
}

impl OwnedLock {
    /// Makes and locks the file at `path`; nothing, when someone else holds it.
    pub(crate) fn try_acquire(path: &Path) -> io::Result<Option<Self>> {
        let options = File::options().read(true).write(true).create(true).truncate(false).clone();
        loop {
            let file = options.open(path)?;
            match file.file().try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Ok(None),
                Err(TryLockError::Error(error)) => return Err(error),
            }
            // The last holder removes the file, so the one that was opened may not be the one at `path` now.
            if is_at(&file, path)? {
                return Ok(Some(Self { path: path.to_owned(), _file: file }));
            }
        }
    }
}

impl Drop for OwnedLock {
    fn drop(&mut self) {
        // The file is removed while it is still locked. One that stays behind is unlocked, and so harmless.
        drop(fs_err::remove_file(&self.path));
    }
}

/// Calls `attempt` until it has a result, pausing longer and longer, while `waiting` agrees.
pub(crate) fn poll<T>(
    path: &Path,
    waiting: &mut dyn FnMut(Duration) -> ControlFlow<()>,
    mut attempt: impl FnMut() -> Result<Option<T>, StoreError>,
) -> Result<(T, Duration), StoreError> {
    let mut waited = Duration::ZERO;
    let mut pause = Duration::from_millis(2);
    loop {
        if let Some(result) = attempt()? {
            return Ok((result, waited));
        }
        if waiting(waited).is_break() {
            return Err(StoreError::Cancelled { path: path.to_owned() });
        }
        thread::sleep(pause);
        waited += pause;
        pause = (pause * 2).min(Duration::from_millis(50));
    }
}

fn is_at(file: &File, path: &Path) -> io::Result<bool> {
    let opened = file.metadata()?;
    match fs_err::metadata(path) {
        Ok(named) => Ok((named.dev(), named.ino()) == (opened.dev(), opened.ino())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_holder_at_a_time_and_no_file_afterwards() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let held = OwnedLock::try_acquire(&path).unwrap();
        assert!(held.is_some());
        assert!(OwnedLock::try_acquire(&path).unwrap().is_none());
        drop(held);
        assert!(!path.exists());
        assert!(OwnedLock::try_acquire(&path).unwrap().is_some());
    }
}
