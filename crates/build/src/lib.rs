//! The engine: from a spec to an image at its sinks.
//!
//! [`Machine::build`] reads as the product's story: does it exist; pin; plan; make what is missing and send it;
//! put the image together; the tag last. It decides nothing that the plan could say, reads no environment and
//! prints nothing: what happens is an [`Event`].

mod docker;
mod native;
mod nested;
mod noop;

mod existence;
mod forecast;
mod job;
mod last_build;
mod lookup;
mod miss;
mod pin;

mod attachment;
mod blocking;
mod bytecode;
mod image;
mod make;
mod mend;
mod obtain;
mod overlap;
mod produce;
mod provenance;
mod push;
mod tags;

mod secret;
mod step;
mod wheel;

mod error;
mod event;
mod failure;
mod progress;
mod report;

mod found;
mod fulfilment;
mod inspect;
mod layer_bytes;
mod local_base;
mod schedule;
mod settle;
mod several;
mod sink;
mod unpack;
mod workplace;

pub use attachment::LOCK_TYPE;
pub use bytecode::BytecodeError;
pub use docker::{BuildSecret, DockerContext, DockerError};
pub use error::BuildError;
pub use event::{Event, LayerSource, PushOutcome, Reporter, Stage};
pub use existence::Existence;
pub use failure::FailureKind;
pub use forecast::{
    BaseForecast, ExistenceForecast, Forecast, LayerForecast, PlatformForecast, SandboxForecast,
};
pub use found::{FoundImage, FoundIndex};
pub use image::{
    DECLARED, INPUTS, LAYER_DIFF_ID, LAYER_KEY, LAYER_KIND, LAYER_PACKAGES, LAYER_TITLE, LOCK, UNSETTLED_LOCK,
};
pub use inspect::contents::ImageContents;
pub use inspect::files::LayerListings;
pub use inspect::{
    InspectedBase, InspectedConfig, InspectedIndex, InspectedLayer, InspectedPart, Inspection,
};
pub use job::Planned;
pub use lookup::{Lookup, Place};
pub use miss::{InputChange, MissReason};
pub use native::{BuildRequest, GivenLock, Machine};
pub use produce::CopyError;
pub use provenance::{AnnotationError, LockDigests, Provenance};
pub use report::{BuildReport, BuildStatus, LayerReport, OutputReport, PartReport};
pub use secret::SecretError;
pub use several::{Order, Outcome, Outcomes, build_all, exist_all, forecast_all};
pub use sink::{Engine, EngineError, Sink, SinkError, SinkFile};
pub use step::failed::{FailedStep, Revisit};
pub use step::isolation::SandboxChoice;
pub use step::surroundings::connections;
pub use workplace::Workplace;
