use std::collections::BTreeSet;
use std::fmt;

use fs_err::File;
use imagewright_oci::{Digest, HashingReader};

use crate::check::{CheckReport, Finding};
use crate::index::{Access, ArtifactRow, Forgotten, Index};
use crate::inventory::entries;
use crate::layout::Layout;
use crate::remove::remove_tree;
use crate::stage::Kind;
use crate::{Store, StoreError};

/// What became of an index that was no readable database any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IndexRebuilt {
    /// How many artifacts were sound, and stay.
    pub artifacts: usize,
}

impl Store {
    /// What was lost when this store was opened: its index was damaged, and replaced.
    pub fn index_rebuilt(&self) -> Option<IndexRebuilt> {
        self.inner.index_rebuilt
    }

    /// Drops what a check found to be wrong; it will be made or fetched again when it is needed.
    pub fn repair(&self, report: &CheckReport) -> Result<(), StoreError> {
        self.exclusively(|| {
            if report.findings.iter().any(|finding| matches!(finding, Finding::Index { .. })) {
                self.inner.index.rebuild()?;
                return adopt_artifacts(&self.inner.layout, &self.inner.index, self.now()).map(drop);
            }
            let mut forgotten = Forgotten { damaged: report.damaged.clone(), ..Forgotten::default() };
            for finding in &report.findings {
                forgotten.take(finding);
            }
            self.inner.index.forget(&forgotten, true)?;
            self.remove_forgotten(&forgotten)
        })
    }

    pub(crate) fn remove_forgotten(&self, forgotten: &Forgotten) -> Result<(), StoreError> {
        let layout = &self.inner.layout;
        let artifacts = forgotten.artifacts.iter().map(|digest| layout.artifact(digest));
        let blobs = forgotten
            .blobs
            .iter()
            .flat_map(|digest| [layout.plain_blob(digest), layout.spliced_blob(digest)]);
        let roots = forgotten.roots.iter().map(|id| layout.root_folder(id));
        for path in artifacts.chain(blobs).chain(roots) {
            // What cannot be removed has no row any more, so `prune` finds it and says so.
            drop(remove_tree(&path)?);
        }
        Ok(())
    }
}

impl Forgotten {
    fn take(&mut self, finding: &Finding) {
        match finding {
            Finding::File { kind, digest, .. } => _ = self.of(*kind).insert(*digest),
            Finding::SegmentWithoutArtifact { blob, .. } => _ = self.blobs.insert(*blob),
            Finding::LayerWithoutBlob { key, .. } => _ = self.layers.insert(key.0),
            Finding::Row { .. } | Finding::Index { .. } => {}
        }
    }

    fn of(&mut self, kind: Kind) -> &mut BTreeSet<Digest> {
        match kind {
            Kind::Artifact => &mut self.artifacts,
            Kind::Blob => &mut self.blobs,
            Kind::Root => &mut self.roots,
        }
    }
}

/// Opens the index; one that is no database any more is replaced, because all that it says can be found again.
///
/// The caller has excluded every other process.
pub(crate) fn open_or_rebuild(
    layout: &Layout,
    access: Access,
    now: u64,
) -> Result<(Index, Option<IndexRebuilt>), StoreError> {
    match Index::open(&layout.index(), access) {
        Err(StoreError::IndexDamaged { .. }) if access == Access::ReadWrite => {
            Index::remove(&layout.index())?;
            let index = Index::open(&layout.index(), access)?;
            let artifacts = adopt_artifacts(layout, &index, now)?;
            Ok((index, Some(IndexRebuilt { artifacts })))
        }
        result => Ok((result?, None)),
    }
}

/// Records the artifacts that are what their names say, so that a lost index does not mean to fetch all again. Gives
/// back how many they are.
fn adopt_artifacts(layout: &Layout, index: &Index, now: u64) -> Result<usize, StoreError> {
    let mut adopted = 0;
    for entry in entries(&layout.artifacts())? {
        let Ok(digest) = Digest::from_hex(&entry.name) else { continue };
        let reading = || StoreError::reading(&entry.path);
        let mut reader = HashingReader::new(File::open(&entry.path).map_err(reading())?);
        std::io::copy(&mut reader, &mut std::io::sink()).map_err(reading())?;
        let (actual, size) = reader.finish();
        if actual == digest {
            index.put_artifact(&ArtifactRow { digest, size, file_name: entry.name, used: now })?;
            adopted += 1;
        }
    }
    Ok(adopted)
}

impl fmt::Display for IndexRebuilt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the store's index was damaged and is made anew: downloads are kept ({}); which layers and images \
             were made, and what their builds had pinned, is forgotten",
            self.artifacts
        )
    }
}
