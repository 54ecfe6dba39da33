//! What the machine has for tests. Where something is missing they say so and skip, which none may in the pipeline.

use std::env;
use std::path::PathBuf;

/// A Python interpreter with the reference implementations, and uv beside it; without it the caller skips.
pub fn oracle() -> Option<PathBuf> {
    needed("IMAGEWRIGHT_TEST_ORACLE").map(PathBuf::from)
}

/// Whether package indexes and Debian's archive may be used; else the caller skips.
pub fn has_network() -> bool {
    needed("IMAGEWRIGHT_TEST_NETWORK").is_some()
}

/// Whether other programs of the kind may be started and file systems mounted; else the caller skips.
pub fn may_start_peers() -> bool {
    needed("IMAGEWRIGHT_TEST_PEERS").is_some()
}

/// Whether the machine may be used as root; else the caller skips.
pub fn may_be_root() -> bool {
    if !may_start_peers() {
        return false;
    }
    let is_root = rustix::process::geteuid().is_root();
    if !is_root {
        skip("these tests must be run as root");
    }
    is_root
}

/// The variable that tells of a peer; without it the caller skips.
pub fn needed(name: &str) -> Option<String> {
    let found = variable(name);
    if found.is_none() {
        skip(&format!("{name} is not set"));
    }
    found
}

/// A variable of this process, unless it is empty.
#[expect(
    clippy::disallowed_methods,
    reason = "the test runner tells tests about peers by environment variables"
)]
pub fn variable(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}

/// Says why a test is skipped, which none may be in the pipeline.
#[expect(clippy::print_stdout, reason = "the runner shows it beside the test")]
pub fn skip(reason: &str) {
    assert!(variable("CI").is_none(), "{reason}");
    println!("skipped: {reason}");
}
