//! The recipe with every input pinned by digest, and the resolvers that pin them.
//!
//! [`Locker::lock`] goes through base, interpreter, environment and packages; what is chosen is decided by pure
//! functions ([`choose`], [`threshold`]) of what was asked for and of the [`facts`] of the base. The result is one
//! canonical document, [`Lock`]: from it alone the image can be made again, bit for bit.

mod archive;
mod assembled;
mod base;
mod base_image;
mod base_source;
mod changes;
mod choice;
mod completion;
mod confirmation;
mod coverage;
mod debian;
mod difference;
mod document;
mod download;
mod error;
mod implied;
mod interpreter;
mod lease;
mod local;
mod locker;
mod results;
mod threshold;
mod upgrade;
mod wheel_build;

pub mod facts;
pub mod python;
pub mod uv;

pub use archive::{
    ArchivePath, ArchivePathError, INTERPRETERS, InterpreterArchive, MirrorError, PythonMirror, Triple,
    interpreter_artifact,
};
pub use base::{FACTS_ANNOTATION, load_base};
pub use base_image::{BaseImage, BaseLayer, BaseOrigin, BuiltBase};
pub use changes::LockChange;
pub use choice::{DEFAULT_PREFIX, EnvironmentLock, InterpreterChoice, choose};
pub use completion::complete;
pub use coverage::{LockedInputs, locked_inputs};
pub use debian::{DebianResolver, Purpose, debian_artifact};
pub use difference::differing_names;
pub use document::{
    BaseLock, CompilerLock, CompilerSource, DEFAULT_EPOCH, Distribution, InterpreterLock, InterpreterSource,
    Lock, PlatformLock, debian_compiler,
};
pub use download::{DownloadError, Downloads, Line, Progress, Transfer, Wanted};
pub use error::LockError;
pub use implied::is_implied;
pub use lease::lease;
pub use local::{LocalImageError, OpenedImage};
pub use locker::{Ground, Locked, Locker, locked_base};
pub use results::{AptResult, Results, SystemPackage};
pub use threshold::{BUCKETS, LEAST_THRESHOLD, MOST_COPY_LAYERS, MOST_LAYERS, copy_layers, threshold};
pub use upgrade::{Pin, Upgrade};
pub use wheel_build::{
    ArchiveProblem, BuildRoot, BuilderFailure, BuiltWheel, Commit, Project, SourceError, SourceFetcher,
    SourceFolder, SourcePin, WheelBuild, WheelBuilder,
};
