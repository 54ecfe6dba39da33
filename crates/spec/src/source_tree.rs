//! The files below a folder, as flytekit finds, leaves out and digests them for its tag.
//!
//! What is copied is told by [`sources`](crate::sources), which does what these rules mean.

mod docker_ignore;
mod git_ignore;
pub(crate) mod ignore;
mod walk;

use std::fs::FileType;
use std::os::unix::fs::FileTypeExt as _;
use std::path::{Component, Path, PathBuf};

use md5::{Digest as _, Md5};

use crate::{Field, SpecError};

use self::ignore::Ignore;
use self::walk::walk;

/// A file to be copied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SourceFile {
    /// Where it is.
    pub(crate) path: PathBuf,
    /// Where it is below its folder, with `/` between the parts.
    pub(crate) relative: String,
}

/// flytekit's `ls_files(root, ALL)`: the files below `root` that no ignore file names, sorted.
///
/// `root` is as the spec has it: flytekit compares the ignore files' patterns with paths below an absolute root,
/// but with paths *including* a relative one. Folders named `.git` are left out, links to folders not followed,
/// links to nothing and sockets left out.
pub(crate) fn source_files(root: &Path, directory: &Path) -> Result<Vec<SourceFile>, SpecError> {
    let field = Field::SourceRoot;
    let folder = directory.join(root);
    let error = |source| SpecError::file(field, root.to_owned(), source);
    if !fs_err::metadata(&folder).map_err(error)?.is_dir() {
        let source = std::io::Error::from(std::io::ErrorKind::NotADirectory);
        return Err(SpecError::file(field, root.to_owned(), source));
    }
    let ignore = Ignore::of(root, &folder).map_err(error)?;
    let mut files = Vec::new();
    for (path, relative) in walk(&folder, &|name| name == ".git").map_err(error)? {
        let relative = utf8(field, &path, &relative)?;
        let seen = if root.is_absolute() { relative.clone() } else { join(root, &relative) };
        if !ignore.is_ignored(&seen) {
            files.push(SourceFile { path, relative });
        }
    }
    files.sort_by(|left, right| left.relative.cmp(&right.relative));
    Ok(files)
}

/// Python's `os.path.join(root, relative)`.
fn join(root: &Path, relative: &str) -> String {
    let root = root.to_string_lossy();
    let separator = if root.ends_with('/') { "" } else { "/" };
    format!("{root}{separator}{relative}")
}

/// flytekit's digest of those of the loaded modules that are below `root`, in the order of their paths; one that is
/// loaded under two names counts twice.
pub(crate) fn modules_digest(
    root: &Path,
    modules: &[PathBuf],
    directory: &Path,
) -> Result<String, SpecError> {
    let mut files = module_files(root, modules, directory)?;
    files.sort_by(|left, right| left.path.as_os_str().cmp(right.path.as_os_str()));
    let mut hasher = Md5::new();
    for file in files {
        update(&mut hasher, Field::SourceRoot, &file.path, &file.relative)?;
    }
    Ok(hex::encode(hasher.finalize()))
}

/// Those of the loaded modules that are below `root`. What the ignore files name is among them, as in flytekit: what is
/// loaded is needed.
pub(crate) fn module_files(
    root: &Path,
    modules: &[PathBuf],
    directory: &Path,
) -> Result<Vec<SourceFile>, SpecError> {
    let root = normal(&directory.join(root));
    let file = |module: &PathBuf| {
        let path = directory.join(module);
        let relative = normal(&path).strip_prefix(&root).map(Path::to_owned).ok()?;
        Some(utf8(Field::SourceRoot, &path, &relative).map(|relative| SourceFile { path, relative }))
    };
    modules.iter().filter_map(file).collect()
}

/// Python's `os.path.normpath`.
fn normal(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => {
                normal.pop();
            }
            Component::CurDir => {}
            part => normal.push(part),
        }
    }
    normal
}

/// flytekit's digest of files: of the contents and, without separators, the relative path of each.
pub(crate) fn source_digest(root: &Path, directory: &Path) -> Result<String, SpecError> {
    let mut hasher = Md5::new();
    for file in source_files(root, directory)? {
        update(&mut hasher, Field::SourceRoot, &file.path, &file.relative)?;
    }
    Ok(hex::encode(hasher.finalize()))
}

/// flytekit's `compute_digest(paths)` of what is copied besides.
///
/// Folders are entered in the order in which the file system lists them, as flytekit does: where a copied folder
/// has several folders in it, its tag may differ between machines. A path that is not there is an error here.
pub(crate) fn copy_digest(paths: &[PathBuf], directory: &Path) -> Result<String, SpecError> {
    let field = Field::Copy;
    let mut hasher = Md5::new();
    for path in paths {
        let full = directory.join(path);
        let error = |source| SpecError::file(field, path.clone(), source);
        let metadata = fs_err::metadata(&full).map_err(error)?;
        if metadata.is_dir() {
            for file in folder_files(field, path, directory)? {
                update(&mut hasher, field, &file.path, &file.relative)?;
            }
        } else if is_readable(metadata.file_type()) {
            let name = path.file_name().map(PathBuf::from).unwrap_or_default();
            update(&mut hasher, field, &full, &utf8(field, path, &name)?)?;
        }
    }
    Ok(hex::encode(hasher.finalize()))
}

/// The files below the folder that the spec names `path`, in the order of flytekit's digest.
pub(crate) fn folder_files(
    field: Field,
    path: &Path,
    directory: &Path,
) -> Result<Vec<SourceFile>, SpecError> {
    let error = |source| SpecError::file(field, path.to_owned(), source);
    let found = walk(&directory.join(path), &|_| false).map_err(error)?;
    let file = |(path, relative): (PathBuf, PathBuf)| {
        Ok(SourceFile { relative: utf8(field, &path, &relative)?, path })
    };
    found.into_iter().map(file).collect()
}

/// Files of which there is something to read; a pipe would be waited for, without end.
fn is_readable(file_type: FileType) -> bool {
    !(file_type.is_socket() || file_type.is_fifo())
}

fn update(hasher: &mut Md5, field: Field, path: &Path, relative: &str) -> Result<(), SpecError> {
    read_chunks(path, |bytes| hasher.update(bytes)).map_err(|source| SpecError::File {
        field,
        path: path.to_owned(),
        source,
    })?;
    hasher.update(relative.replace('/', ""));
    Ok(())
}

/// Gives the file's bytes to `take`, some at a time.
pub(crate) fn read_chunks(path: &Path, mut take: impl FnMut(&[u8])) -> std::io::Result<()> {
    use std::io::Read as _;
    let mut file = fs_err::File::open(path)?;
    let mut buffer = vec![0; 64 * 1024];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(()),
            count => take(&buffer[..count]),
        }
    }
}

fn utf8(field: Field, path: &Path, relative: &Path) -> Result<String, SpecError> {
    let text = relative.to_str().ok_or_else(|| SpecError::FileName { field, path: path.to_owned() })?;
    Ok(text.to_owned())
}
