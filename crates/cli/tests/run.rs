use std::io::{BufRead as _, BufReader};
use std::process::Stdio;
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::support::Run;
use crate::traces::{entries, eventually, mounts_of, processes_with};
use crate::user::{User, Who, bases, network};

/// The command that the README shows.
const SKLEARN: &str = include_str!("../../../examples/sklearn.yaml");

#[test]
fn the_command_of_the_readme_prints_a_version_for_everybody() {
    if network().is_none() {
        return;
    }
    let root = User::new(Who::Root);
    for who in Who::ALL {
        let user = if who == Who::Root { &root } else { &User::new(who) };
        user.take_store_of(&root);
        user.write("sklearn.yaml", SKLEARN);
        let script = "import sklearn, pandas; print(sklearn.__version__)";
        let python = ["run", "sklearn.yaml", "--", "python", "-c", script];
        let ended = user.run(&python).expect(0);
        assert!(ended.stdout.starts_with("1."), "{who:?}: {}", ended.stdout);
        assert_eq!(ended.count("unpacking scikit-learn"), 1, "{who:?}: {}", ended.stderr);
        assert_eq!(entries(&user.store().join("staging")), Vec::<String>::new(), "{who:?}");
        assert_eq!(mounts_of(user), Vec::<String>::new(), "{who:?}");
        // Everything is there now, and nothing is worth a line.
        let again = user.run(&python).expect(0);
        assert_eq!((again.stdout, again.stderr), (ended.stdout, String::new()), "{who:?}");
    }
}

#[test]
fn the_command_has_what_the_image_and_the_arguments_say() {
    let Some(bases) = bases() else { return };
    let root = User::new(Who::Root);
    for who in Who::ALL {
        let user = if who == Who::Root { &root } else { &User::new(who) };
        user.take_store_of(&root);
        user.write(
            "image.yaml",
            &format!(
                "name: said\nbase_image: {bases}/debian-python:bookworm\npackages: [six]\nenv: {{COLOUR: green}}\n"
            ),
        );
        user.write("shown", "from the machine");
        let run = |options: &[&str], script: &str| {
            let words = [&["run", "image.yaml"], options, &["--", "sh", "-c", script]].concat();
            user.run(&words).expect(0).stdout
        };
        assert_eq!(run(&[], "echo $COLOUR $(id -un) $(pwd) $HOME"), "green flytekit /root /home/flytekit\n");
        let options = ["-e", "COLOUR=blue", "--user", "root", "-w", "/made/here"];
        assert_eq!(run(&options, "echo $COLOUR $(id -u) $(pwd)"), "blue 0 /made/here\n", "{who:?}");
        assert_eq!(run(&["-v", "shown:/mnt/shown:ro"], "cat /mnt/shown"), "from the machine");
        assert_eq!(run(&["--sandbox", user.mode()], "echo as before"), "as before\n");
        assert_eq!(run(&["--network", "none"], "cat /proc/net/dev | grep -c :"), "1\n", "{who:?}");
        let piped = user.run_with(&["run", "image.yaml", "--", "cat"], b"through").expect(0);
        assert_eq!(piped.stdout, "through");
    }
}

#[test]
fn the_exit_code_is_the_commands() {
    let Some(bases) = bases() else { return };
    let image = format!("{bases}/debian:bookworm");
    for who in Who::ALL {
        let user = User::new(who);
        let run = |words: &[&str]| user.run(&[&["run", &image, "--"], words].concat());
        run(&["sh", "-c", "exit 7"]).expect(7);
        run(&["sh", "-c", "kill -9 $$"]).expect(128 + 9);
        run(&["no-such-program"]).expect(127).says(&["no program `no-such-program`"]);
        run(&["/etc/passwd"]).expect(126);
        user.run(&["run", &image, "--user", "nobody-knows", "--", "true"]).expect(2);
        user.run(&["run", &image, "-v", "relative", "--", "true"]).expect(2);
        let missing = user.run(&["run", &image, "-v", "/no/such:/x", "--", "true"]).expect(2);
        missing.says(&["there is no `/no/such`"]);
        // With a single id everybody is the user who runs it.
        if who != Who::NoTools {
            let closed = ["run", &image, "-u", "12345:6", "-w", "/root/closed", "--", "true"];
            user.run(&closed).expect(2).says(&["hint: start in a directory that this user may enter"]);
        }
        user.run(&["run", "no-such.yaml", "--", "true"]).expect(2);
        user.run(&["run", &format!("{bases}/no-such:1"), "--", "true"]).expect(4);
        let foreign = user.run(&["run", &image, "--platform", "linux/s390x", "--", "true"]).expect(4);
        foreign.says(&["it is there for linux/amd64"]);
    }
}

#[test]
fn two_at_once_share_the_work() {
    let Some(bases) = bases() else { return };
    let user = User::new(Who::Subordinate);
    let image = format!("{bases}/debian-python:bookworm");
    let start = || {
        let mut command = user.command(&["run", &image, "--", "python3", "-c", "print('both')"]);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let ended = [start(), start()].map(|child| Run::of(&child.wait_with_output().unwrap()).expect(0));
    let times = |text| ended.iter().map(|ended| ended.count(text)).sum::<usize>();
    assert_eq!((times("getting"), times("unpacking")), (1, 1), "{ended:?}");
    assert!(ended.iter().all(|ended| ended.stdout == "both\n"));
}

#[test]
fn nothing_outlives_a_killed_imagewright() {
    let Some(bases) = bases() else { return };
    let image = format!("{bases}/debian:bookworm");
    for (number, who) in Who::ALL.into_iter().enumerate() {
        let user = User::new(who);
        let mark = format!("9{}4{number}", std::process::id());
        let script = format!("mkdir -m 0 /tmp/x; touch /tmp/y; sleep {mark} & echo ready; sleep {mark}");
        let mut command = user.command(&["run", &image, "--", "sh", "-c", &script]);
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line, "ready\n", "{who:?}");
        kill_process(Pid::from_child(&child), Signal::KILL).unwrap();
        child.wait().unwrap();
        eventually("the command is killed", || processes_with(&mark).is_empty());
        assert_eq!(mounts_of(&user), Vec::<String>::new(), "{who:?}");
        user.run(&["run", &image, "--", "true"]).expect(0);
        assert_eq!(entries(&user.store().join("staging")), Vec::<String>::new(), "{who:?}");
    }
}

