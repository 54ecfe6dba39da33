//! Files of the user's: copied as they are, counted as they are, and nothing else of the machine with them.

use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use imagewright_testkit::registry::{Effect, Fault};
use imagewright_testkit::validate::Validated;
use serde_json::Value;

use crate::support::{Docker, Offline, Peers, Workshop, assert_valid, run, run_within, spawn, unique};

const LIMIT: Duration = Duration::from_mins(2);

/// A project with a package, data, links, an empty folder and much that is not to be copied.
fn project(workshop: &Workshop) {
    for (path, text) in [
        ("src/main.py", "import package.tool\n"),
        ("src/package/__init__.py", ""),
        ("src/package/tool.py", "print('tool')\n"),
        ("src/package/__pycache__/tool.cpython-311.pyc", "stale"),
        ("src/run.sh", "#!/bin/sh\necho ran\n"),
        ("src/build.log", "noise"),
        ("src/.dockerignore", "*.log\n"),
        ("src/.git/HEAD", "ref: refs/heads/main\n"),
        ("data/a.csv", "1,2\n"),
        ("data/b/c.csv", "3,4\n"),
        ("settings.toml", "a = 1\n"),
        ("elsewhere/model.bin", "model"),
    ] {
        workshop.write(path, text);
    }
    let project = workshop.project();
    fs_err::create_dir_all(project.join("src/empty/deep")).unwrap();
    fs_err::set_permissions(project.join("src/run.sh"), PermissionsExt::from_mode(0o4750)).unwrap();
    symlink("b/c.csv", project.join("data/latest.csv")).unwrap();
    symlink("b", project.join("data/newest")).unwrap();
    symlink("../elsewhere/model.bin", project.join("data/model.bin")).unwrap();
    symlink("/no/such/place", project.join("data/broken")).unwrap();
}

const FIELDS: &str = "source_root: src\nsource_copy_mode: ALL\ncopy: [data, settings.toml]\n";

/// What the lock of the project says is copied, by its name.
#[track_caller]
pub(super) fn sources(workshop: &Workshop) -> Value {
    let locked = workshop.run(&["lock", "image.yaml", "-o", "-"]).expect(0);
    let mut lock: Value = serde_json::from_str(&locked.stdout).unwrap();
    lock["sources"].take()
}

/// The paths of files and links in a source.
pub(super) fn paths(source: &Value) -> Vec<String> {
    let entries = source.as_object().unwrap_or_else(|| panic!("{source}")).iter();
    let files = entries.filter(|(_, entry)| entry["kind"] != "folder");
    files.map(|(path, _)| path.clone()).collect()
}

/// The paths below `/root` in an image, folders among them, sorted.
fn below_root(image: &Validated) -> Vec<&str> {
    let mut paths: Vec<&str> = image.paths.iter().filter_map(|path| path.strip_prefix("root/")).collect();
    paths.sort_unstable();
    paths.dedup();
    paths
}

#[test]
fn a_change_of_a_file_makes_its_layer_and_is_named() {
    let Some(world) = Offline::new() else { return };
    let workshop = &world.workshop;
    project(workshop);
    world.spec_with(&["gamma"], FIELDS);
    let exists = || workshop.run(&["exists", "image.yaml"]);
    let first = workshop.run(&["build", "image.yaml", "--json"]).expect(0);
    first.clone().says(&["the link `data/broken` leads to `/no/such/place`, which is not copied with it"]);
    let image = assert_valid(crate::support::Report::parse(&first.stdout).text("image"));
    let expected = [
        ".dockerignore",
        "data",
        "data/a.csv",
        "data/b",
        "data/b/c.csv",
        "data/broken",
        "data/latest.csv",
        "data/model.bin",
        "data/newest",
        "empty",
        "empty/deep",
        "main.py",
        "package",
        "package/__init__.py",
        "package/tool.py",
        "run.sh",
        "settings.toml",
    ];
    assert_eq!(below_root(&image), expected);
    assert_eq!(exists().expect(0).stdout, "true\n");

    workshop.write("data/b/c.csv", "3,5\n");
    let plan = workshop.run(&["plan", "image.yaml"]).expect(0).stdout;
    assert!(plan.contains("copy[0] has data copied to /root/data\n"), "{plan}");
    assert!(plan.contains("                 /root/data/b/c.csv changed\n"), "{plan}");
    assert_eq!(plan.matches("miss ").count(), 1, "{plan}");
    let built = workshop.build("image.yaml", &[]);
    assert_eq!(built.produced().len(), 1, "{:?}", built.produced());
    assert_eq!(exists().expect(0).stdout, "true\n");
}

