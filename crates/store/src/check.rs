use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io::{self, Read};
use std::path::PathBuf;

use fs_err::File;
use imagewright_layer::LayerKey;
use imagewright_oci::{Digest, HashingReader};

use crate::blob::{Loss, read_segments};
use crate::index::{ArtifactRow, BlobForm, BlobRow, Census, DamagedRow};
use crate::inventory::{Tally, entries};
use crate::root::has_tree;
use crate::segment_table::artifact_ranges;
use crate::stage::Kind;
use crate::{Store, StoreError};

/// How closely a store is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// Whether everything is there, in its length.
    Lengths,
    /// Every byte too.
    Digests,
}

/// What a check found.
#[derive(Clone, Debug, Default)]
pub struct CheckReport {
    /// What is wrong; nothing, when all is well.
    pub findings: Vec<Finding>,
    /// What was looked at, in the bytes it takes.
    pub artifacts: Tally,
    /// What was looked at, in the bytes of the blobs.
    pub blobs: Tally,
    /// How many unpacked roots were looked at.
    pub roots: u64,
    /// How many layers were looked at.
    pub layers: u64,
    /// Files that belong to nothing: nothing is wrong with that, the next pruning removes them.
    pub garbage: Vec<PathBuf>,
    pub(crate) damaged: Vec<DamagedRow>,
}

/// Something that is wrong in a store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// The index is not a sound database.
    Index {
        /// What SQLite says.
        problem: String,
    },
    /// A row of the index is not what was written.
    Row {
        /// The table.
        table: &'static str,
        /// How many such rows it has.
        count: usize,
    },
    /// A file is not what its row says.
    File {
        /// What it is.
        kind: Kind,
        /// The digest or id it should have.
        digest: Digest,
        /// What is wrong with it.
        problem: FileProblem,
    },
    /// A blob has segments of an artifact that is not there or not sound.
    SegmentWithoutArtifact {
        /// The blob.
        blob: Digest,
        /// The artifact.
        artifact: Digest,
    },
    /// A layer's bytes should be there and are not, or are not sound.
    LayerWithoutBlob {
        /// The layer's key.
        key: LayerKey,
        /// Its digest.
        blob: Digest,
    },
}

/// What is wrong with a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FileProblem {
    /// It is not there.
    Missing,
    /// It has another length.
    Length {
        /// In bytes, as recorded.
        expected: u64,
        /// In bytes, as it is.
        actual: u64,
    },
    /// Its bytes have another digest.
    Digest {
        /// The digest they have.
        actual: Digest,
    },
    /// Its segment table is not what was written.
    Segments {
        /// How it shows.
        problem: &'static str,
    },
    /// The disk does not give it back.
    Unreadable {
        /// What the system says.
        kind: io::ErrorKind,
    },
}

impl CheckReport {
    /// Whether nothing is wrong.
    pub fn is_clean(&self) -> bool {
        self.findings.is_empty()
    }
}

impl Store {
    /// Looks whether every row has its file, every segment its artifact and every layer its blob, while no other
    /// process uses the store.
    pub fn check(&self, depth: Depth) -> Result<CheckReport, StoreError> {
        // Nobody changes a store that cannot be written.
        if self.is_read_only() {
            self.check_alone(depth)
        } else {
            self.exclusively(|| self.check_alone(depth))
        }
    }

    fn check_alone(&self, depth: Depth) -> Result<CheckReport, StoreError> {
        let mut report = CheckReport::default();
        let problems = self.inner.index.structure_problems()?;
        report.findings.extend(problems.into_iter().map(|problem| Finding::Index { problem }));
        if !report.is_clean() {
            // Rows of a broken database say nothing about the files.
            return Ok(report);
        }
        let census = match self.inner.index.census() {
            Err(StoreError::IndexDamaged { source, .. }) => {
                report.findings.push(Finding::Index { problem: source.to_string() });
                return Ok(report);
            }
            census => census?,
        };
        report.note_damaged_rows(&census);
        let artifacts = self.check_artifacts(&census, depth, &mut report);
        let blobs = self.check_blobs(&census, &artifacts, depth, &mut report)?;
        self.check_roots(&census, &mut report);
        report.layers = census.layers.len() as u64;
        for layer in census.layers.iter().filter(|layer| layer.held && !blobs.contains(&layer.digest)) {
            report.findings.push(Finding::LayerWithoutBlob { key: layer.key, blob: layer.digest });
        }
        report.garbage = self.garbage(&census)?;
        Ok(report)
    }

    /// Gives back the sound ones.
    fn check_artifacts(&self, census: &Census, depth: Depth, report: &mut CheckReport) -> BTreeSet<Digest> {
        let mut sound = BTreeSet::new();
        for ArtifactRow { digest, size, .. } in census.artifacts.values() {
            report.artifacts.add(*size);
            let path = self.inner.layout.artifact(digest);
            let problem = match file_of_length(&path, *size) {
                Ok(file) if depth == Depth::Digests => digest_problem(file, digest),
                Ok(_) => None,
                Err(problem) => Some(problem),
            };
            match problem {
                Some(problem) => report.note_file(Kind::Artifact, digest, problem),
                None => _ = sound.insert(*digest),
            }
        }
        sound
    }

