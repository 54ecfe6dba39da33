//! Versions that apt chose are kept to, until they are to be chosen anew.

use std::path::Path;
use std::time::Duration;

use imagewright_testkit::archive::TestArchive;

use crate::support::{Peers, Report, Run, Workshop, run_within};

/// A base whose only source of packages is an archive of the test, and a workshop.
struct World {
    workshop: Workshop,
    archive: TestArchive,
}

impl World {
    /// `app` needs `lib`, and both are there in version 1.0. The base says that it is Ubuntu.
    fn new() -> Option<Self> {
        let peers = Peers::find()?;
        let (workshop, archive) = (Workshop::warm(), TestArchive::start());
        archive.add("app", "1:1.0", "lib");
        archive.add("lib", "1.0", "");
        workshop.write("files/test.sources", archive.source());
        workshop.write("files/release", "ID=ubuntu\nPRETTY_NAME=\"Ubuntu 24.04 LTS\"\n");
        let base = format!(
            "name: ubuntu\nbase_image: {}/debian-python:bookworm\nbuilder_options: {{bytecode: false}}\n\
             copy: [files]\ncommands: ['rm -r /etc/apt/sources.list*', 'mkdir /etc/apt/sources.list.d', \
             'cp /root/files/test.sources /etc/apt/sources.list.d/', 'cp /root/files/release /etc/os-release']\n",
            peers.bases
        );
        workshop.write("base.yaml", base);
        workshop.build("base.yaml", &["--output", "oci:base"]);
        Some(Self { workshop, archive })
    }

    fn spec(&self, apt: &str, python: &str) {
        self.workshop.write(
            "image.yaml",
            format!(
                "name: apt\nbase_image: oci:base\npackages: [{python}]\napt_packages: [{apt}]\n\
                 builder_options: {{bytecode: false}}\n"
            ),
        );
    }

    #[track_caller]
    fn build(&self, arguments: &[&str]) -> Report {
        self.workshop.build("image.yaml", arguments)
    }

    /// On a machine that has built nothing before.
    fn run_elsewhere(&self, store: &Path, arguments: &[&str]) -> Run {
        let mut command = self.workshop.command(arguments);
        run_within(command.env("IMAGEWRIGHT_STORE", store), Duration::from_mins(3))
    }
}

/// `app 1:1.0, lib 1.0`: what is in an image of the packages of the test.
fn versions(report: &Report) -> String {
    let is_ours = |name: &String| ["app ", "lib ", "more "].iter().any(|ours| name.starts_with(ours));
    report.packages().into_iter().filter(is_ours).collect::<Vec<_>>().join(", ")
}

/// Everything is made again, whatever is there.
const AGAIN: [&str; 2] = ["--force", "--no-cache"];

#[test]
fn versions_are_kept_while_the_archive_has_newer_ones() {
    let Some(world) = World::new() else { return };
    world.spec("app", "six");
    let first = world.build(&[]);
    assert_eq!(versions(&first), "app 1:1.0, lib 1.0");
    world.archive.add("app", "1:2.0", "lib");
    world.archive.add("lib", "2.0", "");
    let again = world.build(&AGAIN);
    assert_eq!((versions(&again), again.digest()), (versions(&first), first.digest()));
    world.spec("app, more", "six, idna");
    world.archive.add("more", "1.0", "");
    let more = world.build(&[]);
    assert_eq!(versions(&more), "app 1:1.0, lib 1.0, more 1.0", "a new package moves no other");
    world.spec("app=1:2.0, more", "six, idna");
    assert_eq!(versions(&world.build(&[])), "app 1:2.0, lib 1.0, more 1.0", "the spec goes first");
    let refreshed = world.build(&["--refresh"]);
    assert_eq!(versions(&refreshed), "app 1:2.0, lib 2.0, more 1.0");
    assert_eq!(world.build(&["--refresh"]).digest(), refreshed.digest(), "nothing moved");
    world.spec("app=1:1.0, more", "six, idna");
    assert_eq!(versions(&world.build(&[])), "app 1:1.0, lib 2.0, more 1.0", "an older one, too");
}

#[test]
fn a_frozen_build_installs_what_the_lock_has_or_says_that_it_is_gone() {
    let Some(world) = World::new() else { return };
    world.spec("app", "six");
    world.workshop.run(&["lock", "image.yaml"]).expect(0).says(&["resolving apt packages: app"]);
    let lock = || fs_err::read_to_string(world.workshop.project().join("image.lock")).unwrap();
    assert!(lock().contains("app=1:1.0") && lock().contains("lib=1.0"), "{}", lock());
    world.archive.add("app", "1:2.0", "lib");
    world.archive.add("lib", "2.0", "");
    let first = world.build(&["--frozen"]);
    assert_eq!(versions(&first), "app 1:1.0, lib 1.0", "nothing is chosen but what is in the lock");
    let before = lock();
    world.workshop.run(&["lock", "image.yaml"]).expect(0).says(&["image.lock is up to date"]);
    assert_eq!((lock(), world.build(&[]).text("status")), (before, "exists"));

    // A build of yesterday, or one on another machine, has no say.
    let elsewhere = Workshop::warm();
    let build = ["build", "image.yaml", "--json"];
    let there = world.run_elsewhere(elsewhere.store_path(), &[&build[..], &["--frozen"]].concat()).expect(0);
    assert_eq!(Report::parse(&there.stdout).digest(), first.digest());
    let frozen = world.build(&[&["--frozen"], &AGAIN[..]].concat());
    assert_eq!((versions(&frozen), frozen.digest()), (versions(&first), first.digest()));
    world.archive.remove("app", "1:1.0");
    world.archive.remove("lib", "1.0");
    let kept = world.build(&[&["--frozen"], &AGAIN[..]].concat());
    assert_eq!(kept.digest(), first.digest(), "the store has kept the packages");

    let other = Workshop::warm();
    world.run_elsewhere(other.store_path(), &[&build[..], &["--frozen"]].concat()).expect(3).says(&[
        "error: Ubuntu 24.04 LTS has app=1:1.0, lib=1.0 no longer, and the store has not kept them",
        "hint: choose anew with `imagewright lock SPEC --upgrade apt`",
    ]);
    let given_way = world.run_elsewhere(other.store_path(), &build).expect(0);
    let given_way =
        given_way.says(&["warning: apt packages: app: app 1:1.0 is now 1:2.0, lib 1.0 is now 2.0"]);
    assert_eq!(versions(&Report::parse(&given_way.stdout)), "app 1:2.0, lib 2.0");
}

