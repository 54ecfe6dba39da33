//! Environments as their makers leave them.

use std::path::Path;
use std::process::Command;

use imagewright_lock::facts::{BaseFacts, Environment, Node, NodeKind, Tree};
use imagewright_lock::{InterpreterChoice, choose};
use imagewright_pypa::PythonVersion;
use imagewright_recipe::InterpreterStep;

use crate::python::machine::{Machine, oracle};

/// virtualenv writes `3.11.2.final.0`, which is Python 3.11.2 all the same.
#[test]
#[expect(clippy::disallowed_methods, reason = "the peers are processes")]
fn environments_of_venv_and_of_virtualenv_are_continued() {
    let (Some(machine), Some(python)) = (Machine::real(), oracle()) else { return };
    let asked = "import platform; print(platform.python_version())";
    let version = run(Command::new(&python).args(["-c", asked])).trim().to_owned();
    let folder = machine.path("venv");
    run(Command::new(&python).args(["-m", "venv", "--without-pip"]).arg(&folder));
    assert_eq!(continued(&folder, &version).full.unwrap().to_string(), version);
    let folder = machine.path("virtualenv");
    let mut virtualenv = Command::new(python.with_file_name("uvx"));
    virtualenv.args(["--quiet", "virtualenv", "--no-seed", "--python"]).arg(&python).arg(&folder);
    run(virtualenv.env("UV_CACHE_DIR", machine.path("cache")));
    assert_eq!(continued(&folder, &version).full.unwrap().to_string(), format!("{version}.final.0"));
}

/// The environment at `/opt/venv` that is continued for exactly this version.
fn continued(folder: &Path, version: &str) -> Environment {
    let version: PythonVersion = version.parse().unwrap();
    let settings = fs_err::read(folder.join("pyvenv.cfg")).unwrap();
    let node = |kind| Node { kind, mode: 0o755, uid: 0, gid: 0 };
    let mut tree = Tree::default();
    tree.apply("opt/venv/pyvenv.cfg", node(NodeKind::File { content: Some(settings) }));
    tree.apply(&format!("opt/venv/lib/python{}", version.minor), node(NodeKind::Directory));
    let path = "/opt/venv/bin:/usr/bin";
    let step = InterpreterStep { version: Some(version), fallback: version, path: None };
    match choose(&step, &BaseFacts::from_tree(&tree, path), path).unwrap() {
        InterpreterChoice::Continue { environment } => environment,
        other => panic!("{other:?}"),
    }
}

fn run(command: &mut Command) -> String {
    let said = command.output().unwrap();
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    String::from_utf8(said.stdout).unwrap()
}
