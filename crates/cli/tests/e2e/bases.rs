//! Images on top of others: what is there is kept, and none of its bytes move.

use imagewright_oci::Platform;
use imagewright_testkit::image::ImageBuilder;
use imagewright_testkit::wheel::WheelBuilder;

use crate::support::{Docker, Offline, Peers, Report, Workshop, assert_valid, unique};

/// What documents may add to the bytes of layers.
const DOCUMENTS: u64 = 64 << 10;

/// Builds over a base; checks what holds for any base.
fn build_over(workshop: &Workshop, peers: &Peers, base: &str, packages: &str) -> Report {
    write(workshop, peers, base, packages);
    let report = workshop.build("image.yaml", &[]);
    let own: u64 = report.own_layers().iter().map(|layer| layer.size).sum();
    let uploaded = report.number("bytes_uploaded");
    assert!(uploaded <= own + DOCUMENTS, "{uploaded} uploaded for {own} bytes of layers");
    assert!(report.layers().iter().any(|layer| layer.source == "base"));
    assert_valid(report.text("image"));
    report
}

fn write(workshop: &Workshop, peers: &Peers, base: &str, packages: &str) {
    let name = unique("over");
    let text =
        format!("name: {name}\nregistry: {}\nbase_image: {base}\npackages: [{packages}]\n", peers.registry);
    workshop.write("image.yaml", text);
}

/// What Python says of distributions: how often each is there, and which version it takes.
const VERSIONS: &str = "import importlib.metadata as m, sys\n\
                        for name in sys.argv[1:]:\n    \
                            found = [d for d in m.distributions() if d.metadata['Name'] == name]\n    \
                            print(name, len(found), m.version(name))";

fn versions(container: &Docker, names: &[&str]) -> String {
    container.run(&[&["python", "-c", VERSIONS], names].concat())
}

#[test]
fn over_a_base_with_its_own_python() {
    let Some(peers) = Peers::find() else { return };
    let workshop = Workshop::warm();
    let base = format!("{}/debian-python:bookworm", peers.bases);
    let report = build_over(&workshop, &peers, &base, "six==1.17.0, idna");
    let container = Docker::pull(&peers.docker, report.text("image"));
    let program = "import os, pwd, six, sys\n\
                   print(pwd.getpwuid(os.getuid()).pw_name, six.__version__, sys.prefix, os.path.realpath(sys.executable))";
    assert_eq!(container.python(program), "flytekit 1.17.0 /opt/venv /usr/bin/python3.11");
    container.check_requirements();

    write(&workshop, &peers, &base, "six==1.17.0, idna, certifi");
    let second = workshop.build("image.yaml", &["--progress", "plain"]);
    assert_eq!(second.number("bytes_downloaded"), 0, "the base is known");
    assert!(second.packages().iter().any(|package| package.starts_with("certifi ")));
}

#[test]
fn packages_of_the_base_are_kept_and_not_installed_twice() {
    let Some(peers) = Peers::find() else { return };
    let workshop = Workshop::warm();
    let base = format!("{}/debian-packages:bookworm", peers.bases);
    let report = build_over(&workshop, &peers, &base, "numpy, six, certifi, python-dotenv");
    let new: Vec<String> =
        report.packages().iter().map(|package| package.split(' ').next().unwrap().to_owned()).collect();
    for kept in ["numpy", "six", "certifi"] {
        assert!(!new.contains(&kept.to_owned()), "{new:?}");
    }
    assert!(new.contains(&"python-dotenv".to_owned()), "{new:?}");
    let container = Docker::pull(&peers.docker, report.text("image"));
    assert_eq!(container.python("import dotenv, numpy, requests; print(numpy.__version__)"), "1.26.4");
    assert_eq!(versions(&container, &["numpy", "six"]), "numpy 1 1.26.4\nsix 1 1.16.0");
    container.check_requirements();
}

