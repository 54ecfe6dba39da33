//! Python's `os.walk`.

use std::io;
use std::path::{Path, PathBuf};

/// Every file below `top` with its path below `top`: those of a folder sorted, then those of the folders in it, in
/// the file system's own order. Links to folders are not followed; what a link leads nowhere from is left out.
pub(super) fn walk(top: &Path, skip: &dyn Fn(&str) -> bool) -> io::Result<Vec<(PathBuf, PathBuf)>> {
    let mut found = Vec::new();
    // A stack of folders still to enter, the next one last: the same order as the recursion of `os.walk`.
    let mut folders = vec![PathBuf::new()];
    while let Some(relative) = folders.pop() {
        let mut files = Vec::new();
        let mut below = Vec::new();
        for entry in fs_err::read_dir(top.join(&relative))? {
            let entry = entry?;
            let file_type = entry.file_type()?;
            let path = relative.join(entry.file_name());
            if file_type.is_dir() {
                if !entry.file_name().to_str().is_some_and(skip) {
                    below.push(path);
                }
            } else if is_file(&entry.path(), file_type) {
                files.push(path);
            }
        }
        files.sort();
        found.extend(files.into_iter().map(|path| (top.join(&path), path)));
        folders.extend(below.into_iter().rev());
    }
    Ok(found)
}

/// Whether there is something to read, at the end of a link perhaps.
fn is_file(path: &Path, file_type: std::fs::FileType) -> bool {
    if !file_type.is_symlink() {
        return super::is_readable(file_type);
    }
    // A link that cannot be followed leads nowhere, which is what this function is asked.
    fs_err::metadata(path).is_ok_and(|target| !target.is_dir() && super::is_readable(target.file_type()))
}