#[test]
fn what_the_tag_does_not_count_makes_an_image_stale() {
    let Some(world) = Offline::new() else { return };
    let workshop = &world.workshop;
    project(workshop);
    let options =
        "builder_options: {bytecode: false, copy: [{source: settings.toml, destination: /etc/app/}]}\n";
    world.spec_with(&["gamma"], "");
    let text = fs_err::read_to_string(workshop.project().join("image.yaml")).unwrap();
    workshop.write("image.yaml", text.replace("builder_options: {bytecode: false}\n", options));
    let first = workshop.build("image.yaml", &[]);
    workshop.write("settings.toml", "a = 2\n");
    let stale = workshop.run(&["exists", "image.yaml"]).expect(1).stdout;
    assert!(stale.starts_with("stale: ") && stale.contains("copy: settings.toml"), "{stale}");
    let second = workshop.build("image.yaml", &[]);
    assert_eq!((second.text("status"), second.text("image")), ("stale-rebuilt", first.text("image")));
    assert!(assert_valid(second.text("image")).paths.contains(&"etc/app/settings.toml".to_owned()));
}

#[test]
fn a_frozen_lock_holds_every_file_and_another_one_goes_with_them() {
    let Some(world) = Offline::new() else { return };
    let workshop = &world.workshop;
    project(workshop);
    world.spec_with(&["gamma"], FIELDS);
    workshop.run(&["lock", "image.yaml"]).expect(0);
    let frozen = workshop.build("image.yaml", &["--frozen"]);
    assert_valid(frozen.text("image"));
    workshop.run(&["lock", "image.yaml", "--frozen"]).expect(0);

    // A lock beside the sources is not one of them.
    world.spec_with(&["gamma"], "source_root: .\nsource_copy_mode: ALL\n");
    workshop.run(&["lock", "image.yaml"]).expect(0);
    workshop.build("image.yaml", &["--frozen"]);
    workshop.write("data/a.csv", "1,3\n");
    workshop.write("src/new.py", "");
    let refused = workshop.run(&["build", "image.yaml", "--frozen"]).expect(2);
    refused.says(&["image.lock does not cover data/a.csv in source_root, src/new.py in source_root"]);

    // Nothing is resolved anew for a file.
    world.index.forget_requests();
    let built = workshop.run(&["build", "image.yaml", "--json"]).expect(0);
    built.says(&["image.lock, for copied files as they are now"]).never_says(&["resolving"]);
    assert_eq!(world.index.requests(), Vec::<String>::new());
    let relocked = workshop.run(&["lock", "image.yaml"]).expect(0);
    relocked.says(&["data/a.csv in source_root (", "src/new.py in source_root (e3b0c44298fc) is new"]);
    workshop.build("image.yaml", &["--frozen", "--force"]);
}

