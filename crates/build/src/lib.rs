//! The engine: from a spec to an image at its sinks.
//!
//! [`Machine::build`] reads as the product's story: does it exist; pin; plan; make what is missing and send it;
//! put the image together; the tag last. It decides nothing that the plan could say, reads no environment and
//! prints nothing: what happens is an [`Event`].

mod bytecode;
mod error;
mod event;
mod existence;
mod image;
mod native;
mod overlap;
mod produce;
mod push;
mod report;

pub use bytecode::BytecodeError;
pub use error::{BuildError, FailureKind};
pub use event::{Event, LayerSource, PushOutcome, Reporter, Stage};
pub use existence::Existence;
pub use image::{DECLARED, INPUTS, LAYER_DIFF_ID, LAYER_KEY, LAYER_TITLE, LOCK};
pub use native::{BuildRequest, Machine, Planned};
pub use report::{BuildReport, BuildStatus, LayerReport};
