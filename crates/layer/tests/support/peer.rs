use std::env;
use std::process::{Command, Output};

/// The Python interpreter that has the reference implementations; without it the caller skips.
#[expect(
    clippy::disallowed_methods,
    reason = "the test runner tells tests about peers by environment variables"
)]
pub(crate) fn oracle() -> Option<String> {
    let found = env::var("IMAGEWRIGHT_TEST_ORACLE").ok();
    skip_if(found.is_none(), "IMAGEWRIGHT_TEST_ORACLE is not set");
    found
}

/// The interpreter, if the package indexes may be used as well.
#[expect(
    clippy::disallowed_methods,
    reason = "the test runner tells tests about peers by environment variables"
)]
pub(crate) fn network_oracle() -> Option<String> {
    let has_network = env::var_os("IMAGEWRIGHT_TEST_NETWORK").is_some();
    skip_if(!has_network, "IMAGEWRIGHT_TEST_NETWORK is not set");
    oracle().filter(|_| has_network)
}

#[expect(clippy::disallowed_methods, reason = "a skipped test in the pipeline is a failed one")]
fn skip_if(is_missing: bool, reason: &str) {
    if is_missing {
        assert!(env::var_os("CI").is_none(), "{reason}");
        println!("skipped: {reason}");
    }
}

/// Runs a peer; its output, when it succeeded.
#[expect(clippy::disallowed_methods, reason = "peers are programs")]
pub(crate) fn run(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    let Output { status, stdout, stderr } = output.unwrap_or_else(|error| panic!("{program}: {error}"));
    let (stdout, stderr) = (String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
    assert!(status.success(), "{program} {arguments:?}: {status}\n{stdout}\n{stderr}");
    stdout.into_owned()
}
