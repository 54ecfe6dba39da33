//! Where the command is run, and what it meets there.

mod base;
mod engine;
mod images;
mod peers;
mod process;
mod report;
mod warm;
mod workshop;

pub(crate) use base::{Offline, small};
pub(crate) use engine::Engine;
pub(crate) use images::{Docker, assert_right, assert_valid, skopeo_digest, unpacked};
pub(crate) use peers::{Peers, is_skipped_without, needed, network, oracle, skip, variable};
pub(crate) use process::{Run, run, run_within, spawn};
pub(crate) use report::{Layer, Report};
pub(crate) use workshop::{Workshop, unique};
