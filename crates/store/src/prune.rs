use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};

use imagewright_oci::Digest;

use crate::index::{Census, Forgotten, KnownNames};
use crate::inventory::{Entry, Tally, entries};
use crate::layout::Layout;
use crate::remove::remove_tree;
use crate::stage::Stage;
use crate::{Store, StoreError};

/// What may stay in a store.
///
/// What belongs to nothing goes in any case; the default keeps everything else. What somebody has the lease of
/// stays in any case.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PrunePolicy {
    /// Removes what was used longest ago until the rest is at most this large, in bytes.
    pub max_bytes: Option<u64>,
    /// Removes what was last used longer ago than this, in seconds.
    pub older_than: Option<u64>,
    /// Removes everything.
    pub all: bool,
}

/// What a pruning removed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PruneReport {
    /// Inputs.
    pub artifacts: Tally,
    /// Layers and other blobs.
    pub blobs: Tally,
    /// Unpacked roots.
    pub roots: Tally,
    /// Programs that imagewright had installed for itself.
    pub tools: Tally,
    /// What other programs kept for themselves.
    pub caches: Tally,
    /// Files that belonged to nothing.
    pub garbage: Tally,
    /// The files and folders that could not be removed whole: they have files of other users, or mounts, in them.
    /// The store does not know them any more; a pruning that may remove them does.
    pub left_behind: Vec<PathBuf>,
}

/// Ends the name of a folder that is being removed.
const GONE: &str = "gone";

/// Something that can be removed, in the order in which it is: used longest ago first, and of the same age
/// blobs before the artifacts they are made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Candidate {
    used: u64,
    rank: Rank,
    digest: Digest,
    bytes: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    Blob,
    Root,
    Artifact,
}

impl PruneReport {
    /// Everything that was removed, in bytes.
    pub fn total(&self) -> u64 {
        let tallies = [self.artifacts, self.blobs, self.roots, self.tools, self.caches, self.garbage];
        tallies.iter().map(|tally| tally.bytes).sum()
    }

    /// Removes the files whose rows are gone, or that never had any.
    fn removing(names: &KnownNames, evicted: &Forgotten, files: &Files) -> Result<Self, StoreError> {
        type Column = fn(&mut PruneReport) -> &mut Tally;
        let mut report = Self::default();
        for (files, known, gone, tally) in [
            (
                &files.artifacts,
                &names.artifacts,
                &evicted.artifacts,
                (|report| &mut report.artifacts) as Column,
            ),
            (&files.blobs, &names.blobs, &evicted.blobs, |report| &mut report.blobs),
            (&files.roots, &names.roots, &evicted.roots, |report| &mut report.roots),
        ] {
            for entry in files {
                let digest = Digest::from_hex(entry.name.trim_end_matches(".spliced")).ok();
                if !known.contains(&entry.name) {
                    report.remove(entry, |report| &mut report.garbage)?;
                } else if digest.is_some_and(|digest| gone.contains(&digest)) {
                    report.remove(entry, tally)?;
                }
            }
        }
        for entry in &files.tools {
            report.remove(entry, |report| &mut report.tools)?;
        }
        for entry in &files.caches {
            report.remove(entry, |report| &mut report.caches)?;
        }
        Ok(report)
    }

    fn remove(&mut self, entry: &Entry, tally: fn(&mut Self) -> &mut Tally) -> Result<(), StoreError> {
        let Some(path) = out_of_the_way(&entry.path)? else {
            self.left_behind.push(entry.path.clone());
            return Ok(());
        };
        if remove_tree(&path)?.is_empty() {
            tally(self).add(entry.bytes);
        } else {
            self.left_behind.push(path);
        }
        Ok(())
    }
}

impl Store {
    /// Removes what `policy` does not let stay, while no other process uses the store.
    ///
    /// The age of things is taken at the time the store was opened with. Layers whose bytes go to make
    /// room stay known: a registry may have them. Waits for other processes as long as the store's options say;
    /// that this process does nothing else with the store meanwhile is the caller's concern.
    pub fn prune(&self, policy: &PrunePolicy) -> Result<PruneReport, StoreError> {
        match self.inner.record_uses() {
            // Pruning is what helps then; without the last uses it is a little less exact.
            Ok(()) | Err(StoreError::Full { .. }) => {}
            Err(error) => return Err(error),
        }
        self.exclusively(|| {
            let unfinished = self.inner.staging.sweep()?;
            let census = self.inner.index.census()?;
            let names = census.names();
            let files = Files::list(&self.inner.layout, policy)?;
            let evicted = self.choose(policy, &census, &files)?;
            let mut report = self.forget_then_remove(policy, &names, &evicted, &files)?;
            report.left_behind.extend(unfinished);
            Ok(report)
        })
    }

    /// The rows first: a file without a row is garbage at any time, a row without its file is damage.
    fn forget_then_remove(
        &self,
        policy: &PrunePolicy,
        names: &KnownNames,
        evicted: &Forgotten,
        files: &Files,
    ) -> Result<PruneReport, StoreError> {
        match self.forget(policy, evicted) {
            Ok(()) => {
                self.inner.see(Stage::Forgotten);
                let report = PruneReport::removing(names, evicted, files)?;
                self.inner.see(Stage::Removed);
                Ok(report)
            }
            // On a full disk the index cannot even note that something goes, until something has gone.
            Err(StoreError::Full { .. }) => {
                let report = PruneReport::removing(names, evicted, files)?;
                self.forget(policy, evicted)?;
                Ok(report)
            }
            Err(error) => Err(error),
        }
    }

