use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};

use imagewright_oci::Digest;
use imagewright_store::{Lease, Store};

use super::Address;
use crate::LockError;
use crate::lease::lease;
use crate::wheel_build::SourceError;

/// The store's copy of a repository. Nobody else has it meanwhile.
#[derive(Debug)]
pub(super) struct RepositoryCopy {
    /// The folder of all copies.
    pub(super) folder: PathBuf,
    /// The copy.
    pub(super) path: PathBuf,
    _lease: Lease,
}

impl RepositoryCopy {
    /// Waits for the copy of the repository at `address`, which may be nothing yet.
    pub(super) async fn take(store: &Store, address: &Address) -> Result<Self, LockError> {
        let lease = lease(store, Digest::of(format!("git {address}").as_bytes())).await?;
        let folder = store.cache("git")?;
        let path = folder.join(Digest::of(address.as_str().as_bytes()).hex());
        let files = |source| SourceError::Files { source_name: address.to_string(), source };
        release(&path).map_err(files)?;
        Ok(Self { folder, path, _lease: lease })
    }
}

/// Removes what a git that was killed has left of its own locks, over which each later one would stumble.
fn release(copy: &Path) -> io::Result<()> {
    remove_locks(copy, false)?;
    remove_locks(&copy.join("refs"), true)
}

fn remove_locks(folder: &Path, is_deep: bool) -> io::Result<()> {
    let entries = match fs_err::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let (entry, path) = entry.map(|entry| (entry.file_type(), entry.path()))?;
        if entry?.is_dir() {
            if is_deep {
                remove_locks(&path, true)?;
            }
        } else if path.extension() == Some(OsStr::new("lock")) {
            fs_err::remove_file(path)?;
        }
    }
    Ok(())
}
