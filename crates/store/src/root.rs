use std::path::{Path, PathBuf};

use imagewright_oci::Digest;

use crate::index::UsedTable;
use crate::layout::Layout;
use crate::stage::{Kind, Stage};
use crate::staging::StagedDirectory;
use crate::{Store, StoreError};

/// A root file system that is being unpacked; it goes away unless it is committed.
#[derive(Debug)]
pub struct RootStaging {
    store: Store,
    id: Digest,
    staged: StagedDirectory,
    tree: PathBuf,
}

impl Store {
    /// The unpacked root with this id, mostly a layer's diff id.
    pub fn root(&self, id: &Digest) -> Result<Option<PathBuf>, StoreError> {
        let Some(used) = self.inner.index.root(id)? else { return Ok(None) };
        let tree = Layout::tree(&self.inner.layout.root_folder(id));
        if !has_tree(&self.inner.layout.root_folder(id)) {
            return Ok(None);
        }
        self.inner.note_use(UsedTable::Roots, id, used);
        Ok(Some(tree))
    }

    /// Begins a root: an empty directory to unpack into. Who owns what in it is the caller's concern.
    pub fn begin_root(&self, id: &Digest) -> Result<RootStaging, StoreError> {
        self.inner.writable()?;
        let staged = self.inner.staging.directory()?;
        let tree = Layout::tree(staged.path());
        fs_err::create_dir(&tree).map_err(StoreError::writing(&tree))?;
        Ok(RootStaging { store: self.clone(), id: *id, staged, tree })
    }
}

impl RootStaging {
    /// The directory to unpack into. It moves at [`Self::commit`].
    pub fn path(&self) -> &Path {
        &self.tree
    }

    /// Keeps the tree, unless the store has one with this id already; gives back where it is from now on.
    pub fn commit(self) -> Result<PathBuf, StoreError> {
        let Self { store, id, staged, .. } = self;
        let folder = store.inner.layout.root_folder(&id);
        staged.publish(&folder, has_tree)?;
        store.inner.index.put_root(&id, store.inner.options.now)?;
        store.inner.see(Stage::Recorded(Kind::Root));
        Ok(Layout::tree(&folder))
    }
}

/// Whether a root's folder has its tree; it gets its name only when it is complete.
pub(crate) fn has_tree(folder: &Path) -> bool {
    fs_err::symlink_metadata(Layout::tree(folder)).is_ok_and(|metadata| metadata.is_dir())
}
