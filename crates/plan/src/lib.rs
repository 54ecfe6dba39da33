//! A lock as an ordered list of layer definitions, each with a key: pure data, printable, without any I/O.
//!
//! A layer's key is the digest of its inputs *in words*, so that the same table that decides whether a layer is
//! there also says why it is not. Keys of package layers depend on nothing of the base (design D7).
//!
//! The order of an image's layers, lowest first: the base's or Debian's, an interpreter that is added, what is removed
//! of the base, the skeleton, packages of the system, one layer for each sizeable distribution by name, the buckets of the small ones, what the
//! user has copied, and what the spec's commands change.

mod apt;
mod building;
mod certificates;
mod container;
mod copies;
mod debian;
mod definition;
mod error;
mod execution;
mod grouping;
mod interpreter;
mod planner;
mod removal;
mod skeleton;

pub use apt::{APT_CACHE, APT_NOTES, AptAccess, AptVersions, AskedPackage};
pub use building::{BUILD_ENVIRONMENT, WheelPlan, plan_wheel};
pub use container::UnsetVariable;
pub use definition::{
    Content, DebianGroup, InterpreterGroup, LayerDefinition, LayerKind, TreeFile, TreeKind, WheelGroup,
};
pub use error::PlanError;
pub use execution::Execution;
pub use planner::{Plan, plan};