#[test]
fn a_run_that_is_killed_while_it_unpacks_leaves_nothing_half_done() {
    let Some(bases) = bases() else { return };
    let image = format!("{bases}/debian-python:bookworm");
    for who in Who::ALL {
        let user = User::new(who);
        for pause in [20, 150, 300, 500, 700] {
            let mut command = user.command(&["run", &image, "--", "true"]);
            let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
            let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
            // From the moment that a layer is unpacked on, or at once if it is already.
            lines.find(|line| line.as_ref().is_ok_and(|line| line.contains("unpacking")));
            thread::sleep(Duration::from_millis(pause));
            kill_process(Pid::from_child(&child), Signal::KILL).unwrap();
            child.wait().unwrap();
        }
        let ended = user.run(&["run", &image, "--", "python3", "-c", "import ssl; print('whole')"]).expect(0);
        assert_eq!(ended.stdout, "whole\n", "{who:?}");
        assert_eq!(entries(&user.store().join("staging")), Vec::<String>::new(), "{who:?}");
    }
}

#[test]
fn what_is_pruned_is_gone_and_comes_back_whole() {
    let Some(bases) = bases() else { return };
    // It has files of many owners, in directories of theirs.
    let spec = format!("name: pruned\nbase_image: {bases}/debian-python:bookworm\npackages: [six]\n");
    let root = User::new(Who::Root);
    for who in Who::ALL {
        let user = if who == Who::Root { &root } else { &User::new(who) };
        user.take_store_of(&root);
        user.write("image.yaml", &spec);
        let whoami = ["run", "image.yaml", "--", "id", "-un"];
        user.run(&whoami).expect(0);
        let report = user.run(&["cache", "prune", "--max-size", "0B"]).expect(0);
        assert!(!report.stdout.contains("could not be removed"), "{who:?}: {}", report.stdout);
        assert_eq!(entries(&user.store().join("roots")), Vec::<String>::new(), "{who:?}");
        assert_eq!(user.run(&whoami).expect(0).stdout, "flytekit\n", "{who:?}");
    }
}

/// Flips one bit in the middle of the layer's file in the user's store, and forgets what was unpacked.
fn damage_layer(user: &User, is_it: impl Fn(&std::path::Path) -> bool) {
    let blobs = fs_err::read_dir(user.store().join("blobs")).unwrap().map(|entry| entry.unwrap().path());
    let path = blobs.into_iter().find(|path| is_it(path)).expect("the layer is in the store");
    let mut bytes = fs_err::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x10;
    fs_err::write(&path, bytes).unwrap();
    fs_err::remove_dir_all(user.store().join("roots")).unwrap();
    fs_err::create_dir(user.store().join("roots")).unwrap();
}

#[test]
fn a_damaged_layer_is_had_again_before_the_command_runs() {
    let Some(bases) = bases() else { return };
    let user = User::new(Who::Root);
    let base = format!("{bases}/debian-python:bookworm");
    user.write("image.yaml", &format!("name: rotten\nbase_image: {base}\npackages: [six]\n"));
    let warned = "is damaged in the store, and is made or fetched again";

    // A layer of a spec, which is made again.
    let six = ["run", "image.yaml", "--", "python", "-c", "import six; print(six.__name__)"];
    user.run(&six).expect(0);
    let is_spliced = |path: &std::path::Path| path.extension().is_some_and(|end| end == "spliced");
    damage_layer(&user, is_spliced);
    let ended = user.run(&six).expect(0);
    assert_eq!((ended.stdout.as_str(), ended.count(warned)), ("six\n", 1), "{}", ended.stderr);

    // A layer of an image in a registry, which is fetched again.
    let largest = |user: &User| {
        let blobs = fs_err::read_dir(user.store().join("blobs")).unwrap().map(|entry| entry.unwrap().path());
        blobs.max_by_key(|path| fs_err::metadata(path).unwrap().len()).unwrap()
    };
    let layer = largest(&user);
    damage_layer(&user, |path| path == layer);
    let ended = user.run(&["run", &base, "--", "echo", "whole"]).expect(0);
    assert_eq!((ended.stdout.as_str(), ended.count(warned)), ("whole\n", 1), "{}", ended.stderr);
    assert_eq!(ended.count("getting"), 1, "{}", ended.stderr);

    // A layer of an image that is nowhere else, by its name: only its spec could make it.
    user.write(
        "alone.yaml",
        &format!("name: alone\nregistry: localhost:1\nbase_image: {base}\npackages: [six]\n"),
    );
    let built = user.run(&["build", "alone.yaml", "--no-push"]).expect(0);
    let by_name = ["run", built.stdout.trim(), "--", "true"];
    user.run(&by_name).expect(0);
    damage_layer(&user, is_spliced);
    let ended = user.run(&by_name).expect(6);
    assert_eq!(ended.count("what was damaged in the store is removed"), 1, "{}", ended.stderr);
    assert_eq!(ended.count("hint: build the image again"), 1, "{}", ended.stderr);
    user.run(&["build", "alone.yaml", "--no-push"]).expect(0);
    user.run(&by_name).expect(0);
}
