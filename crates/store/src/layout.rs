use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use fs_err::File;
use imagewright_oci::Digest;

use crate::StoreError;
use crate::error::Cause;
use crate::store::lock_exclusive;

/// The format of everything below the store's directory; FORMAT.md describes it.
pub(crate) const STORE_FORMAT: u32 = 1;

/// How long to wait for another process that makes the store, which takes milliseconds.
const MAKING_LIMIT: Duration = Duration::from_secs(20);

const FORMAT_PREFIX: &str = "imagewright store ";

/// Tells backup programs to leave the directory out (bford.info/cachedir).
const CACHEDIR_TAG: &str = "Signature: 8a477f597d28d172789f06886806bc55\n# made by imagewright\n";

/// Where things are below the store's directory.
#[derive(Clone, Debug)]
pub(crate) struct Layout {
    root: PathBuf,
}

impl Layout {
    /// The layout of the store at `root`; the directory and its marker are made if they are not there.
    pub(crate) fn open(root: &Path) -> Result<Self, StoreError> {
        if root.is_file() {
            return Err(StoreError::NotAStore { path: root.to_owned() });
        }
        fs_err::create_dir_all(root).map_err(StoreError::writing(root))?;
        let layout = Self { root: root.to_owned() };
        if layout.marker()?.as_deref() != Some(&marker_text()) {
            // Mostly a new store, which others may be making at the same time.
            let _alone = layout.making()?;
            match layout.marker()? {
                Some(text) => layout.check_marker(&text)?,
                None => layout.initialise()?,
            }
        }
        Ok(layout)
    }

    /// Excludes others from making the same store. It is the directory itself that is locked.
    pub(crate) fn making(&self) -> Result<File, StoreError> {
        let directory = File::open(&self.root).map_err(StoreError::reading(&self.root))?;
        lock_exclusive(&directory, MAKING_LIMIT)?;
        Ok(directory)
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    pub(crate) fn lock(&self) -> PathBuf {
        self.root.join("lock")
    }

    pub(crate) fn index(&self) -> PathBuf {
        self.root.join("index.db")
    }

    pub(crate) fn artifacts(&self) -> PathBuf {
        self.root.join("artifacts")
    }

    pub(crate) fn blobs(&self) -> PathBuf {
        self.root.join("blobs")
    }

    pub(crate) fn roots(&self) -> PathBuf {
        self.root.join("roots")
    }

    pub(crate) fn caches(&self) -> PathBuf {
        self.root.join("caches")
    }

    pub(crate) fn tools(&self) -> PathBuf {
        self.root.join("tools")
    }

    pub(crate) fn leases(&self) -> PathBuf {
        self.root.join("leases")
    }

    pub(crate) fn staging(&self) -> PathBuf {
        self.root.join("staging")
    }

    pub(crate) fn artifact(&self, digest: &Digest) -> PathBuf {
        self.artifacts().join(digest.hex())
    }

    pub(crate) fn plain_blob(&self, digest: &Digest) -> PathBuf {
        self.blobs().join(digest.hex())
    }

    pub(crate) fn spliced_blob(&self, digest: &Digest) -> PathBuf {
        self.blobs().join(format!("{}.spliced", digest.hex()))
    }

    /// The folder of an unpacked root; the tree itself is one level below, see [`Self::tree`].
    pub(crate) fn root_folder(&self, id: &Digest) -> PathBuf {
        self.roots().join(id.hex())
    }

    /// The tree in an unpacked root's folder.
    ///
    /// It is one level down, because only the owner of a directory with write permission on it may move it
    /// elsewhere, and an image may say otherwise of its own `/`.
    pub(crate) fn tree(folder: &Path) -> PathBuf {
        folder.join("tree")
    }

    pub(crate) fn lease(&self, key: &Digest) -> PathBuf {
        self.leases().join(key.hex())
    }

    fn marker(&self) -> Result<Option<String>, StoreError> {
        let path = self.root.join("format");
        match fs_err::read_to_string(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            result => result.map(Some).map_err(StoreError::reading(&path)),
        }
    }

    fn check_marker(&self, text: &str) -> Result<(), StoreError> {
        // A prefix is what a process leaves that is killed, or runs out of space, while it makes the store.
        if text != marker_text() && marker_text().starts_with(text) {
            return self.write_marker();
        }
        let path = self.root.clone();
        match text.strip_prefix(FORMAT_PREFIX).map(str::trim_end) {
            Some(found) if found == STORE_FORMAT.to_string() => Ok(()),
            Some(found) => {
                Err(StoreError::Version { path, found: found.to_owned(), supported: STORE_FORMAT })
            }
            None => Err(StoreError::NotAStore { path }),
        }
    }

    fn initialise(&self) -> Result<(), StoreError> {
        for entry in fs_err::read_dir(&self.root).map_err(StoreError::reading(&self.root))? {
            let entry = entry.map_err(StoreError::reading(&self.root))?;
            // `lost+found` is in the root of every fresh ext4 volume.
            if entry.file_name() != "lost+found" {
                return Err(StoreError::NotAStore { path: self.root.clone() });
            }
        }
        self.write_marker()
    }

    fn write_marker(&self) -> Result<(), StoreError> {
        for (name, text) in [("format", marker_text().as_str()), ("CACHEDIR.TAG", CACHEDIR_TAG)] {
            let path = self.root.join(name);
            fs_err::write(&path, text).map_err(StoreError::writing(&path))?;
        }
        for directory in [self.artifacts(), self.blobs(), self.roots(), self.leases(), self.staging()] {
            fs_err::create_dir_all(&directory).map_err(StoreError::writing(&directory))?;
        }
        Ok(())
    }
}

fn marker_text() -> String {
    format!("{FORMAT_PREFIX}{STORE_FORMAT}\n")
}

/// The error of a write to a store that is known to be read-only.
pub(crate) fn read_only(path: &Path, source: Option<Cause>) -> StoreError {
    StoreError::ReadOnly { path: path.to_owned(), source }
}
