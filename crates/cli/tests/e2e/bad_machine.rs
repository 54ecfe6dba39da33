//! Machines that are full, read-only or impatient, and bases that are not there.

use std::net::TcpListener;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use imagewright_oci::Platform;
use imagewright_store::Depth;
use imagewright_testkit::image::{ImageBuilder, put_index};
use imagewright_testkit::registry::{Effect, Fault};
use rustix::process::{Pid, Signal, kill_process};

use crate::support::{Offline, Workshop, assert_valid, network, run, run_within, spawn};

const LIMIT: Duration = Duration::from_mins(2);

/// A small file system in memory, mounted until it is dropped.
struct Disk(PathBuf);

impl Disk {
    /// One of so many bytes; only root can, others skip.
    fn mount(path: PathBuf, size: &str) -> Option<Self> {
        if !rustix::process::geteuid().is_root() {
            println!("skipped: only root can mount a file system");
            return None;
        }
        fs_err::create_dir(&path).unwrap();
        run("mount", &["-t", "tmpfs", "-o", &format!("size={size}"), "none", path.to_str().unwrap()]);
        Some(Self(path))
    }

    fn remount(&self, options: &str) {
        run("mount", &["-o", &format!("remount,{options}"), self.0.to_str().unwrap()]);
    }

    fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        run("umount", &[self.0.to_str().unwrap()]);
    }
}

#[test]
fn a_full_disk_is_said_and_the_store_stays_usable() {
    let Some(world) = Offline::new() else { return };
    let Some(disk) = Disk::mount(world.workshop.path("disk"), "2m") else { return };
    world.spec(&["beta", "gamma"]);
    let build = || {
        let mut command = world.workshop.command(&["build", "image.yaml", "--json"]);
        run_within(command.env("IMAGEWRIGHT_STORE", disk.path().join("store")), LIMIT)
    };
    let full = build().expect(6).says(&["No space left", "hint:"]);
    println!("{}", full.stderr);
    assert!(world.registry.tags("app").is_empty());
    disk.remount("size=200m");
    let report = crate::support::Report::parse(&build().expect(0).stdout);
    assert_valid(report.text("image"));
    let store = imagewright_store::Store::open(&disk.path().join("store"), 4_000_000_000).unwrap();
    assert!(store.check(Depth::Digests).unwrap().is_clean());
}

#[test]
fn a_full_disk_keeps_outputs_as_they_were() {
    let Some(world) = Offline::new() else { return };
    let Some(disk) = Disk::mount(world.workshop.path("disk"), "1m") else { return };
    world.spec(&["beta"]);
    world.workshop.build("image.yaml", &[]);
    let left = || fs_err::read_dir(disk.path()).unwrap().count();
    for kind in ["oci-archive", "docker-archive", "oci"] {
        let output = format!("{kind}:{}/image", disk.path().display());
        let full = world.workshop.run(&["build", "image.yaml", "--output", &output]).expect(6);
        println!("{}", full.clone().says(&["could not be written", "No space left", "hint:"]).stderr);
        assert_eq!(left(), usize::from(kind == "oci"));
    }
    disk.remount("size=200m");
    world.workshop.build("image.yaml", &["--output", &format!("oci:{}/image", disk.path().display())]);
}

#[test]
fn a_read_only_store_is_said_and_still_answers() {
    let Some(world) = Offline::new() else { return };
    let Some(disk) = Disk::mount(world.workshop.path("disk"), "200m") else { return };
    world.spec(&["gamma"]);
    let command = |arguments: &[&str]| {
        let mut command = world.workshop.command(arguments);
        run_within(command.env("IMAGEWRIGHT_STORE", disk.path().join("store")), LIMIT)
    };
    command(&["build", "image.yaml"]).expect(0);
    disk.remount("ro");
    assert_eq!(command(&["exists", "image.yaml"]).expect(0).stdout, "true\n");
    command(&["build", "image.yaml"]).expect(0);
    world.spec(&["beta"]);
    let refused = command(&["build", "image.yaml"]).expect(6).says(&["the store cannot be written", "hint:"]);
    println!("{}", refused.stderr);
    disk.remount("rw");
    command(&["build", "image.yaml"]).expect(0);
}

