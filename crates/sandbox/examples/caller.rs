//! The program that the tests start: as the sandbox's helper, and, with another first argument, as an
//! unprivileged user who calls the library.
//!
//! `caller detect SCRATCH` prints one line per mode; `caller unpack MODE SCRATCH DIFF_ID DIRECTORY` unpacks the
//! tar stream on its standard input; `caller run MODE REQUEST` runs the request of a JSON file and exits as the
//! command did; `caller remove MODE SCRATCH DIRECTORY` removes.

use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use imagewright_oci::DiffId;
use imagewright_sandbox::{HELPER_ARGUMENT, Layer, Mode, RunRequest, Sandbox, SandboxError, helper_main};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        [HELPER_ARGUMENT, stage] => ExitCode::from(helper_main(stage)),
        arguments => match drive(arguments) {
            Ok(code) => ExitCode::from(code),
            Err(error) => {
                report(&error);
                ExitCode::from(error.shell_code().unwrap_or(70))
            }
        },
    }
}

#[expect(clippy::print_stdout, reason = "its output is what the tests read")]
fn drive(arguments: &[&str]) -> Result<u8, SandboxError> {
    let helper = PathBuf::from("/proc/self/exe");
    let sandbox = |mode: &str, scratch: &str| -> Result<Sandbox, SandboxError> {
        Sandbox::forced(mode.parse::<Mode>()?, &helper, Path::new(scratch))
    };
    match *arguments {
        ["detect", scratch] => {
            for report in Sandbox::detect(&helper, Path::new(scratch)) {
                println!("{report}");
            }
        }
        ["unpack", mode, scratch, diff_id, directory] => {
            let layer = Layer { diff_id: DiffId(diff_id.parse().expect("a digest")), tar: &mut io::stdin() };
            println!("{:?}", sandbox(mode, scratch)?.unpack(layer, Path::new(directory))?);
        }
        ["run", mode, request] => {
            let text = fs_err::read(request).expect("the request can be read");
            let request: RunRequest = serde_json::from_slice(&text).expect("the request is valid");
            let scratch = request.scratch.to_str().expect("test paths are text").to_owned();
            return Ok(sandbox(mode, &scratch)?.run(request)?.code());
        }
        ["remove", mode, scratch, directory] => sandbox(mode, scratch)?.remove(Path::new(directory))?,
        _ => return Ok(2),
    }
    Ok(0)
}

#[expect(clippy::print_stderr, reason = "its output is what the tests read")]
fn report(error: &SandboxError) {
    let mut cause: Option<&dyn std::error::Error> = Some(error);
    while let Some(error) = cause {
        eprintln!("{error}");
        cause = error.source();
    }
    if let Some(hint) = error.hint() {
        eprintln!("hint: {hint}");
    }
}
