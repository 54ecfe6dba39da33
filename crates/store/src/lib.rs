//! The content-addressed store: blobs, artifacts, roots, index and leases.
//!
//! One directory holds the inputs of layers (*artifacts*), the layers themselves (*blobs*, which may be segments of
//! artifacts), unpacked root file systems, and an index that says which key gives which layer. FORMAT.md describes
//! it. Everything here is plain functions for threads; nothing outside the directory is touched, and the time is
//! an input.
//!
//! Invariants:
//!
//! - A file has its final name only when it is complete. It is staged, synced, renamed and then recorded; a file
//!   without a row is garbage, a row without its file is a miss.
//! - Damage is a miss, never a wrong answer: lengths are checked at every use, rows and segment tables carry a
//!   digest of their own, and [`BlobReader::verified`] and `check` read everything.
//! - Look-ups do not write.
//! - Every wait for another process has a limit, and every lock goes with its process.
//!
//! ```
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = tempfile::tempdir()?;
//! use std::io::Read;
//!
//! let store = imagewright_store::Store::open(&folder.path().join("store"), 1_700_000_000)?;
//! let digest = store.put_blob(b"{}")?;
//! let mut text = String::new();
//! store.blob(&digest)?.expect("it was just put").verified().read_to_string(&mut text)?;
//! assert_eq!(text, "{}");
//! # Ok(())
//! # }
//! ```

mod artifact;
mod blob;
mod blob_reader;
mod check;
mod discard;
mod error;
mod exclusive;
mod index;
mod inventory;
mod knowledge;
mod layer;
mod layout;
mod lease;
mod lock_file;
mod prune;
mod remove;
mod repair;
mod root;
mod segment_table;
mod stage;
mod staging;
mod store;

pub use artifact::{ArtifactFile, ArtifactStaging};
pub use blob::{BlobStaging, Loss};
pub use blob_reader::{BlobReader, VerifiedReader};
pub use check::{CheckReport, Depth, FileProblem, Finding};
pub use discard::Condition;
pub use error::{Cause, StoreError};
pub use inventory::{Tally, Usage};
pub use knowledge::{DocumentKind, TagRecord};
pub use layer::{BlobState, LayerFacts, LayerRecord, LayerStaging};
pub use lease::{Abandoned, Flag, Lease};
pub use prune::{PrunePolicy, PruneReport};
pub use repair::IndexRebuilt;
pub use root::RootStaging;
pub use stage::{Kind, Observer, Stage};
pub use store::{Options, ScratchDirectory, Store};
