//! Locks of projects are installed as the tool that made them would.

use std::path::Path;
use std::process::Command;

use imagewright_oci::Digest;
use imagewright_testkit::wheel::WheelBuilder;
use serde_json::json;

use crate::support::{Offline, Report, Workshop, network, oracle, small};

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

/// The lock of a project without dependencies, for Pythons that this machine's need not be among.
const YOUNG: &str = "\
version = 1
revision = 2
requires-python = '>=3.13'
[[package]]
name = 'greeter'
version = '1.2'
source = { editable = '.' }
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

    // Whatever the Python of this machine is, it is held against its project with one that this is for.
    let young = PYPROJECT.replace(">=3.9", ">=3.13").replace("'requests', 'six==1.16.0', ", "'six', ");
    workshop.write("young/pyproject.toml", young);
    workshop.write("young/uv.lock", YOUNG);
    workshop.write("young.yaml", "name: young\npython_version: '3.13'\nrequirements: young/uv.lock\n");
    let stale = workshop.run(&["lock", "young.yaml", "-o", "-"]).expect(2).stderr;
    assert!(stale.contains("young/uv.lock does not fit its project any more"), "{stale}");

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

fn sha256(wheel: &WheelBuilder) -> String {
    Digest::of(&wheel.bytes()).hex()
}

/// The packages of an image that a lock brought.
fn brought(report: &Report) -> String {
    let mut packages = report.packages();
    packages.retain(|package| !package.starts_with("pip ") && !package.starts_with("setuptools "));
    packages.sort();
    packages.join(", ")
}

#[test]
fn a_lock_of_poetry_is_installed_as_it_is() {
    let Some(world) = Offline::new() else { return };
    // What a package says that it needs, only the lock decides.
    let top = small("top", "1.0").requires("absent");
    for wheel in [&top, &small("gamma", "2.0"), &small("tool", "1.0")] {
        world.index.add(wheel);
    }
    let package = |wheel: &WheelBuilder, name: &str, group: &str, rest: &str| {
        format!(
            "[[package]]\nname = \"{name}\"\nversion = \"1.0\"\noptional = false\npython-versions = \"*\"\n\
             groups = [\"{group}\"]\nfiles = [{{file = \"x\", hash = \"md5:{}\"}}, {{file = \"{}\", hash = \"sha256:{}\"}}]\n{rest}",
            "0".repeat(32),
            wheel.filename(),
            sha256(wheel)
        )
    };
    let own = format!(
        "[package.source]\ntype = \"legacy\"\nurl = \"{}\"\nreference = \"own\"\n",
        world.index.url()
    );
    let lock = [
        package(&small("gamma", "1.0"), "gamma", "main", &own),
        package(&top, "top", "main", ""),
        package(&small("tool", "1.0"), "tool", "dev", ""),
        "[metadata]\nlock-version = \"2.1\"\npython-versions = \">=3.9\"\ncontent-hash = \"other\"\n"
            .to_owned(),
    ];
    let lock = lock.join("");
    world.workshop.write("app/pyproject.toml", "[tool.poetry]\nname = 'app'\nversion = '1'\n");
    world.workshop.write("app/poetry.lock", &lock);
    world.spec_with(&[], "requirements: app/poetry.lock\n");
    world.workshop.run(&["build", "image.yaml"]).expect(2).says(&["does not fit its project", "`--frozen`"]);
    for (words, expected) in
        [("--frozen", "gamma 1.0, tool 1.0, top 1.0"), ("--frozen --without dev", "gamma 1.0, top 1.0")]
    {
        world.spec_with(&[], &format!("requirements: app/poetry.lock\npip_extra_args: {words}\n"));
        assert_eq!(brought(&world.workshop.build("image.yaml", &[])), expected, "{words}");
    }
    world.workshop.write("app/poetry.lock", lock.replace(&sha256(&top), &"0".repeat(64)));
    let wrong = world.workshop.run(&["build", "image.yaml"]);
    assert!(wrong.code != Some(0) && wrong.stderr.contains("top"), "{}", wrong.stderr);
}

#[test]
fn a_pylock_is_installed_as_it_is_and_with_more() {
    let Some(world) = Offline::new() else { return };
    let (gamma, secret) = (small("gamma", "1.0"), small("secret", "1.0"));
    for wheel in [&small("gamma", "2.0"), &small("needs", "1.0").requires("secret").requires("gamma")] {
        world.index.add(wheel);
    }
    let package = |name: &str, wheel: &WheelBuilder, place: &str| {
        format!(
            "[[packages]]\nname = '{name}'\nversion = '1.0'\n\
             wheels = [{{ {place}{}', hashes = {{ sha256 = '{}' }} }}]\n",
            wheel.filename(),
            sha256(wheel)
        )
    };
    let of_index = world.index.file_url(&gamma.filename());
    let of_index = of_index.strip_suffix(&gamma.filename()).unwrap();
    let lock = [
        "lock-version = '1.0'\ncreated-by = 'somebody'\n".to_owned(),
        package("gamma", &gamma, &format!("url = '{of_index}")),
        // No index has it.
        package("secret", &secret, "path = 'a #;b/"),
    ];
    world.workshop.write("pylock.toml", lock.join(""));
    world.workshop.write(&format!("a #;b/{}", secret.filename()), secret.bytes());
    world.spec_with(&[], "requirements: pylock.toml\n");
    assert_eq!(brought(&world.workshop.build("image.yaml", &[])), "gamma 1.0, secret 1.0");

    let host = world.registry.host();
    for words in ["--no-cache-dir", "--ignore-installed"] {
        let request = json!({
            "spec": {
                "name": "more", "registry": host, "base_image": format!("{host}/base:1"),
                "pip_index": world.index.url(), "requirements": "pylock.toml", "pip_extra_args": words,
                "builder_options": { "bytecode": false },
            },
            "with": ["needs"],
        });
        let built = world.workshop.run_on(&request.to_string(), &["build", "-", "--json"]).expect(0);
        assert_eq!(brought(&Report::parse(&built.stdout)), "gamma 1.0, needs 1.0, secret 1.0", "{words}");
    }
}