#[test]
fn the_same_files_are_the_same_image_on_every_machine() {
    let Some(world) = Offline::new() else { return };
    let workshop = &world.workshop;
    let project = workshop.project();
    workshop.write(".gitignore", "*.tmp\n/image.*\n.cache/\n");
    for (path, text) in
        [("src/a.py", "a"), ("src/run.sh", "#!/bin/sh\n"), ("data/b.csv", "b"), ("ünï/ö", "c")]
    {
        workshop.write(path, text);
    }
    fs_err::set_permissions(project.join("src/run.sh"), PermissionsExt::from_mode(0o755)).unwrap();
    symlink("a.py", project.join("src/link.py")).unwrap();
    world.spec_with(&["gamma"], "source_root: .\nsource_copy_mode: ALL\ncopy: [data, ünï]\n");
    git(&project, &["init", "--quiet"]);
    git(&project, &["add", "."]);
    git(&project, &["-c", "user.name=a", "-c", "user.email=a@b.c", "commit", "--quiet", "-m", "first"]);
    workshop.run(&["lock", "image.yaml"]).expect(0);
    let expected = workshop.build("image.yaml", &["--frozen"]).digest().to_owned();
    for (name, umask) in [("strict", "077"), ("wide/deep/er", "000")] {
        let other = Workshop::new();
        let clone = other.path(name);
        let script = format!("umask {umask}; mkdir -p \"$1\" && git clone --quiet \"$0\" \"$1\"");
        let arguments = ["-c", &script, project.to_str().unwrap(), clone.to_str().unwrap()];
        run("sh", &arguments);
        // What a machine may have besides.
        fs_err::write(clone.join("src/noise.tmp"), name).unwrap();
        fs_err::create_dir_all(clone.join("src/__pycache__")).unwrap();
        fs_err::write(clone.join("src/__pycache__/a.cpython-311.pyc"), name).unwrap();
        for file in ["image.yaml", "image.lock"] {
            fs_err::copy(project.join(file), clone.join(file)).unwrap();
        }
        let script = format!("umask {umask}; exec \"$0\" \"$@\"");
        let arguments = ["build", "image.yaml", "--json", "--frozen", "--force"];
        let mut command = other.wrapped(&["sh", "-c", &script], &arguments);
        let built = run_within(command.current_dir(&clone).env("TZ", "Asia/Kathmandu"), LIMIT).expect(0);
        let report = crate::support::Report::parse(&built.stdout);
        assert_eq!(report.digest(), expected, "{name}");
        assert!(!report.produced().is_empty(), "nothing was made for {name}");
    }
}

#[test]
fn a_source_that_cannot_be_copied_is_named() {
    let Some(world) = Offline::new() else { return };
    let workshop = &world.workshop;
    let data = workshop.project().join("data");
    workshop.write("data/a.csv", "1");
    let refused = |fields: &str, told: &[&str]| {
        world.spec_with(&["gamma"], fields);
        for command in ["build", "plan", "exists", "lock"] {
            workshop.run(&[command, "image.yaml"]).expect(2).says(told);
        }
        assert!(world.registry.requests().iter().all(|request| request.method != "PUT"), "{fields}");
    };
    refused(
        "copy: [data, missing.csv]\n",
        &["error: copy: there is no `missing.csv`", "hint: paths in a spec"],
    );
    refused(
        "source_root: data/a.csv\nsource_copy_mode: ALL\n",
        &["cannot read `data/a.csv`", "not a folder"],
    );
    for mode in ["", "source_copy_mode: LOADED_MODULES\n"] {
        let told = ["`LOADED_MODULES`", "in a Python process only", "`source_copy_mode: ALL`"];
        refused(&format!("source_root: data\n{mode}"), &told);
    }
    refused("copy: [/etc/passwd]\n", &["`/etc/passwd` is absolute", "hint: "]);
    refused("copy: [../x]\n", &["`../x` has a `..` in it", "hint: "]);
    let odd = std::ffi::OsString::from(std::path::PathBuf::from(
        <std::ffi::OsStr as std::os::unix::ffi::OsStrExt>::from_bytes(b"\xff.csv"),
    ));
    fs_err::write(data.join(&odd), "").unwrap();
    refused("copy: [data]\n", &["is not UTF-8"]);
    fs_err::remove_file(data.join(&odd)).unwrap();

    run("mkfifo", &[data.join("pipe").to_str().unwrap()]);
    refused("copy: [data/pipe]\n", &["copy: cannot read `data/pipe`", "not a file or a folder"]);
    world.spec_with(&["gamma"], "copy: [data]\n");
    let built = workshop.run(&["build", "image.yaml", "--json"]).expect(0);
    built.says(&["`data/pipe` is a pipe, socket or device, and is not copied"]);
    assert_eq!(paths(&sources(workshop)["copy: data"]), ["a.csv"]);
}

