//! What the machine has for tests; where something is missing they say so and skip, except in the pipeline.

use std::env;

use imagewright_testkit::peers::has_network;
pub(crate) use imagewright_testkit::peers::{needed, oracle, skip, variable};

/// The running peers.
#[derive(Clone, Debug)]
pub(crate) struct Peers {
    /// `localhost:PORT` of Debian's registry.
    pub(crate) registry: String,
    /// The repository prefix of the base images in it.
    pub(crate) bases: String,
    /// The socket of a Docker daemon.
    pub(crate) docker: String,
}

impl Peers {
    /// The peers, if they run and the network is there besides; else the caller skips.
    pub(crate) fn find() -> Option<Self> {
        network()?;
        Some(Self {
            registry: needed("IMAGEWRIGHT_TEST_REGISTRY")?,
            bases: needed("IMAGEWRIGHT_TEST_BASES")?,
            docker: needed("IMAGEWRIGHT_TEST_DOCKER")?,
        })
    }
}

/// Whether package indexes and Debian's archive may be used; else the caller skips.
pub(crate) fn network() -> Option<()> {
    oracle()?;
    has_network().then_some(())
}

/// Whether the caller skips because a program is missing.
pub(crate) fn is_skipped_without(program: &str) -> bool {
    let is_missing =
        !env::split_paths(&variable("PATH").unwrap_or_default()).any(|folder| folder.join(program).is_file());
    if is_missing {
        skip(&format!("{program} is not installed"));
    }
    is_missing
}
