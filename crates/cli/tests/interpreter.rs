//! Interpreters out of archives: for a base without Python, and as compilers.

mod archive;

use std::process::Command;
use std::time::Duration;

use archive::Archives;
use serde_json::Value;

use crate::support::{Docker, Peers, Workshop, assert_valid, run_within, unique};

const LIMIT: Duration = Duration::from_mins(5);
/// A mirror that does not answer.
const NOBODY: &str = "http://127.0.0.1:9/";

/// What the image's Python says of itself, of its certificates, and of the bytecode of its library.
const PROGRAM: &str = "\
import bz2, ctypes, json, lzma, os, pwd, sqlite3, ssl, sys, sysconfig, zlib
import numpy
print(pwd.getpwuid(os.getuid()).pw_name, '.'.join(map(str, sys.version_info[:3])), numpy.arange(4).sum())
print(sys.prefix, sys.base_prefix, sysconfig.get_config_var('LIBDIR'))
print(os.path.exists(json.__cached__), ssl.create_default_context().cert_store_stats()['x509_ca'] > 50)";

#[test]
fn a_base_without_python_gets_one() {
    let Some(peers) = Peers::find() else { return };
    let Some(archives) = Archives::of_a_real_python() else { return };
    let version = &archives.version;
    let (name, mirror) = (unique("added"), archives.url());
    let spec = |name: &str, base: &str, packages: &str| {
        let registry = &peers.registry;
        format!(
            "name: {name}\nregistry: {registry}\nbase_image: {base}\npython_version: '{version}'\npackages: [{packages}]\n"
        )
    };
    let workshop = Workshop::new();
    workshop.write("image.yaml", spec(&name, &format!("{}/debian:bookworm", peers.bases), "numpy"));
    let report = built(&workshop, &mirror);
    let image = image_of(&report);
    assert_eq!(interpreters(&report), 1);
    assert_valid(&image);

    let asked = run_within(with(&mut workshop.command(&["lock", "image.yaml", "-o", "-"]), &mirror), LIMIT);
    let lock = asked.expect(0).stdout;
    assert!(lock.contains(&archives.path) && lock.contains(&archives.sha256), "{lock}");
    assert!(!lock.contains("127.0.0.1:"), "a lock names no mirror: {lock}");

    let container = Docker::pull(&peers.docker, &image);
    let folder = format!("/opt/python/{version}");
    let expected = format!("flytekit {version} 6\n/opt/venv {folder} {folder}/lib\nTrue True");
    assert_eq!(container.python(PROGRAM), expected);
    container.check_requirements();

    // Over that image its environment is continued, and nothing but the compiler is wanted of a mirror.
    let elsewhere = Workshop::new();
    let over = spec(&format!("{name}-over"), &image, "six");
    elsewhere.write("image.yaml", format!("{over}builder_options: {{bytecode: false}}\n"));
    let report = built(&elsewhere, NOBODY);
    assert_eq!(interpreters(&report), 0);
    let container = Docker::pull(&peers.docker, &image_of(&report));
    assert_eq!(container.python("import numpy, six, sys; print(sys.base_prefix)"), folder);
    if archives.is_compiler {
        elsewhere.write("image.yaml", over);
        let refused = run_within(with(&mut elsewhere.command(&["build", "image.yaml"]), NOBODY), LIMIT);
        refused.expect(4).says(&["no compiler for the bytecode", "cannot be had", "`bytecode: false`"]);
    }
}

#[test]
fn says_which_archive_is_missing() {
    let Some(peers) = Peers::find() else { return };
    let workshop = Workshop::new();
    let build = |version: &str| {
        let base = format!("{}/debian:bookworm", peers.bases);
        workshop.write("image.yaml", format!("name: x\nbase_image: {base}\npython_version: '{version}'\n"));
        run_within(with(&mut workshop.command(&["build", "image.yaml"]), NOBODY), LIMIT)
    };
    build("3.12.1").expect(4).says(&["SHA256SUMS cannot be had", "127.0.0.1", "UV_PYTHON_INSTALL_MIRROR"]);
    build("3.99").expect(3).says(&[
        "there is no Python 3.99: ",
        "hint: `python_version` may be one of 3.8, ",
        "3.13, 3.14",
    ]);
    build("3.12.999").expect(3).says(&["no Python 3.12.999", "-unknown-linux-gnu", "the newest", "3.12."]);
}

fn built(workshop: &Workshop, mirror: &str) -> Value {
    let run = run_within(with(&mut workshop.command(&["build", "image.yaml", "--json"]), mirror), LIMIT);
    serde_json::from_str(&run.expect(0).stdout).unwrap()
}

fn with<'a>(command: &'a mut Command, mirror: &str) -> &'a mut Command {
    command.env("UV_PYTHON_INSTALL_MIRROR", mirror)
}

fn image_of(report: &Value) -> String {
    report["image"].as_str().unwrap().to_owned()
}

/// How many interpreters an image adds to its base.
fn interpreters(report: &Value) -> usize {
    let layers = report["layers"].as_array().unwrap();
    layers.iter().filter(|layer| layer["kind"] == "interpreter").count()
}
