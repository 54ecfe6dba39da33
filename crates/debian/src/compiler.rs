use std::fs::Permissions;
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use fs_err::os::unix::fs::{OpenOptionsExt as _, symlink};
use imagewright_layer::{TreeEntry, TreeKind};
use imagewright_pypa::PythonMinor;

use crate::{Architecture, DebianError, UnpackedPackage};

/// The interpreter of a suite, unpacked to a folder and started through its own loader and C library, so that it
/// runs on any Linux of its architecture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Compiler {
    root: PathBuf,
    architecture: Architecture,
    python: PythonMinor,
}

impl Compiler {
    /// The compiler that was unpacked to `root`.
    pub fn new(root: &Path, architecture: Architecture, python: PythonMinor) -> Self {
        Self { root: root.to_owned(), architecture, python }
    }

    /// Unpacks the packages of [`crate::Archive::compiler`] to an existing, empty folder and adds the script.
    ///
    /// The folder may be renamed afterwards: nothing in it knows where it is. Absolute links are made relative, so
    /// that no file of the host is ever taken for one of the interpreter's.
    pub fn unpack(self, packages: Vec<UnpackedPackage>) -> Result<Self, DebianError> {
        let write = || {
            write_entries(&self.root, packages.into_iter().flat_map(|package| package.entries))?;
            self.write_script()
        };
        write().map_err(|source| DebianError::Write { source })?;
        Ok(self)
    }

    /// A script that starts the interpreter, for programs that want the path of one; it needs `/bin/sh`.
    pub fn script(&self) -> PathBuf {
        self.root.join("python")
    }

    /// The program and the first arguments that start the interpreter; the interpreter's own arguments follow.
    ///
    /// Whoever starts it clears the environment, so that no variable of the host moves its library.
    pub fn command(&self) -> Vec<PathBuf> {
        let python = format!("usr/bin/python{}", self.python);
        vec![
            self.root.join(self.architecture.loader()),
            "--library-path".into(),
            self.root.join(format!("usr/lib/{}", self.architecture.multiarch())),
            self.root.join(python),
        ]
    }

    fn write_script(&self) -> io::Result<()> {
        let (loader, folder) = (self.architecture.loader(), self.architecture.multiarch());
        let text = format!(
            "#!/bin/sh\nroot=${{0%/*}}\nexec \"$root/{loader}\" --library-path \"$root/usr/lib/{folder}\" \
             \"$root/usr/bin/python{}\" \"$@\"\n",
            self.python
        );
        write_file(&self.script(), 0o755, &mut text.as_bytes())
    }
}

/// Writes entries to a folder, as a program of this machine that is unpacked there; owners are this process's.
///
/// A directory may come several times; absolute links lead to places in the folder.
pub fn write_entries(root: &Path, entries: impl IntoIterator<Item = TreeEntry>) -> io::Result<()> {
    entries.into_iter().try_for_each(|entry| write_entry(root, entry))
}

fn write_entry(root: &Path, entry: TreeEntry) -> io::Result<()> {
    let place = root.join(entry.path.as_str());
    if let Some(folder) = place.parent() {
        fs_err::create_dir_all(folder)?;
    }
    match entry.kind {
        TreeKind::Directory => fs_err::create_dir_all(place),
        TreeKind::File { content, .. } => write_file(&place, entry.mode, &mut content.into_reader()?),
        TreeKind::Symlink { target } => {
            symlink(inside(entry.path.as_str(), &target.to_string_lossy()), place)
        }
        TreeKind::Hardlink { target } => fs_err::hard_link(root.join(target.as_str()), place),
        _ => Err(io::Error::new(
            io::ErrorKind::Unsupported,
            format!("{}: not a kind that packages have", entry.path),
        )),
    }
}

fn write_file(place: &Path, mode: u32, content: &mut dyn Read) -> io::Result<()> {
    let mut options = fs_err::OpenOptions::new();
    let mut file = options.write(true).create_new(true).mode(mode | 0o600).open(place)?;
    io::copy(content, &mut file)?;
    // The mode of creation is cut by the umask.
    file.set_permissions(Permissions::from_mode(mode & 0o755 | 0o600))
}

/// The target of a link at `path` as it is written in the folder: an absolute one goes up to the root first.
fn inside(path: &str, target: &str) -> String {
    match target.strip_prefix('/') {
        Some(target) => "../".repeat(path.matches('/').count()) + &through_usr(target),
        None => target.to_owned(),
    }
}

/// The folder has no links from `/lib` to `/usr/lib`.
fn through_usr(target: &str) -> String {
    match target.split('/').next() {
        Some("bin" | "sbin" | "lib" | "lib64") => format!("usr/{target}"),
        _ => target.to_owned(),
    }
}
