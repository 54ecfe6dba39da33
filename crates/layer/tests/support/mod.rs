//! Wheels made by hand, and layers unpacked.

mod peer;
mod wheel;

pub(crate) use peer::{network_oracle, oracle, run};
pub(crate) use wheel::{Open, demo, layer_of, layer_with, options, scheme};