#[test]
fn what_may_not_be_read_is_named() {
    let Some(world) = Offline::new() else { return };
    let workshop = &world.workshop;
    world.spec_with(&["gamma"], "copy: [data]\n");
    let file = workshop.write("data/b/secret", "1");
    fs_err::set_permissions(&file, PermissionsExt::from_mode(0o000)).unwrap();
    // Root may read everything, but for these capabilities.
    let drop = ["setpriv", "--bounding-set=-dac_override,-dac_read_search", "--inh-caps=-all"];
    let wrapper = if rustix::process::geteuid().is_root() { &drop[..] } else { &[] };
    let refused = |told| {
        let mut command = workshop.wrapped(wrapper, &["build", "image.yaml"]);
        run_within(&mut command, LIMIT).expect(2).says(&[told, "Permission denied"]);
    };
    refused("copy: cannot read `data/b/secret`");
    fs_err::set_permissions(file.parent().unwrap(), PermissionsExt::from_mode(0o000)).unwrap();
    refused("copy: cannot read `data/b`");
    fs_err::set_permissions(file.parent().unwrap(), PermissionsExt::from_mode(0o700)).unwrap();
}

#[test]
fn a_file_that_changes_meanwhile_is_noticed() {
    let Some(world) = Offline::new() else { return };
    let workshop = &world.workshop;
    workshop.write("data/a.csv", "1,2");
    world.spec_with(&["gamma"], "copy: [data]\n");
    // The base is asked for when the files have been counted, and comes late.
    let late = Effect::Delay(Duration::from_secs(3));
    world.registry.inject(Fault::on("GET", "/base/", late).times(1));
    let building = spawn(&mut workshop.command(&["build", "image.yaml"]));
    let limit = Instant::now() + LIMIT;
    while !world.registry.requests().iter().any(|request| request.path.contains("/base/")) {
        assert!(Instant::now() < limit, "the base is not asked for");
        std::thread::sleep(Duration::from_millis(10));
    }
    workshop.write("data/a.csv", "1,3");
    let output = building.wait_with_output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{told}");
    assert!(told.contains("`data/a.csv` changed while it was copied"), "{told}");
    assert!(
        !world
            .registry
            .requests()
            .iter()
            .any(|request| { request.method == "PUT" && request.path.contains("/manifests/") })
    );
    workshop.build("image.yaml", &[]);
}

#[test]
fn what_was_named_on_purpose_is_copied_though_it_is_ignored() {
    let Some(world) = Offline::new() else { return };
    let workshop = &world.workshop;
    git(&workshop.project(), &["init", "--quiet"]);
    workshop.write(".gitignore", "models/\n*.bin\nnotes.txt\n");
    workshop.write(".dockerignore", "*\n!src\n**/*.md\n");
    for path in ["models/a.bin", "models/b/c.txt", "a.bin", "data/x.bin", "data/y.txt", "data/z.md"] {
        workshop.write(path, path);
    }
    for path in ["src/a.py", "src/a.bin", "src/README.md", "src/notes.txt"] {
        workshop.write(path, path);
    }
    world.spec_with(&["gamma"], "copy: [models, a.bin, data, src]\n");
    let sources = sources(workshop);
    assert_eq!(paths(&sources["copy: models"]), ["a.bin", "b/c.txt"]);
    assert_eq!(paths(&sources["copy: a.bin"]), ["."]);
    // Docker's file names `data` itself, and so says nothing about what is in it; git's does.
    assert_eq!(paths(&sources["copy: data"]), ["y.txt", "z.md"]);
    assert_eq!(paths(&sources["copy: src"]), ["a.py"]);

    // A checkout may be somebody else's, as in most pipelines.
    if rustix::process::geteuid().is_root() {
        for folder in ["", ".git"] {
            chown(workshop.project().join(folder), Some(65534), Some(65534)).unwrap();
        }
        assert_eq!(paths(&self::sources(workshop)["copy: src"]), ["a.py"]);
    }
}

