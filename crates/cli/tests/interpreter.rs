//! Interpreters out of archives: for a base without Python, and as compilers.

mod archive;

use std::process::Command;
use std::time::Duration;

use archive::{Archives, copy_a_real_python};
use serde_json::Value;

use crate::support::{Docker, Peers, Workshop, assert_valid, run, run_within, small, unique};

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

/// A Python in a prefix of its own, with what conda keeps there, and two packages: no environment of `venv`.
const CONDA: &str = "set -e; cp -a /python /opt/conda; mkdir /opt/conda/conda-meta
echo '==> conda <==' >/opt/conda/conda-meta/history
cd /opt/conda/lib/python3.*; rm -rf site-packages/* config-* idlelib lib2to3 tkinter turtledemo; cd /
/opt/conda/bin/python3 -m ensurepip --default-pip
/opt/conda/bin/python3 -m pip install --no-cache-dir --no-index --find-links /wheels idna six";

/// Makes a base with a conda prefix, first on `PATH`.
fn push_conda(peers: &Peers, workshop: &Workshop, base: &str) {
    for wheel in [small("idna", "1.0"), small("six", "1.16.0")] {
        workshop.write(&format!("wheels/{}", wheel.filename()), wheel.bytes());
    }
    let shown = |path: std::path::PathBuf, at: &str| format!("{}:{at}:ro", path.display());
    let wheels = shown(workshop.project().join("wheels"), "/wheels");
    let python = shown(workshop.path("python"), "/python");
    let (host, container) = (format!("unix://{}", peers.docker), unique("conda"));
    let docker = |arguments: &[&str]| run("docker", &[&["--host", &*host], arguments].concat());
    let debian = format!("{}/debian:bookworm", peers.bases);
    let made = ["run", "--name", &container, "--network", "none", "--volume", &wheels, "--volume", &python];
    docker(&[&made[..], &[&debian, "sh", "-c", CONDA]].concat());
    let path = "ENV PATH=/opt/conda/bin:/usr/local/bin:/usr/bin:/bin";
    docker(&["commit", "--change", path, "--change", "CMD [\"bash\"]", &container, base]);
    docker(&["rm", &container]);
    docker(&["push", "--quiet", base]);
    docker(&["image", "rm", base]);
}

#[test]
fn a_conda_prefix_of_the_base_is_continued() {
    let Some(peers) = Peers::find() else { return };
    let workshop = Workshop::warm();
    let Some(version) = copy_a_real_python(&workshop.path("python")) else { return };
    let base = format!("{}/{}:1", peers.registry, unique("conda-base"));
    push_conda(&peers, &workshop, &base);
    let spec = format!(
        "name: {}\nregistry: {}\nbase_image: {base}\npackages: [idna==3.10, six, requests]\n\
         builder_options: {{bytecode: false}}\n",
        unique("over-conda"),
        peers.registry
    );
    workshop.write("image.yaml", spec);
    let report = workshop.build("image.yaml", &[]);
    let image = report.text("image");
    assert_valid(image);
    let new = report.packages();
    assert!(new.contains(&"idna 3.10".to_owned()), "{new:?}");
    assert!(!new.iter().any(|package| package.starts_with("six ")), "the base has it: {new:?}");

    let container = Docker::pull(&peers.docker, image);
    let program = "import idna, importlib.metadata as m, platform, requests, six, sys\n\
                   found = [d.version for d in m.distributions() if d.metadata['Name'] == 'idna']\n\
                   print(sys.prefix, sys.executable, platform.python_version(), found, idna.__file__)";
    let minor = version.rsplit_once('.').unwrap().0;
    let site = format!("/opt/conda/lib/python{minor}/site-packages");
    assert_eq!(
        container.python(program),
        format!("/opt/conda /opt/conda/bin/python {version} ['3.10'] {site}/idna/__init__.py")
    );
    let script = format!("cat /opt/conda/conda-meta/history; ls /opt; find {site} -name idna.py");
    assert_eq!(container.run(&["sh", "-c", &script]), "==> conda <==\nconda");
    container.check_requirements();
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
