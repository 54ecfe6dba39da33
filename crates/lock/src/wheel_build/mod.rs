//! Distributions without a wheel: repositories, folders and archives of source become wheels before packages are
//! resolved, so that everything after knows wheels only.
//!
//! A source is pinned ([`SourcePin`]), laid out as a folder, and asked what its build needs; that is resolved to wheels
//! and pinned, too. Then a [`WheelBuilder`] runs the project's own build backend in a sandbox. Nothing of a source is
//! executed here.

mod archive;
mod builder;
mod building;
mod document;
mod error;
mod fetch;
mod git;
mod project;
mod wheels;

pub use builder::{BuildRoot, BuilderFailure, BuiltWheel, WheelBuilder};
pub(crate) use building::Building;
pub use document::{Commit, SourcePin, WheelBuild};
pub use error::{ArchiveProblem, SourceError};
pub use fetch::{SourceFetcher, SourceFolder};
pub use project::Project;
