//! What the machine has for tests; where something is missing they say so and skip, except in the pipeline.

use std::env;
use std::path::PathBuf;

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
    needed("IMAGEWRIGHT_TEST_NETWORK").map(drop)
}

/// A Python interpreter, with uv beside it; without it the caller skips.
pub(crate) fn oracle() -> Option<PathBuf> {
    needed("IMAGEWRIGHT_TEST_ORACLE").map(PathBuf::from)
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

/// A variable of this process.
#[expect(
    clippy::disallowed_methods,
    reason = "the test runner tells tests about peers by environment variables"
)]
pub(crate) fn variable(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}

/// The variable that tells of a peer; without it the caller skips.
pub(crate) fn needed(name: &str) -> Option<String> {
    let found = variable(name);
    if found.is_none() {
        skip(&format!("{name} is not set"));
    }
    found
}

/// Says why a test is skipped, which none may be in the pipeline.
pub(crate) fn skip(reason: &str) {
    assert!(variable("CI").is_none(), "{reason}");
    println!("skipped: {reason}");
}
