//! What has no final name yet: beside its target, and gone unless it gets one.
//!
//! Whoever makes one of these holds its lock. One that nobody holds belongs to a dead process, and is removed by the
//! next one that works in the same directory.

use std::ffi::OsStr;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use fs_err::File;
use tempfile::{Builder, TempDir, TempPath};

use super::error::SinkError;

const PREFIX: &str = ".imagewright-";
/// Less the bits that the process keeps from all its files.
const MODE: u32 = 0o666;

/// Whether a file can be written there.
pub(super) fn check(path: &Path) -> Result<(), SinkError> {
    let wrong = |source: io::Error| Err(SinkError::Target { path: path.to_owned(), source });
    if path.is_dir() {
        return wrong(io::ErrorKind::IsADirectory.into());
    }
    match fs_err::metadata(parent(path)) {
        Ok(there) if there.is_dir() => Ok(()),
        Ok(_) => wrong(io::ErrorKind::NotADirectory.into()),
        Err(error) => wrong(error),
    }
}

/// Whether something is there that is no file: a pipe, a terminal, a device.
pub(super) fn is_special(path: &Path) -> bool {
    fs_err::metadata(path).is_ok_and(|there| !there.is_file())
}

/// Whether something with this name is without its final name.
pub(super) fn is_staged(name: &OsStr) -> bool {
    name.as_encoded_bytes().starts_with(PREFIX.as_bytes())
}

/// A file without its final name.
#[derive(Debug)]
pub(super) struct StagedFile {
    path: TempPath,
    target: PathBuf,
}

impl StagedFile {
    /// A file beside `target`, and what to write it with.
    pub(super) fn beside(target: &Path) -> io::Result<(Self, File)> {
        // A link stays what it is.
        let target = fs_err::canonicalize(target).unwrap_or_else(|_| target.to_owned());
        sweep(parent(&target))?;
        loop {
            let mut builder = Builder::new();
            builder.prefix(PREFIX).permissions(std::fs::Permissions::from_mode(MODE));
            let (file, path) = builder.tempfile_in(parent(&target))?.into_parts();
            if is_held(&file, &path)? {
                let file = File::from_parts(file, path.to_path_buf());
                return Ok((Self { path, target }, file));
            }
        }
    }

    /// Gives the file its final name; its content is on the disk.
    pub(super) fn publish(self) -> io::Result<()> {
        let parent = parent(&self.target).to_owned();
        self.path.persist(&self.target).map_err(|error| error.error)?;
        File::open(parent)?.sync_all()
    }
}

/// A directory that never gets a name.
#[derive(Debug)]
pub(super) struct StagedFolder {
    folder: TempDir,
    _held: std::fs::File,
}

impl StagedFolder {
    /// A directory in `parent`, which is made if it is missing.
    pub(super) fn inside(parent: &Path) -> io::Result<Self> {
        fs_err::create_dir_all(parent)?;
        sweep(parent)?;
        loop {
            let folder = Builder::new().prefix(PREFIX).tempdir_in(parent)?;
            let held = File::open(folder.path())?.into_parts().0;
            if is_held(&held, folder.path())? {
                return Ok(Self { folder, _held: held });
            }
        }
    }

    pub(super) fn path(&self) -> &Path {
        self.folder.path()
    }
}

/// Takes the lock of what was just made; false if another process has taken it for a dead one's.
fn is_held(file: &std::fs::File, path: &Path) -> io::Result<bool> {
    match file.try_lock() {
        Ok(()) => Ok(path.exists()),
        Err(std::fs::TryLockError::WouldBlock) => Ok(false),
        // Without locks nothing is swept either.
        Err(std::fs::TryLockError::Error(error)) if error.kind() == io::ErrorKind::Unsupported => Ok(true),
        Err(std::fs::TryLockError::Error(error)) => Err(error),
    }
}

/// Removes what dead processes left.
fn sweep(directory: &Path) -> io::Result<()> {
    for entry in fs_err::read_dir(directory)? {
        let entry = entry?;
        if !is_staged(&entry.file_name()) {
            continue;
        }
        let path = entry.path();
        // What cannot be opened, locked or removed is somebody else's, or gone by now.
        let Ok(file) = File::open(&path) else { continue };
        if file.file().try_lock().is_ok() {
            drop(if path.is_dir() { fs_err::remove_dir_all(&path) } else { fs_err::remove_file(&path) });
        }
    }
    Ok(())
}

fn parent(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_has_its_name_when_it_is_whole_and_dead_ones_are_swept() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("image.tar");
        let dead = folder.path().join(format!("{PREFIX}dead"));
        fs_err::write(&dead, "half").unwrap();
        fs_err::create_dir_all(folder.path().join(format!("{PREFIX}folder/below"))).unwrap();
        let names = || {
            let entries = fs_err::read_dir(folder.path()).unwrap();
            let mut names: Vec<String> =
                entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
            names.sort();
            names
        };
        let (staged, file) = StagedFile::beside(&target).unwrap();
        assert_eq!(names().len(), 1, "{:?}", names());
        // Another one leaves this one alone.
        let (other, _) = StagedFile::beside(&target).unwrap();
        assert_eq!(names().len(), 2, "{:?}", names());
        drop(other);
        drop(file);
        staged.publish().unwrap();
        assert_eq!(names(), ["image.tar"]);
        let (given_up, _) = StagedFile::beside(&target).unwrap();
        drop(given_up);
        assert_eq!(names(), ["image.tar"]);
    }
}
