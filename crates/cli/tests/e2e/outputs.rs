//! Images in layouts, archives and engines: what skopeo, umoci and the engines read there.

use std::path::Path;
use std::time::{Duration, Instant};

use imagewright_oci::Digest;
use imagewright_testkit::registry::{Effect, Fault};
use imagewright_testkit::validate::LayoutImage;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::support::{Offline, Workshop, assert_right, is_skipped_without, run, run_within, spawn};

const LIMIT: Duration = Duration::from_mins(2);

fn text(path: &Path) -> &str {
    path.to_str().expect("test folders have plain names")
}

/// What skopeo says of an image.
fn inspect(image: &str) -> Value {
    serde_json::from_str(&run("skopeo", &["inspect", image])).unwrap()
}

/// The digest of the base's only layer.
fn base_layer(world: &Offline) -> Digest {
    let manifest = world.registry.tag("base", "1").unwrap();
    let manifest: Value =
        serde_json::from_slice(&world.registry.manifest("base", manifest).unwrap()).unwrap();
    manifest["layers"][0]["digest"].as_str().unwrap().parse().unwrap()
}

/// The names in a directory, sorted.
fn listed(directory: &Path) -> Vec<String> {
    let entries = fs_err::read_dir(directory).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn every_file_format_has_the_image() {
    let Some(world) = Offline::new() else { return };
    if is_skipped_without("skopeo") || is_skipped_without("umoci") {
        return;
    }
    world.spec(&["beta"]);
    let workshop = &world.workshop;
    let outputs = ["oci:layout", "oci-archive:image.tar", "docker-archive:docker.tar"];
    let arguments: Vec<&str> = ["--no-push", "--tag", "latest"]
        .into_iter()
        .chain(outputs.iter().flat_map(|one| ["--output", one]))
        .collect();
    let report = workshop.build("image.yaml", &arguments);
    let (image, digest) = (report.text("image"), report.digest());
    // skopeo reads no name of an image in a layout that starts with `_`, as one tag in 64 does.
    let tag = image.rsplit_once(':').unwrap().1;
    let tag = if tag.starts_with('_') { "latest" } else { tag };
    assert!(world.registry.tags("app").is_empty(), "nothing was to be pushed");
    let told = report.outputs();
    assert_eq!(told.iter().map(|(output, ..)| output.as_str()).collect::<Vec<_>>(), outputs);
    let latest = format!("{}:latest", image.rsplit_once(':').unwrap().0);
    let names = serde_json::json!([image, latest]).to_string();
    assert!(told.iter().all(|(_, told, bytes)| *told == names && *bytes > 2_000_000), "{told:?}");

    // The base's layer came from its registry, and went past the store.
    assert!(workshop.store().blob(&base_layer(&world)).unwrap().is_none());

    let project = workshop.project();
    let layout = project.join("layout");
    let validated = assert_right(&LayoutImage::new(&layout, image));
    assert_eq!(validated.digest.to_string(), digest);
    assert_eq!(listed(&layout), ["blobs", "index.json", "oci-layout"]);
    assert_right(&LayoutImage::new(&layout, &latest));
    for place in [
        format!("oci:{}:latest", text(&layout)),
        format!("oci:{}:{tag}", text(&layout)),
        format!("oci-archive:{}:{tag}", text(&project.join("image.tar"))),
    ] {
        assert_eq!(inspect(&place)["Digest"], digest, "{place}");
    }
    let archive = format!("docker-archive:{}", text(&project.join("docker.tar")));
    assert_eq!(
        inspect(&format!("{archive}:{image}"))["Layers"].as_array().unwrap().len(),
        validated.manifest.layers.len()
    );
    let copied = format!("oci:{}:copied", text(&workshop.path("copied")));
    run("skopeo", &["copy", "--quiet", &format!("{archive}:{latest}"), &copied]);
    for (from, bundle) in
        [(format!("{}:{tag}", text(&layout)), "one"), (copied.replacen("oci:", "", 1), "two")]
    {
        let bundle = workshop.path(bundle);
        run("umoci", &["unpack", "--image", &from, text(&bundle)]);
        let site = bundle.join("rootfs/opt/venv/lib/python3.11/site-packages");
        assert!(site.join("beta.py").is_file() && site.join("alpha/native.so").is_file());
    }
}

#[test]
fn a_layout_is_added_to_and_an_archive_replaced() {
    let Some(world) = Offline::new() else { return };
    let workshop = &world.workshop;
    world.spec(&["beta"]);
    let first = workshop.build("image.yaml", &["--output", "oci:all", "--output", "oci-archive:a.tar"]);
    world.spec(&["gamma"]);
    let second = workshop.build("image.yaml", &["--output", "oci:all", "--output", "oci-archive:a.tar"]);
    assert_ne!(first.digest(), second.digest());
    let layout = workshop.project().join("all");
    let entries = || -> usize {
        let index: Value = serde_json::from_slice(&fs_err::read(layout.join("index.json")).unwrap()).unwrap();
        index["manifests"].as_array().unwrap().len()
    };
    for report in [&first, &second] {
        let image = assert_right(&LayoutImage::new(&layout, report.text("image")));
        assert_eq!(image.digest.to_string(), report.digest());
    }
    assert_eq!(entries(), 2);
    // What exists is brought there all the same, by a machine that has none of it, bit for bit.
    let elsewhere = Workshop::new();
    elsewhere.write("image.yaml", fs_err::read(workshop.project().join("image.yaml")).unwrap());
    let again = elsewhere.build("image.yaml", &["--output", "oci-archive:a.tar"]);
    assert_eq!((again.text("status"), again.digest()), ("exists", second.digest()));
    let archive = |workshop: &Workshop| fs_err::read(workshop.project().join("a.tar")).unwrap();
    assert!(archive(&elsewhere) == archive(workshop), "the archives differ");
    // A third time nothing is written, and nothing listed twice.
    let third = workshop.build("image.yaml", &["--output", "oci:all"]);
    assert_eq!(third.outputs()[0].2, 0);
    assert_eq!(entries(), 2);
    // A blob that lost its end is written anew.
    let blob = layout.join("blobs/sha256").join(base_layer(&world).hex());
    fs_err::write(&blob, "half").unwrap();
    workshop.build("image.yaml", &["--output", "oci:all"]);
    assert_right(&LayoutImage::new(&layout, second.text("image")));
}

#[test]
fn stdout_takes_an_archive_and_nothing_else() {
    let Some(world) = Offline::new() else { return };
    world.spec(&["gamma"]);
    let script = format!(
        "{} build image.yaml --output oci-archive:- --output docker-archive:same.tar > piped.tar",
        "\"$0\""
    );
    let mut command = world.workshop.wrapped(&["sh", "-c", &script], &[]);
    run_within(&mut command, LIMIT).expect(0);
    let report = world.workshop.build("image.yaml", &["--output", "oci-archive:named.tar"]);
    let read = |name: &str| fs_err::read(world.workshop.project().join(name)).unwrap();
    assert!(read("piped.tar") == read("named.tar"), "something else was written to stdout");
    assert_eq!(report.text("status"), "exists");
    let json = ["build", "image.yaml", "--json", "--output", "oci-archive:-"];
    world.workshop.run(&json).expect(2).says(&["stdout takes one thing"]);
}

#[test]
fn what_cannot_be_written_is_said_before_anything_is_built() {
    let Some(world) = Offline::new() else { return };
    world.spec(&["gamma"]);
    world.workshop.write("folder/file", "not a layout");
    for (output, says) in [
        ("oci:folder", "folder is neither empty nor an OCI image layout"),
        ("oci-archive:folder", "folder cannot be written"),
        ("oci:image.yaml", "image.yaml cannot be written"),
        ("docker-archive:nowhere/image.tar", "nowhere/image.tar cannot be written"),
    ] {
        world.workshop.run(&["build", "image.yaml", "--output", output]).expect(2).says(&[says, "hint:"]);
    }
    for output in ["tar:x", "oci:", "oci:-"] {
        world.workshop.run(&["build", "image.yaml", "--output", output]).expect(2);
    }
    assert!(world.registry.tags("app").is_empty());
    let two = ["build", "image.yaml", "image.yaml", "--output", "oci-archive:a.tar"];
    world.workshop.run(&two).expect(2).says(&["one spec", "hint:"]);
    let mut command = world.workshop.command(&["build", "image.yaml", "--load", "podman"]);
    run_within(command.env("PATH", "/nowhere"), LIMIT)
        .expect(2)
        .says(&["there is no program `podman`", "docker-archive:FILE"]);
    world.workshop.run(&["build", "image.yaml", "--load", "lxc"]).expect(2).says(&["containerd:NAMESPACE"]);
}

#[test]
fn what_fails_or_is_interrupted_leaves_what_was_there() {
    let Some(world) = Offline::new() else { return };
    let workshop = &world.workshop;
    world.spec(&["gamma"]);
    workshop.build("image.yaml", &[]);
    workshop.write("out/image.tar", "before");
    let outputs = ["--output", "oci-archive:out/image.tar"];
    let layout = ["--output", "oci:layout"];
    let blob = format!("/blobs/{}", base_layer(&world));
    let unchanged = || {
        assert_eq!(listed(&workshop.project().join("out")), ["image.tar"]);
        assert_eq!(fs_err::read(workshop.project().join("out/image.tar")).unwrap(), b"before");
    };
    world.registry.inject(Fault::on("GET", &blob, Effect::Corrupt));
    let build = ["build", "image.yaml", "--progress", "plain"];
    let failed = workshop.run(&[&build[..], &outputs].concat()).expect(4);
    println!("{}", failed.stderr);
    unchanged();
    workshop.run(&[&build[..], &layout].concat()).expect(4);
    let layout_path = workshop.project().join("layout");
    assert_eq!(listed(&layout_path), ["blobs", "oci-layout"]);
    world.registry.heal();
    for outputs in [outputs, layout] {
        world.registry.forget_requests();
        world.registry.inject(Fault::on("GET", &blob, Effect::Stall));
        let child = spawn(&mut workshop.command(&[&build[..], &outputs].concat()));
        let began = Instant::now();
        while !world.registry.requests().iter().any(|request| request.path.contains(&blob)) {
            assert!(began.elapsed() < LIMIT, "the layer was never asked for");
            std::thread::sleep(Duration::from_millis(10));
        }
        kill_process(Pid::from_child(&child), Signal::INT).unwrap();
        assert_eq!(child.wait_with_output().unwrap().status.code(), Some(130));
        unchanged();
        assert_eq!(listed(&layout_path), ["blobs", "oci-layout"]);
        world.registry.heal();
    }
    let report = workshop.build("image.yaml", &[outputs, layout].concat());
    assert_right(&LayoutImage::new(&layout_path, report.text("image")));
}
