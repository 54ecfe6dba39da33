//! Wheels made by hand, and layers unpacked.

mod archive;
mod peer;
mod wheel;

pub(crate) use archive::{Damage, Item, archive};
pub(crate) use peer::{network_oracle, oracle, run};
pub(crate) use wheel::{WheelBuilder, layer_of, layer_with, options, scheme};