#[test]
fn without_network_apt_has_what_earlier_builds_have_left() {
    let Some(world) = World::new() else { return };
    world.spec("app", "six");
    let first = world.build(&[]);
    let offline = world.build(&[&["--offline"], &AGAIN[..]].concat());
    assert_eq!(offline.digest(), first.digest());
    world.archive.add("more", "1.0", "");
    world.spec("app, more", "six");
    world.workshop.run(&["build", "image.yaml", "--offline"]).expect(5).says(&[
        "error: apt_packages[1]: apt-get cannot install `more`",
        "hint: with `--offline` what runs in the image has no network",
    ]);
    world.spec("app", "six");
    let spec = world.workshop.project().join("image.yaml");
    let command = "commands: ['wc -l < /proc/net/dev > /opt/lines']\n";
    fs_err::write(&spec, fs_err::read_to_string(&spec).unwrap() + command).unwrap();
    let build = |more: &[&str]| {
        let built = world.build(&[more, &["--force"]].concat());
        let lines = world.workshop.run(&["run", "image.yaml", "--", "cat", "/opt/lines"]).expect(0).stdout;
        (built.produced().len(), lines)
    };
    let only_loopback = "3\n".to_owned();
    assert_eq!(build(&["--offline"]), (1, only_loopback.clone()));
    assert_eq!(build(&["--offline"]), (0, only_loopback.clone()), "it is kept for builds without network");
    let (produced, lines) = build(&[]);
    assert!(produced == 1 && lines != only_loopback, "and for no others: {produced}, {lines}");
    assert_eq!(build(&["--offline"]), (0, lines), "what was made with network serves all");
}

#[test]
fn a_frozen_build_lets_apt_choose_nothing() {
    let Some(world) = World::new() else { return };
    world.spec("app", "six");
    world.build(&[]);
    // As it is where no sandbox works, or was made before `lock` asked apt.
    let lock = world.workshop.run(&["lock", "image.yaml", "-o", "-"]).expect(0).stdout;
    let mut lock: serde_json::Value = serde_json::from_str(&lock).unwrap();
    let platform = lock["platforms"]["linux/amd64"].as_object_mut().unwrap();
    assert!(platform.remove("results").is_some(), "{platform:?}");
    world.workshop.write("image.lock", lock.to_string());
    let refused = [
        "error: image.lock has no versions of the spec's apt_packages for linux/amd64",
        "hint: `imagewright lock SPEC` lets apt choose them",
    ];
    for command in [&["build", "image.yaml", "--frozen", "--force"][..], &["lock", "image.yaml", "--frozen"]]
    {
        world.workshop.run(command).expect(2).says(&refused).never_says(&["made"]);
    }
    assert_eq!(versions(&world.build(&["--force"])), "app 1:1.0, lib 1.0", "it may be chosen otherwise");
    world.workshop.run(&["lock", "image.yaml"]).expect(0);
    world.workshop.run(&["lock", "image.yaml", "--frozen"]).expect(0);
    world.archive.add("more", "1.0", "");
    world.spec("app, more", "six");
    world.workshop.run(&["build", "image.yaml", "--frozen"]).expect(2).says(&refused);
}

#[test]
fn versions_are_chosen_anew_when_that_is_asked_for() {
    let Some(world) = World::new() else { return };
    world.spec("app", "six");
    world.build(&[]);
    world.workshop.run(&["lock", "image.yaml"]).expect(0);
    world.archive.add("app", "1:2.0", "lib");
    world.archive.add("lib", "2.0", "");
    let upgrade = |what: &str| world.workshop.run(&["lock", "image.yaml", "--upgrade", what]);
    upgrade("apt:libb").expect(2).says(&["the lock has no version of libb", "did you mean `apt:lib`?"]);
    upgrade("apt:lib").expect(0);
    assert_eq!(world.build(&[]).text("status"), "stale-rebuilt");
    assert_eq!(versions(&world.build(&["--force"])), "app 1:1.0, lib 2.0");
    world.workshop.run(&["lock", "image.yaml"]).expect(0);
    upgrade("apt").expect(0);
    assert_eq!(versions(&world.build(&[])), "app 1:2.0, lib 2.0");
    assert_eq!(world.build(&[]).text("status"), "exists");
}