/// Patterns, and files that try them.
const PATTERNS: &str = "# a comment\n\n**/node_modules\n*.log\nsrc/tmp*\n**/secret?.txt\n!src/deep/secret1.txt\n\
                        docs/**/*.md\n!docs/README.md\n/build/\nsrc/[ab].bin\nsrc/[^a-y].dat\n  spaced.txt  \n\
                        x/../top.txt\n.env*\n!.env.example\n*/only-one-deep\nCASE.txt\n";
const TRIED: [&str; 32] = [
    "node_modules/a.js",
    "src/node_modules/b/c.js",
    "a.log",
    "src/a.log",
    "src/tmp1",
    "src/tmpdir/x",
    "tmp1",
    "src/secret1.txt",
    "src/deep/secret1.txt",
    "secret12.txt",
    "docs/a.md",
    "docs/deep/b.md",
    "docs/README.md",
    "docs/deep/README.md",
    "docs/c.txt",
    "build/x",
    "src/build/x",
    "src/a.bin",
    "src/c.bin",
    "src/z.dat",
    "src/b.dat",
    "spaced.txt",
    "top.txt",
    "x/top.txt",
    ".env",
    ".env.example",
    "src/.env",
    "src/only-one-deep",
    "src/deep/only-one-deep",
    "case.txt",
    "CASE.txt",
    "src/ünï.txt",
];

#[test]
fn docker_ignores_the_same_files() {
    let (Some(peers), Some(world)) = (Peers::find(), Offline::new()) else { return };
    let workshop = &world.workshop;
    workshop.write(".dockerignore", PATTERNS);
    for path in TRIED {
        workshop.write(path, path);
    }
    world.spec_with(&["gamma"], "copy: [.]\n");
    workshop.write("Dockerfile", format!("FROM {}/debian:bookworm\nCOPY . /copied\n", peers.bases));
    let ours = paths(&sources(workshop)["copy: ."]);
    let (host, image) = (format!("unix://{}", peers.docker), format!("{}:1", unique("ignored")));
    let context = workshop.project().display().to_string();
    let arguments = ["-c", "DOCKER_BUILDKIT=0 exec docker \"$@\"", "sh", "--host", &host, "build", "--quiet"];
    run("sh", &[&arguments[..], &["--tag", &image, &context]].concat());
    let container = Docker::loaded(&peers.docker, &image);
    let found = container.run(&["find", "/copied", "-type", "f", "-printf", "%P\n"]);
    let mut theirs: Vec<&str> = found.lines().collect();
    theirs.sort_unstable();
    assert_eq!(ours, theirs);
}

/// Prints what flytekit would copy of an absolute root.
const SELECTION: &str = "
import os, sys
from flytekit.constants import CopyFileDetection
from flytekit.tools.ignore import DockerIgnore, GitIgnore, IgnoreGroup, StandardIgnore
from flytekit.tools.script_mode import ls_files
root = sys.argv[1]
ignore = IgnoreGroup(root, [GitIgnore, DockerIgnore, StandardIgnore])
files, _ = ls_files(root, CopyFileDetection.ALL, deref_symlinks=False, ignore_group=ignore)
for file in files:
    print(os.path.relpath(file, root))
";

