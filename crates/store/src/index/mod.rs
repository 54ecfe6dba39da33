//! The rows: what is where, and for which key.

mod artifacts;
mod blobs;
mod connection;
mod documents;
mod known;
mod layers;
mod remote;
mod roots;
mod sealed;
mod tags;
mod uses;

pub(crate) use artifacts::ArtifactRow;
pub(crate) use blobs::{BlobForm, BlobRow};
pub(crate) use connection::{Access, Index, with_suffix};
pub(crate) use documents::DocumentRow;
pub(crate) use known::{Census, DamagedRow, Forgotten, KnownNames};
pub(crate) use layers::LayerRow;
pub(crate) use sealed::{Column, Sealed};
pub(crate) use tags::TagRow;
pub(crate) use uses::UsedTable;