    /// Gives back the sound ones.
    fn check_blobs(
        &self,
        census: &Census,
        artifacts: &BTreeSet<Digest>,
        depth: Depth,
        report: &mut CheckReport,
    ) -> Result<BTreeSet<Digest>, StoreError> {
        let mut sound = BTreeSet::new();
        for row in census.blobs.values() {
            report.blobs.add(row.size);
            let before = report.findings.len();
            match self.check_blob(census, row, depth)? {
                Err(problem) => report.note_file(Kind::Blob, &row.digest, problem),
                Ok(needed) => {
                    let missing = needed.iter().filter(|artifact| !artifacts.contains(artifact));
                    report.findings.extend(missing.map(|artifact| Finding::SegmentWithoutArtifact {
                        blob: row.digest,
                        artifact: *artifact,
                    }));
                }
            }
            if report.findings.len() == before {
                sound.insert(row.digest);
            }
        }
        Ok(sound)
    }

    /// The artifacts that a blob needs, or what is wrong with the blob itself.
    fn check_blob(
        &self,
        census: &Census,
        row: &BlobRow,
        depth: Depth,
    ) -> Result<Result<BTreeSet<Digest>, FileProblem>, StoreError> {
        let file = match file_of_length(&self.blob_path(row), row.stored) {
            Ok(file) => file,
            Err(problem) => return Ok(Err(problem)),
        };
        let mut needed = BTreeMap::new();
        if row.form == BlobForm::Spliced {
            match read_segments(&file, row) {
                Ok(Ok(segments)) => needed = artifact_ranges(&segments),
                Ok(Err(problem)) => return Ok(Err(FileProblem::Segments { problem })),
                Err(error) => return Ok(Err(FileProblem::Unreadable { kind: error.kind() })),
            }
            let listed = census.segments.get(&row.digest).into_iter().flatten();
            if !listed.eq(needed.keys()) {
                let problem = "the index lists other artifacts than its segments";
                return Ok(Err(FileProblem::Segments { problem }));
            }
        }
        let needed = needed.into_keys().collect();
        if depth == Depth::Lengths {
            return Ok(Ok(needed));
        }
        Ok(match self.open_blob(row)? {
            Ok(reader) => digest_problem(reader, &row.digest).map_or(Ok(needed), Err),
            // Which artifact it is, and why, is reported by the caller.
            Err(Loss::Artifact { .. }) => Ok(needed),
            Err(Loss::File | Loss::Segments) => Err(FileProblem::Missing),
        })
    }

    fn check_roots(&self, census: &Census, report: &mut CheckReport) {
        for id in census.roots.keys() {
            report.roots += 1;
            if !has_tree(&self.inner.layout.root_folder(id)) {
                report.note_file(Kind::Root, id, FileProblem::Missing);
            }
        }
    }

    fn garbage(&self, census: &Census) -> Result<Vec<PathBuf>, StoreError> {
        let names = census.names();
        let layout = &self.inner.layout;
        let mut garbage = Vec::new();
        for (folder, known) in [
            (layout.artifacts(), &names.artifacts),
            (layout.blobs(), &names.blobs),
            (layout.roots(), &names.roots),
        ] {
            let unknown = entries(&folder)?.into_iter().filter(|entry| !known.contains(&entry.name));
            garbage.extend(unknown.map(|entry| entry.path));
        }
        Ok(garbage)
    }
}

impl CheckReport {
    fn note_file(&mut self, kind: Kind, digest: &Digest, problem: FileProblem) {
        self.findings.push(Finding::File { kind, digest: *digest, problem });
    }

    fn note_damaged_rows(&mut self, census: &Census) {
        let mut counts: BTreeMap<&'static str, usize> = BTreeMap::new();
        for row in &census.damaged {
            *counts.entry(row.table).or_default() += 1;
        }
        self.findings.extend(counts.into_iter().map(|(table, count)| Finding::Row { table, count }));
        self.damaged.clone_from(&census.damaged);
    }
}

fn file_of_length(path: &std::path::Path, expected: u64) -> Result<File, FileProblem> {
    let problem = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => FileProblem::Missing,
        kind => FileProblem::Unreadable { kind },
    };
    let file = File::open(path).map_err(problem)?;
    let actual = file.metadata().map_err(problem)?.len();
    if actual == expected { Ok(file) } else { Err(FileProblem::Length { expected, actual }) }
}

pub(crate) fn digest_problem(reader: impl Read, expected: &Digest) -> Option<FileProblem> {
    let mut reader = HashingReader::new(reader);
    let mut buffer = vec![0; 1 << 20];
    loop {
        match reader.read(&mut buffer) {
            Ok(0) => break,
            Ok(_) => {}
            Err(error) => return Some(FileProblem::Unreadable { kind: error.kind() }),
        }
    }
    let (actual, _) = reader.finish();
    (actual != *expected).then_some(FileProblem::Digest { actual })
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Index { problem } => write!(f, "the index is damaged: {problem}"),
            Self::Row { table, count } => write!(f, "{count} damaged rows in the index's table {table}"),
            Self::File { kind, digest, problem } => write!(f, "{kind} {digest} {problem}"),
            Self::SegmentWithoutArtifact { blob, artifact } => {
                write!(f, "blob {blob} has segments of artifact {artifact}, which is not there or damaged")
            }
            Self::LayerWithoutBlob { key, blob } => {
                write!(f, "the layer of key {key} has no sound blob {blob}")
            }
        }
    }
}

impl fmt::Display for FileProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => f.write_str("is missing"),
            Self::Length { expected, actual } => write!(f, "has {actual} bytes instead of {expected}"),
            Self::Digest { actual } => write!(f, "has the digest {actual}"),
            Self::Segments { problem } => write!(f, "has a damaged segment table: {problem}"),
            Self::Unreadable { kind } => write!(f, "cannot be read: {kind}"),
        }
    }
}
