//! The same lock gives the same digest, whatever the machine is like.

use crate::support::{Workshop, network, oracle, run_within};
use std::path::Path;
use std::time::Duration;

const LIMIT: Duration = Duration::from_mins(5);
const SPEC: &str = "name: same\npython_version: '3.11'\npackages: [numpy, requests, six]\nenv: {A: b}\n";

/// What a machine may be like.
struct Habit {
    name: &'static str,
    wrapper: &'static [&'static str],
    variables: &'static [(&'static str, &'static str)],
    directory: &'static str,
}

const HABITS: [Habit; 4] = [
    Habit {
        name: "a strict umask, in Nepal, in Turkish",
        wrapper: &["sh", "-c", "umask 077; exec \"$0\" \"$@\""],
        variables: &[("TZ", "Asia/Kathmandu"), ("LC_ALL", "tr_TR.UTF-8"), ("LANG", "tr_TR.UTF-8")],
        directory: "elsewhere/deep",
    },
    Habit {
        name: "one core and a fixed hash seed",
        wrapper: &["taskset", "-c", "0"],
        variables: &[("PYTHONHASHSEED", "1"), ("TZ", "America/St_Johns")],
        directory: ".",
    },
    Habit {
        name: "a wide umask, another seed, and no uv by name",
        wrapper: &["sh", "-c", "umask 000; exec \"$0\" \"$@\""],
        variables: &[("PYTHONHASHSEED", "4294967295"), ("PYTHONOPTIMIZE", "2"), ("LC_ALL", "C")],
        directory: "other",
    },
    Habit { name: "another Python first", wrapper: &[], variables: &[], directory: "third" },
];

#[test]
fn the_same_lock_gives_the_same_digest_everywhere() {
    let Some(()) = network() else { return };
    let first = Workshop::unbuilt();
    first.write("image.yaml", SPEC);
    first.run(&["lock", "image.yaml"]).expect(0);
    let lock = fs_err::read(first.project().join("image.lock")).unwrap();
    let expected = first.build("image.yaml", &["--frozen"]).digest().to_owned();
    for habit in &HABITS {
        let workshop = Workshop::unbuilt();
        let directory = workshop.project().join(habit.directory);
        fs_err::create_dir_all(&directory).unwrap();
        fs_err::write(directory.join("image.yaml"), SPEC).unwrap();
        fs_err::write(directory.join("given.lock"), &lock).unwrap();
        let arguments = ["build", "image.yaml", "--json", "--lock", "given.lock", "--frozen"];
        let mut command = workshop.wrapped(habit.wrapper, &arguments);
        command.current_dir(&directory).envs(habit.variables.iter().copied());
        if habit.directory == "third" {
            command.env("PATH", with_other_python(&workshop));
        }
        let built = run_within(&mut command, LIMIT).expect(0);
        let report = crate::support::Report::parse(&built.stdout);
        assert_eq!(report.digest(), expected, "with {}", habit.name);
        assert!(!report.produced().is_empty(), "nothing was made with {}", habit.name);
    }
}

/// `PATH` with a `python3` of another release before all others, where there is one.
#[expect(clippy::disallowed_methods, reason = "the search path of this machine")]
fn with_other_python(workshop: &Workshop) -> std::ffi::OsString {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let own = version_of(&oracle().unwrap());
    let folders = std::env::split_paths(&path).chain([Path::new("/usr/bin").to_owned()]);
    let names = ["python3", "python3.9", "python3.10", "python3.11", "python3.12", "python3.13"];
    let candidates = folders.flat_map(|folder| names.map(|name| folder.join(name)));
    let other = candidates.filter(|python| python.is_file()).find(|python| version_of(python) != own);
    let folder = workshop.path("path");
    fs_err::create_dir(&folder).unwrap();
    match other {
        Some(other) => fs_err::os::unix::fs::symlink(other, folder.join("python3")).unwrap(),
        None => println!("this machine has one release of Python only"),
    }
    std::env::join_paths([folder].into_iter().chain(std::env::split_paths(&path))).unwrap()
}

#[expect(clippy::disallowed_methods, reason = "the machine's interpreters")]
fn version_of(python: &Path) -> Option<String> {
    let output = std::process::Command::new(python).arg("--version").output().ok()?;
    Some(String::from_utf8_lossy(&output.stdout).trim().to_owned()).filter(|version| !version.is_empty())
}
