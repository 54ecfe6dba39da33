use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use crate::StoreError;

/// Removes a file or a whole tree; what is not there is removed already. Gives back what could not be removed.
///
/// Directories without write permission are made writable first. Symbolic links are never followed and other file
/// systems never entered: a mount that was left in an unpacked root must not take the host's files with it.
pub(crate) fn remove_tree(path: &Path) -> Result<Vec<PathBuf>, StoreError> {
    let mut left = Vec::new();
    match fs_err::symlink_metadata(path) {
        Ok(metadata) => remove(path, &metadata, metadata.dev(), &mut left)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(StoreError::reading(path)(error)),
    }
    Ok(left)
}

fn remove(
    path: &Path,
    metadata: &std::fs::Metadata,
    device: u64,
    left: &mut Vec<PathBuf>,
) -> Result<(), StoreError> {
    if metadata.dev() != device {
        left.push(path.to_owned());
        return Ok(());
    }
    if !metadata.is_dir() {
        return settle(path, fs_err::remove_file(path), left);
    }
    if metadata.permissions().mode() & 0o700 != 0o700 {
        // Fails for directories of another user, which then show up in `left`.
        drop(fs_err::set_permissions(path, std::fs::Permissions::from_mode(0o700)));
    }
    match fs_err::read_dir(path) {
        Ok(entries) => {
            for entry in entries {
                let entry = entry.map_err(StoreError::reading(path))?;
                let metadata = fs_err::symlink_metadata(entry.path());
                match metadata {
                    Ok(metadata) => remove(&entry.path(), &metadata, device, left)?,
                    Err(error) => settle(&entry.path(), Err(error), left)?,
                }
            }
            settle(path, fs_err::remove_dir(path), left)
        }
        Err(error) => settle(path, Err(error), left),
    }
}

/// Sorts the outcome of one removal: gone, left behind, or an error that stops everything.
fn settle(path: &Path, result: io::Result<()>, left: &mut Vec<PathBuf>) -> Result<(), StoreError> {
    match result {
        Ok(()) => Ok(()),
        Err(error) => match error.kind() {
            io::ErrorKind::NotFound => Ok(()),
            io::ErrorKind::PermissionDenied
            | io::ErrorKind::ResourceBusy
            | io::ErrorKind::DirectoryNotEmpty => {
                left.push(path.to_owned());
                Ok(())
            }
            _ => Err(StoreError::writing(path)(error)),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copes_with_read_only_directories_and_does_not_follow_links() {
        let folder = tempfile::tempdir().unwrap();
        let outside = folder.path().join("outside");
        fs_err::create_dir(&outside).unwrap();
        fs_err::write(outside.join("kept"), "x").unwrap();
        let tree = folder.path().join("tree");
        fs_err::create_dir_all(tree.join("a/b")).unwrap();
        fs_err::write(tree.join("a/b/file"), "x").unwrap();
        std::os::unix::fs::symlink(&outside, tree.join("a/link")).unwrap();
        for directory in ["a/b", "a"] {
            fs_err::set_permissions(tree.join(directory), std::fs::Permissions::from_mode(0o555)).unwrap();
        }
        assert_eq!(remove_tree(&tree).unwrap(), Vec::<PathBuf>::new());
        assert!(!tree.exists());
        assert!(outside.join("kept").exists());
        assert_eq!(remove_tree(&tree).unwrap(), Vec::<PathBuf>::new());
    }
}