#[test]
fn a_base_that_is_not_there_or_for_other_platforms() {
    let Some(world) = Offline::new() else { return };
    let host = world.registry.host();
    let of = |base: &str| {
        let text = format!("name: app\nregistry: {host}\nbase_image: {host}/{base}\npackages: [gamma]\n");
        world.workshop.write("image.yaml", text);
        world.workshop.run(&["build", "image.yaml"]).expect(4)
    };
    of("nowhere:1").says(&["nowhere:1"]);
    of("base:2").says(&["base:2"]);
    let images = ["linux/arm64/v8", "linux/s390x"]
        .map(|platform| ImageBuilder::like_debian(platform.parse::<Platform>().unwrap(), "3.11.2"));
    put_index(&world.registry, "others", "1", images.into());
    of("others:1").says(&["linux/amd64", "linux/arm64", "linux/s390x"]);
    ImageBuilder::like_debian("linux/arm64".parse().unwrap(), "3.11.2").put(&world.registry, "one", "1");
    of("one:1").says(&["linux/amd64", "linux/arm64"]);
}

/// Starts a build in a process group of its own, waits for `ready`, presses Ctrl-C, and looks at what is left.
fn interrupt(workshop: &Workshop, ready: impl Fn(i32) -> bool) {
    let mut command = workshop.command(&["build", "image.yaml"]);
    let mut child = spawn(command.process_group(0));
    let id = i32::try_from(child.id()).unwrap();
    let began = Instant::now();
    while !ready(id) {
        assert!(began.elapsed() < LIMIT, "the build never came so far");
        std::thread::sleep(Duration::from_millis(10));
    }
    kill_process(Pid::from_raw(id).unwrap(), Signal::INT).unwrap();
    let pressed = Instant::now();
    let status = child.wait().unwrap();
    let took = pressed.elapsed();
    assert!(took < Duration::from_secs(1), "it took {took:?}");
    assert_eq!(status.code(), Some(130));
    while !members(id).is_empty() {
        assert!(pressed.elapsed() < Duration::from_secs(1), "left behind: {:?}", members(id));
        std::thread::sleep(Duration::from_millis(10));
    }
    assert!(workshop.store().check(Depth::Digests).unwrap().is_clean());
}

/// What a command that is still at work, or was killed, has in the store without a final name.
fn staged(workshop: &Workshop) -> Vec<PathBuf> {
    let entries = fs_err::read_dir(workshop.store_path().join("staging")).unwrap();
    entries.map(|entry| entry.unwrap().path()).collect()
}

/// The command lines of a process group.
fn members(group: i32) -> Vec<String> {
    let entries = fs_err::read_dir("/proc").unwrap().map(|entry| entry.unwrap().path());
    entries
        .filter_map(|path| {
            let status = fs_err::read_to_string(path.join("stat")).ok()?;
            let fields: Vec<&str> = status.rsplit_once(')')?.1.split_whitespace().collect();
            let is_member = fields[2] == group.to_string() && fields[0] != "Z";
            is_member.then(|| fs_err::read_to_string(path.join("cmdline")).unwrap_or_default())
        })
        .collect()
}

#[test]
fn ctrl_c_while_it_sends_stops_at_once() {
    let Some(world) = Offline::new() else { return };
    world.spec(&["beta"]);
    world.registry.inject(Fault::on("PATCH", "/v2/app/", Effect::Hang));
    let is_sending = |_| world.registry.requests().iter().any(|request| request.method == "PATCH");
    interrupt(&world.workshop, is_sending);
    assert_eq!(staged(&world.workshop), Vec::<PathBuf>::new());
    assert!(world.registry.tags("app").is_empty());
    world.registry.heal();
    assert_valid(world.workshop.build("image.yaml", &[]).text("image"));
}

#[test]
fn ctrl_c_while_uv_waits_stops_uv() {
    let Some(world) = Offline::new() else { return };
    // An index that takes connections and never answers.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let index = format!("http://{}/simple", silent.local_addr().unwrap());
    world.spec(&["beta"]);
    let path = world.workshop.project().join("image.yaml");
    let text = fs_err::read_to_string(&path).unwrap().replace(&world.index.url(), &index);
    fs_err::write(path, text).unwrap();
    silent.set_nonblocking(true).unwrap();
    let connections = std::cell::RefCell::new(Vec::new());
    interrupt(&world.workshop, |_| {
        connections.borrow_mut().extend(silent.accept());
        !connections.borrow().is_empty()
    });
    assert_eq!(staged(&world.workshop), Vec::<PathBuf>::new());
}

#[test]
fn ctrl_c_while_modules_are_compiled_stops_the_compilers() {
    let Some(()) = network() else { return };
    let workshop = Workshop::unbuilt();
    workshop.write("image.yaml", "name: local\npython_version: '3.11'\npackages: [numpy]\n");
    let roots = workshop.store_path().join("roots");
    let compiles = |group| members(group).iter().any(|line| line.contains(roots.to_str().unwrap()));
    interrupt(&workshop, compiles);
    workshop.build("image.yaml", &[]);
}
