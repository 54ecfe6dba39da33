//! Locks of projects are installed as the tool that made them would.

use std::path::Path;
use std::process::Command;

use crate::support::{Report, Workshop, network, oracle};

const PYPROJECT: &str = "\
[build-system]
requires = ['setuptools>=68']
build-backend = 'setuptools.build_meta'
[project]
name = 'greeter'
version = '1.2'
requires-python = '>=3.9'
dependencies = ['requests', 'six==1.16.0', \"numpy; sys_platform == 'win32'\"]
optional-dependencies = { more = ['idna==3.7'] }
[dependency-groups]
dev = ['iniconfig']
";

const INTERPRETER: &str = "name: locked\npython_version: '3.11'\n";

/// uv beside the oracle, in a folder.
#[expect(clippy::disallowed_methods, reason = "the peer is a process")]
fn uv(folder: &Path, arguments: &[&str]) -> String {
    let uv = oracle().unwrap().parent().unwrap().join("uv");
    let output = Command::new(uv).args(arguments).current_dir(folder).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn lock(workshop: &Workshop) {
    uv(&workshop.path("project/app"), &["lock", "--quiet", "--python", "3.11"]);
}

/// What uv installs of a copy of the project, in which its builds leave traces.
fn synced(workshop: &Workshop, arguments: &[&str]) -> Vec<String> {
    let copy = tempfile::tempdir().unwrap();
    for file in ["pyproject.toml", "uv.lock", "greeter/__init__.py"] {
        let target = copy.path().join(file);
        fs_err::create_dir_all(target.parent().unwrap()).unwrap();
        fs_err::copy(workshop.path("project/app").join(file), target).unwrap();
    }
    let python = copy.path().join(".venv").display().to_string();
    uv(copy.path(), &[&["sync", "--frozen", "--quiet", "--python", "3.11"], arguments].concat());
    lines(&uv(copy.path(), &["pip", "list", "--format", "freeze", "--quiet", "--python", &python]))
}

/// What pip sees in the image.
fn installed(workshop: &Workshop) -> Vec<String> {
    let command = [
        "run",
        "image.yaml",
        "--",
        "python",
        "-m",
        "pip",
        "list",
        "--format",
        "freeze",
        "--disable-pip-version-check",
    ];
    lines(&workshop.run(&command).expect(0).stdout)
}

/// How many layers of the second image the first does not have.
fn moved_layers(first: &Report, second: &Report) -> usize {
    let known: Vec<_> = first.layers().iter().map(|layer| layer.digest.clone()).collect();
    second.layers().iter().filter(|layer| !known.contains(&layer.digest)).count()
}

/// All but what every environment of ours has.
fn lines(text: &str) -> Vec<String> {
    let is_ours = |line: &&str| line.starts_with("pip==") || line.starts_with("setuptools==");
    let mut lines: Vec<String> = text.lines().filter(|line| !is_ours(line)).map(str::to_owned).collect();
    lines.sort();
    lines
}

#[test]
fn a_lock_of_uv_is_installed_as_uv_does() {
    let Some(()) = network() else { return };
    let workshop = Workshop::warm();
    workshop.write("app/pyproject.toml", PYPROJECT);
    workshop.write("app/greeter/__init__.py", "GREETING = 'hello'\n");
    let spec = format!("{INTERPRETER}requirements: app/uv.lock\n");
    workshop.write("image.yaml", &spec);
    lock(&workshop);
    let first = workshop.build("image.yaml", &[]);
    assert_eq!(installed(&workshop), synced(&workshop, &["--no-dev", "--no-install-project"]));
    let plan = workshop.run(&["plan", "image.yaml"]).expect(0).stdout;
    assert!(plan.contains("app/uv.lock asks for six 1.16.0"), "{plan}");
    assert!(plan.contains("every environment has pip"), "{plan}");

    // One package moves, and one layer with it.
    workshop.write("app/pyproject.toml", PYPROJECT.replace("six==1.16.0", "six==1.17.0"));
    let exists = workshop.run(&["exists", "image.yaml"]).expect(1).stdout;
    assert!(exists.contains("app/pyproject.toml changed"), "{exists}");
    let stale = workshop.run(&["build", "image.yaml"]).expect(2).stderr;
    assert!(stale.contains("app/uv.lock does not fit its project any more"), "{stale}");
    assert!(stale.contains("run `uv lock` in the folder of the project"), "{stale}");
    lock(&workshop);
    let moved = workshop.build("image.yaml", &[]);
    assert_eq!(moved_layers(&first, &moved), 1);
    assert!(installed(&workshop).contains(&"six==1.17.0".to_owned()));

    // With the project itself, an extra and a group.
    let more = "pip_extra_args: --extra more --dev\nbuilder_options: {install_project: true}\n";
    workshop.write("image.yaml", format!("{spec}{more}"));
    let first = workshop.build("image.yaml", &[]);
    assert_eq!(installed(&workshop), synced(&workshop, &["--extra", "more", "--no-editable"]));
    workshop.write("app/greeter/__init__.py", "GREETING = 'good bye'\n");
    let exists = workshop.run(&["exists", "image.yaml"]).expect(1).stdout;
    assert!(exists.contains("app/ changed"), "{exists}");
    let moved = workshop.build("image.yaml", &[]);
    assert_eq!(moved_layers(&first, &moved), 1);

    // What the lock says of a file, the file has to be.
    let text = fs_err::read_to_string(workshop.path("project/app/uv.lock")).unwrap();
    // Of two versions the later one is for this Python.
    let rest = text.rsplit_once("/iniconfig-").unwrap().1;
    let hash = &rest.split_once("sha256:").unwrap().1[..64];
    workshop.write("app/uv.lock", text.replace(hash, &"0".repeat(64)));
    let wrong = workshop.run(&["build", "image.yaml"]);
    assert_ne!(wrong.code, Some(0));
    assert!(wrong.stderr.contains("iniconfig") && wrong.stderr.contains("sha256:000"), "{}", wrong.stderr);
}