#[test]
fn an_environment_of_the_base_is_continued() {
    let Some(peers) = Peers::find() else { return };
    let workshop = Workshop::warm();
    let base = format!("{}/debian-venv:bookworm", peers.bases);
    let report = build_over(&workshop, &peers, &base, "numpy, six==1.17.0, idna");
    assert!(
        !report.packages().iter().any(|package| package.starts_with("numpy ")),
        "{:?}",
        report.packages()
    );
    let container = Docker::pull(&peers.docker, report.text("image"));
    let program = "import idna, numpy, six, sys; print(sys.prefix, numpy.__version__, six.__version__)";
    assert_eq!(container.python(program), "/opt/venv 1.26.4 1.17.0");
    assert_eq!(versions(&container, &["numpy", "six"]), "numpy 1 1.26.4\nsix 1 1.17.0");
    container.check_requirements();
}

#[test]
fn a_package_of_one_of_our_images_is_replaced_and_nothing_downloaded() {
    let Some(peers) = Peers::find() else { return };
    let workshop = Workshop::warm();
    let name = unique("ours");
    let text = format!(
        "name: {name}\nregistry: {}\npython_version: '3.11'\npackages: [numpy==1.26.4, requests]\n",
        peers.registry
    );
    workshop.write("base.yaml", text);
    let base = workshop.build("base.yaml", &[]).text("image").to_owned();

    // Another machine, which has neither facts nor layers of it.
    let elsewhere = Workshop::unbuilt();
    let inputs = elsewhere.artifact_bytes();
    let report = build_over(&elsewhere, &peers, &base, "numpy==2.2.6, six");
    let downloaded = report.number("bytes_downloaded") - (elsewhere.artifact_bytes() - inputs);
    assert!(downloaded < DOCUMENTS, "{downloaded} bytes of the base downloaded");
    let made: Vec<String> = report.produced().into_iter().flat_map(|layer| layer.packages).collect();
    assert!(!made.iter().any(|package| package.starts_with("requests ")), "{made:?}");
    let container = Docker::pull(&peers.docker, report.text("image"));
    assert_eq!(versions(&container, &["numpy", "requests"]).lines().next(), Some("numpy 1 2.2.6"));
    assert_eq!(container.python("import numpy, requests; print(numpy.__version__)"), "2.2.6");
    container.check_requirements();
}

#[test]
fn a_musl_base_gets_the_wheels_that_are_made_for_it() {
    let Some(world) = Offline::new() else { return };
    // What the loader of Alpine 3.20 says of itself.
    let loader = "\0musl libc (x86_64)\nVersion %s\nDynamic Program Loader\n\x001.2.5\0";
    ImageBuilder::new(Platform::linux_amd64())
        .file("etc/passwd", "root:x:0:0:root:/root:/bin/sh\n")
        .file("etc/group", "root:x:0:\n")
        .file("etc/os-release", "PRETTY_NAME=\"Alpine Linux v3.20\"\n")
        .file("lib/ld-musl-x86_64.so.1", loader)
        .link("lib/libc.musl-x86_64.so.1", "ld-musl-x86_64.so.1")
        .file("usr/local/bin/python3.11", "\x003.11.2\0")
        .link("usr/local/bin/python3", "python3.11")
        .put(&world.registry, "alpine", "1");
    for libc in ["musllinux_1_2", "musllinux_1_3", "manylinux_2_17"] {
        let native = WheelBuilder::new("native", "1.0").tag(&format!("cp311-cp311-{libc}_x86_64"));
        let native = native.wheel_file("Wheel-Version: 1.0\nRoot-Is-Purelib: false\n");
        world.index.add(&native.file(&format!("of_{libc}.py"), ""));
    }
    world.spec(&["native"]);
    let spec = fs_err::read_to_string(world.workshop.project().join("image.yaml")).unwrap();
    world.workshop.write("image.yaml", spec.replace("/base:1", "/alpine:1"));
    let report = world.workshop.build("image.yaml", &[]);
    let paths = assert_valid(report.text("image")).paths;
    let is_native = |path: &&String| path.contains("/site-packages/of_");
    let native: Vec<&String> = paths.iter().filter(is_native).collect();
    assert_eq!(native, ["opt/venv/lib/python3.11/site-packages/of_musllinux_1_2.py"]);

    // Wheels for glibc alone are none.
    world.spec(&["alpha"]);
    let spec = fs_err::read_to_string(world.workshop.project().join("image.yaml")).unwrap();
    world.workshop.write("image.yaml", spec.replace("/base:1", "/alpine:1"));
    world.workshop.run(&["build", "image.yaml"]).expect(3).says(&["alpha", "musl"]);
}