#[test]
fn flytekit_copies_the_same_files() {
    let (Some(world), Some(python)) = (Offline::new(), crate::support::oracle()) else { return };
    let workshop = &world.workshop;
    let root = workshop.path("root");
    let files = [
        ".gitignore",
        ".dockerignore",
        "a.py",
        "b/c.py",
        "b/__pycache__/c.cpython-311.pyc",
        "d.pyc",
        "e.log",
        ".cache/f",
        "b/.cache/g",
        "h/i/j.tmp",
        "h/k.txt",
        "out/l",
        "out/m/n",
        "tracked.log",
        "deep/o/p.csv",
        "deep/q.csv",
    ];
    for path in files {
        let path = root.join(path);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(path, "x").unwrap();
    }
    fs_err::write(root.join(".gitignore"), "*.log\nout/\n").unwrap();
    fs_err::write(root.join(".dockerignore"), "h/**/*.tmp\ndeep\n!deep/q.csv\n").unwrap();
    symlink("a.py", root.join("link.py")).unwrap();
    git(&root, &["init", "--quiet"]);
    git(&root, &["add", "--force", "tracked.log", "a.py"]);
    world.spec_with(&["gamma"], &format!("source_root: {}\nsource_copy_mode: ALL\n", root.display()));
    let ours = paths(&sources(workshop)["source_root"]);
    let script = workshop.write("selection.py", SELECTION);
    let told = run(python.to_str().unwrap(), &[script.to_str().unwrap(), root.to_str().unwrap()]);
    let mut theirs: Vec<&str> = told.lines().collect();
    theirs.sort_unstable();
    assert_eq!(ours, theirs);
}

#[test]
fn others_run_an_image_with_copies() {
    let Some(peers) = Peers::find() else { return };
    let workshop = Workshop::warm();
    project(&workshop);
    let name = unique("copies");
    workshop.write(
        "image.yaml",
        format!(
            "name: {name}\nregistry: {}\nbase_image: {}/debian-python:bookworm\npackages: [six]\n{FIELDS}\
             builder_options:\n  copy:\n  - {{source: data, destination: /srv/app/data, owner: 'www-data:flytekit', \
             mode: '0640'}}\n",
            peers.registry, peers.bases
        ),
    );
    let report = workshop.build("image.yaml", &[]);
    assert_valid(report.text("image"));
    let script = "cd /root && stat -c '%n %U:%G %a %F' . run.sh data data/b data/b/c.csv package empty/deep \
                  /srv /srv/app /srv/app/data /srv/app/data/a.csv /tmp && readlink data/latest.csv && \
                  cat data/newest/c.csv data/model.bin && echo && ./run.sh && python main.py && touch data/new";
    let expected = "\
        . flytekit:flytekit 700 directory\n\
        run.sh flytekit:flytekit 755 regular file\n\
        data flytekit:flytekit 755 directory\n\
        data/b flytekit:flytekit 755 directory\n\
        data/b/c.csv flytekit:flytekit 644 regular file\n\
        package flytekit:flytekit 755 directory\n\
        empty/deep flytekit:flytekit 755 directory\n\
        /srv root:root 755 directory\n\
        /srv/app root:root 755 directory\n\
        /srv/app/data www-data:flytekit 750 directory\n\
        /srv/app/data/a.csv www-data:flytekit 640 regular file\n\
        /tmp root:root 1777 directory\n\
        b/c.csv\n3,4\nmodel\nran\ntool";
    let ours = workshop.run(&["run", "image.yaml", "--", "sh", "-c", script]).expect(0);
    assert_eq!(ours.stdout.trim_end(), expected);
    let container = Docker::pull(&peers.docker, report.text("image"));
    assert_eq!(container.run(&["sh", "-c", script]), expected);
}

#[expect(clippy::disallowed_methods, reason = "a peer")]
pub(super) fn git(folder: &Path, arguments: &[&str]) {
    let mut command = Command::new("git");
    run_within(command.args(arguments).current_dir(folder), LIMIT).expect(0);
}
