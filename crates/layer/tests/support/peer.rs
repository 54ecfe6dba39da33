use std::process::{Command, Output};

use imagewright_testkit::peers;

/// The Python interpreter that has the reference implementations; without it the caller skips.
pub(crate) fn oracle() -> Option<String> {
    peers::oracle().map(|python| python.display().to_string())
}

/// The interpreter, if the package indexes may be used as well.
pub(crate) fn network_oracle() -> Option<String> {
    if peers::has_network() { oracle() } else { None }
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
