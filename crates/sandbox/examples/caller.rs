//! The program that the tests start: as the sandbox's helper, and, with another first argument, as an
//! unprivileged user who calls the library.
//!
//! `caller detect SCRATCH` prints one line per mode; `caller unpack MODE SCRATCH DIFF_ID DIRECTORY` unpacks the
//! tar stream on its standard input; `caller run MODE REQUEST` runs the request of a JSON file and exits as the
//! command did; `caller step MODE REQUEST TAR` prints the lines of a step, and writes the layer of what it changed as
//! a tar stream, and a list of its entries beside it, as TAR.list; `caller stop MODE REQUEST` stops one when it says something;
//! `caller remove MODE SCRATCH DIRECTORY` removes.

use std::io;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use imagewright_layer::{EncodeOptions, RawPath, TreeEntry, TreeKind, encode_tree, tar_stream};
use imagewright_oci::{DiffId, MediaType};
use imagewright_sandbox::{
    Changes, HELPER_ARGUMENT, Layer, Mode, RunRequest, Sandbox, SandboxError, helper_main,
};

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
            let request = request_of(request);
            let scratch = request.scratch.to_str().expect("test paths are text").to_owned();
            return Ok(sandbox(mode, &scratch)?.run(request)?.code());
        }
        ["step", mode, request, tar] => {
            let request = request_of(request);
            // That of a series has a root in it.
            let probed = request.scratch.with_file_name("scratch");
            let sandbox = sandbox(mode, probed.to_str().expect("test paths are text"))?;
            let outcome = sandbox.step(request, |line| println!("{line}"))?;
            write_layer(outcome.changes, Path::new(tar)).expect("the layer can be written");
            return Ok(outcome.exit.code());
        }
        ["stop", mode, request] => {
            let request = request_of(request);
            let sandbox = sandbox(mode, request.scratch.to_str().expect("test paths are text"))?;
            let step = sandbox.start_step(request)?;
            let stopper = step.stopper();
            return Ok(step.wait(|_| stopper.stop())?.exit.code());
        }
        ["remove", mode, scratch, directory] => sandbox(mode, scratch)?.remove(Path::new(directory))?,
        _ => return Ok(2),
    }
    Ok(0)
}

fn request_of(file: &str) -> RunRequest {
    let text = fs_err::read(file).expect("the request can be read");
    serde_json::from_slice(&text).expect("the request is valid")
}

fn write_layer(changes: Changes, path: &Path) -> Result<(), Box<dyn std::error::Error>> {
    let describe = |entry: &TreeEntry<RawPath>| {
        let TreeEntry { path, kind, mode, uid, gid, xattrs } = entry;
        let kind = match kind {
            TreeKind::File { size, .. } => format!("file {size}"),
            TreeKind::Symlink { target } => format!("-> {}", target.display()),
            TreeKind::Hardlink { target } => format!("= {target:?}"),
            other => format!("{other:?}"),
        };
        let xattrs = if xattrs.is_empty() { String::new() } else { format!(" {xattrs:?}") };
        format!("{path:?} {kind} {mode:o} {uid}:{gid}{xattrs}\n")
    };
    let mut list: String = changes.entries.iter().map(describe).collect();
    for lost in &changes.lost_owners {
        list = format!("{list}lost {} {}:{}\n", lost.path, lost.uid, lost.gid);
    }
    fs_err::write(path.with_extension("list"), list)?;
    let options = EncodeOptions { epoch: 315_532_800, threads: NonZeroUsize::MIN };
    let mut blob = Vec::new();
    encode_tree(changes.entries, &options, &mut blob)?;
    let mut tar = tar_stream(blob.as_slice(), &MediaType::OciLayerGzip)?;
    io::copy(&mut tar, &mut fs_err::File::create(path)?)?;
    Ok(())
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