    fn forget(&self, policy: &PrunePolicy, evicted: &Forgotten) -> Result<(), StoreError> {
        let index = &self.inner.index;
        index.forget(evicted, policy.all)?;
        if policy.all {
            index.forget_knowledge(i64::MAX.cast_unsigned())?;
            return index.shrink();
        }
        match policy.older_than {
            Some(age) => index.forget_knowledge(self.now().saturating_sub(age)),
            None => Ok(()),
        }
    }

    /// Which rows have to go.
    fn choose(&self, policy: &PrunePolicy, census: &Census, files: &Files) -> Result<Forgotten, StoreError> {
        let kept = self.leased_with_parts(census)?;
        let mut candidates = candidates(census, files);
        candidates.sort_unstable();
        let mut total: u64 = candidates.iter().map(|candidate| candidate.bytes).sum();
        let cutoff = policy.older_than.map_or(0, |age| self.now().saturating_sub(age));
        let limit = policy.max_bytes.unwrap_or(u64::MAX);
        let mut forgotten = Forgotten { damaged: census.damaged.clone(), ..Forgotten::default() };
        for Candidate { used, rank, digest, bytes } in candidates {
            let goes = policy.all || used < cutoff || total > limit;
            if !goes || kept.contains(&digest) {
                continue;
            }
            total -= bytes;
            match rank {
                Rank::Blob => &mut forgotten.blobs,
                Rank::Root => &mut forgotten.roots,
                Rank::Artifact => &mut forgotten.artifacts,
            }
            .insert(digest);
        }
        Ok(forgotten)
    }

    /// What somebody is working on: leased things, the layers of leased keys, and the artifacts of both.
    fn leased_with_parts(&self, census: &Census) -> Result<BTreeSet<Digest>, StoreError> {
        let mut kept = self.leased()?;
        let layers =
            census.layers.iter().filter(|layer| kept.contains(&layer.key.0)).map(|layer| layer.digest);
        kept.extend(layers.collect::<Vec<_>>());
        let parts =
            census.segments.iter().filter(|(blob, _)| kept.contains(*blob)).flat_map(|(_, parts)| parts);
        kept.extend(parts.copied().collect::<Vec<_>>());
        Ok(kept)
    }
}

/// Takes the final name from a folder that is to be removed; gives back its name from then on.
///
/// Half of a tree must not look like a whole one, neither after a kill nor where something of it has to stay.
/// Nothing, when the folder may not be renamed: then it may not be removed either, and stays whole.
fn out_of_the_way(path: &Path) -> Result<Option<PathBuf>, StoreError> {
    let is_gone = path.extension().is_some_and(|end| end == GONE);
    if is_gone || !fs_err::symlink_metadata(path).is_ok_and(|metadata| metadata.is_dir()) {
        return Ok(Some(path.to_owned()));
    }
    let names = (0..).map(|number| path.with_extension(format!("{number}.{GONE}")));
    let free = names.into_iter().find(|name| fs_err::symlink_metadata(name).is_err());
    let free = free.expect("there are more numbers than files");
    match fs_err::rename(path, &free) {
        Ok(()) => Ok(Some(free)),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(None),
        Err(error) => Err(StoreError::writing(path)(error)),
    }
}

/// The files there are.
struct Files {
    artifacts: Vec<Entry>,
    blobs: Vec<Entry>,
    roots: Vec<Entry>,
    /// Those that are to go.
    tools: Vec<Entry>,
    caches: Vec<Entry>,
}

impl Files {
    fn list(layout: &Layout, policy: &PrunePolicy) -> Result<Self, StoreError> {
        Ok(Self {
            artifacts: entries(&layout.artifacts())?,
            blobs: entries(&layout.blobs())?,
            roots: entries(&layout.roots())?,
            tools: if policy.all { entries(&layout.tools())? } else { Vec::new() },
            caches: if policy.all { entries(&layout.caches())? } else { Vec::new() },
        })
    }
}

fn candidates(census: &Census, files: &Files) -> Vec<Candidate> {
    // An artifact is in use as long as a blob that is made of it.
    let mut used_in: BTreeMap<Digest, u64> = BTreeMap::new();
    for (blob, artifacts) in &census.segments {
        let used = census.blobs.get(blob).map_or(0, |row| row.used);
        for artifact in artifacts {
            let latest = used_in.entry(*artifact).or_default();
            *latest = used.max(*latest);
        }
    }
    let sizes: BTreeMap<&str, u64> =
        files.roots.iter().map(|entry| (entry.name.as_str(), entry.bytes)).collect();
    let blobs = census.blobs.values().map(|row| Candidate {
        used: row.used,
        rank: Rank::Blob,
        digest: row.digest,
        bytes: row.stored,
    });
    let artifacts = census.artifacts.values().map(|row| Candidate {
        used: row.used.max(used_in.get(&row.digest).copied().unwrap_or(0)),
        rank: Rank::Artifact,
        digest: row.digest,
        bytes: row.size,
    });
    let roots = census.roots.iter().map(|(id, used)| Candidate {
        used: *used,
        rank: Rank::Root,
        digest: *id,
        bytes: sizes.get(id.hex().as_str()).copied().unwrap_or(0),
    });
    blobs.chain(artifacts).chain(roots).collect()
}
