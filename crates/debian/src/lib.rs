//! The Debian base, assembled without executing anything of it (design D6).
//!
//! Data flows one way: [`Releases`] are fetched and their signatures checked, [`PackageFiles`] are fetched and
//! their hashes checked, an [`Archive`] solves what a base or a compiler needs to a [`DebianLock`], and the
//! packages of it, which the caller fetches by their hashes, are unpacked.
//!
//! The network is a [`Fetch`] that the caller passes in; time is an argument. Nothing here reads the environment.

mod archive;
mod compiler;
mod control;
mod date;
mod deb;
mod error;
mod fetch;
mod index;
mod keyring;
mod lock;
mod mirror;
mod name;
pub mod openpgp;
mod relation;
mod release;
mod root;
mod roots;
mod solve;
mod spool;
mod suite;
mod unpack;
mod version;

pub use archive::{Archive, PackageFiles, Releases};
pub use compiler::{Compiler, write_entries};
pub use deb::{ControlFile, DebProblem, UnpackedPackage};
pub use error::{DebianError, UnsatisfiableReason};
pub use fetch::{Fetch, FetchError};
pub use keyring::archive_keyring;
pub use lock::{DebianLock, DebianPackage, PackageGroup};
pub use mirror::{Mirrors, SourceFile};
pub use name::DebianName;
pub use root::{BASE_FORMAT, PackageRecord, database_layer, package_layer};
pub use roots::{Roots, base_roots};
pub use spool::Spool;
pub use suite::{Architecture, Pocket, Suite};
pub use unpack::{OpenPackage, unpack_packages};
pub use version::DebianVersion;
