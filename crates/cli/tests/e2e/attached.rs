//! The lock of an image is attached to it, and kept to where there is no other.

use std::path::Path;
use std::time::Duration;

use imagewright_oci::{Descriptor, Digest, EMPTY_JSON, ImageIndex, ImageManifest, MediaType};
use imagewright_testkit::registry::{Effect, Fault, Rules};
use serde_json::{Value, json};

use crate::support::{Offline, Peers, Report, Workshop, assert_valid, run, run_within, small, unique};

const LOCK_TYPE: &str = "application/vnd.imagewright.lock.v1+json";

/// Writes a spec whose tag stays the same when its packages change.
fn spec(world: &Offline, packages: &str) {
    world.workshop.write("requirements.txt", "-r more.txt\n");
    world.workshop.write("more.txt", packages);
    world.spec_with(&[], "requirements: requirements.txt\n");
}

/// The build of the same project on another machine: what it says, and what it reports.
#[track_caller]
fn build_at(world: &Offline, store: &Path, arguments: &[&str]) -> (String, Report) {
    let arguments = [&["build", "image.yaml", "--json"], arguments].concat();
    let mut command = world.workshop.command(&arguments);
    let ended = run_within(command.env("IMAGEWRIGHT_STORE", store), Duration::from_mins(2)).expect(0);
    (ended.stderr, Report::parse(&ended.stdout))
}

/// The same on a machine that has built nothing before.
#[track_caller]
fn build_elsewhere(world: &Offline, arguments: &[&str]) -> (String, Report) {
    build_at(world, Workshop::new().store_path(), arguments)
}

/// `alpha 1.0, gamma 1.0`: what is in an image, without pip and setuptools.
fn versions(report: &Report) -> String {
    let asked = |name: &String| !name.starts_with("pip ") && !name.starts_with("setuptools ");
    report.packages().into_iter().filter(asked).collect::<Vec<_>>().join(", ")
}

/// What is at the tag of a built image.
#[track_caller]
fn manifest(world: &Offline, report: &Report) -> ImageManifest {
    let digest = report.digest().parse().unwrap();
    serde_json::from_slice(&world.registry.manifest("app", digest).unwrap()).unwrap()
}

fn lock_digest(manifest: &ImageManifest) -> Digest {
    manifest.annotations["io.imagewright.lock"].parse().unwrap()
}

/// Puts an image in the place of the built one that says it was made from other bytes of a lock.
#[track_caller]
fn replace_lock(world: &Offline, report: &Report, lock: impl Into<Vec<u8>>) {
    let mut manifest = manifest(world, report);
    let digest = world.registry.put_blob("app", lock.into());
    manifest.annotations.insert("io.imagewright.lock".to_owned(), digest.to_string());
    let tag = report.text("image").rsplit(':').next().unwrap();
    world.registry.put_manifest("app", tag, &MediaType::OciManifest, manifest.to_bytes());
}

#[test]
fn a_machine_without_the_store_keeps_to_what_the_image_was_made_from() {
    let Some(world) = Offline::new() else { return };
    for referrers in [true, false] {
        world.registry.delete_repository("app");
        world.registry.set_rules(Rules { referrers, ..Rules::default() });
        spec(&world, "alpha<2\n");
        let (_, first) = build_elsewhere(&world, &[]);
        assert_eq!(versions(&first), "alpha 1.0");
        spec(&world, "alpha\ngamma\n");
        let (said, second) = build_elsewhere(&world, &[]);
        assert_eq!(second.text("status"), "stale-rebuilt");
        assert_eq!(versions(&second), "alpha 1.0, gamma 1.0", "{said}");
        assert!(said.contains("keeping what the lock attached to"), "{said}");
        assert!(!said.contains("warning"), "{said}");
        assert_valid(second.text("image"));

        let (said, fresh) = build_elsewhere(&world, &["--force", "--refresh"]);
        assert_eq!(versions(&fresh), "alpha 2.0, gamma 1.0", "{said}");
    }
}

#[test]
fn a_forced_build_elsewhere_is_the_same_image_and_attaches_nothing_new() {
    let Some(world) = Offline::new() else { return };
    world.registry.set_rules(Rules { referrers: false, ..Rules::default() });
    world.spec(&["gamma"]);
    let (_, first) = build_elsewhere(&world, &[]);
    world.index.add(&small("gamma", "2.0"));
    let (_, second) = build_elsewhere(&world, &["--force"]);
    assert_eq!((versions(&second), second.digest()), ("gamma 1.0".to_owned(), first.digest()));

    let digest: Digest = first.digest().parse().unwrap();
    let list = world.registry.tag("app", &format!("sha256-{}", digest.hex())).unwrap();
    let list: ImageIndex = serde_json::from_slice(&world.registry.manifest("app", list).unwrap()).unwrap();
    let [entry] = &list.manifests[..] else { panic!("{list:?}") };
    assert_eq!(entry.artifact_type.as_deref(), Some(LOCK_TYPE));
    let bytes = world.registry.manifest("app", entry.digest).unwrap();
    let artifact: ImageManifest = serde_json::from_slice(&bytes).unwrap();
    let image = manifest(&world, &first);
    let size = image.to_bytes().len() as u64;
    assert_eq!(artifact.subject, Some(Descriptor::new(MediaType::OciManifest, digest, size)));
    assert_eq!(artifact.config, Descriptor::of("application/vnd.oci.empty.v1+json".into(), EMPTY_JSON));
    assert_eq!(artifact.layers[0].digest, lock_digest(&image), "the image names its lock");
    let lock = world.registry.blob("app", artifact.layers[0].digest).unwrap();
    assert_eq!(artifact.layers, [Descriptor::of(LOCK_TYPE.into(), &lock)]);
    assert!(artifact.annotations.is_empty(), "{artifact:?}");

    // `lock` writes the same down, where there is neither file nor store.
    let mut command = world.workshop.command(&["lock", "image.yaml"]);
    let other = Workshop::new();
    let locked = run_within(command.env("IMAGEWRIGHT_STORE", other.store_path()), Duration::from_mins(1));
    locked.expect(0).says(&["keeping what the lock attached to"]);
    let written: Value =
        serde_json::from_slice(&fs_err::read(world.workshop.project().join("image.lock")).unwrap()).unwrap();
    assert_eq!(written, serde_json::from_slice::<Value>(&lock).unwrap());
}

#[test]
fn the_lock_beside_the_spec_comes_before_the_attached_one_and_that_before_the_last_build() {
    let Some(world) = Offline::new() else { return };
    let here = world.workshop.store_path();
    world.index.add(&small("gamma", "2.0"));
    // This machine has built gamma 1.0 last, and another one has put an image with gamma 2.0 at the tag.
    spec(&world, "gamma<2\n");
    build_at(&world, here, &[]);
    spec(&world, "gamma>1\n");
    let (_, other) = build_elsewhere(&world, &[]);
    assert_eq!(versions(&other), "gamma 2.0");
    world.index.add(&small("gamma", "3.0"));
    spec(&world, "gamma\n");
    let (said, attached) = build_at(&world, here, &[]);
    assert_eq!(versions(&attached), "gamma 2.0", "{said}");

    spec(&world, "gamma==1.0\n");
    world.workshop.run(&["lock", "image.yaml"]).expect(0);
    spec(&world, "gamma\nalpha\n");
    let (said, beside) = build_elsewhere(&world, &[]);
    assert_eq!(versions(&beside), "alpha 2.0, gamma 1.0", "{said}");
    assert!(said.contains("keeping what image.lock pins"), "{said}");
}

#[test]
fn what_is_no_use_as_a_lock_is_told_and_passed_over() {
    let Some(world) = Offline::new() else { return };
    let large = vec![b' '; (8 << 20) + 1];
    let cases: [(&[u8], &str); 3] = [
        (b"<html>", "is not a lock that imagewright wrote; it is not kept to"),
        (br#"{ "version": 99 }"#, "is a lock of version 99; it is not kept to"),
        (&large, "is longer than such a blob may be"),
    ];
    for (lock, text) in cases {
        spec(&world, "alpha<2\n");
        let (_, first) = build_elsewhere(&world, &["--force"]);
        replace_lock(&world, &first, lock);
        spec(&world, "alpha\n");
        let (said, second) = build_elsewhere(&world, &[]);
        assert!(said.contains(text), "{said}");
        assert_eq!(versions(&second), "alpha 2.0");
    }
    spec(&world, "alpha<2\n");
    let (_, first) = build_elsewhere(&world, &["--force"]);
    let lock = lock_digest(&manifest(&world, &first));
    world.registry.damage_blob(lock);
    spec(&world, "alpha\n");
    let (said, second) = build_elsewhere(&world, &[]);
    assert!(said.contains("cannot be read") && said.contains(&lock.to_string()), "{said}");
    assert_eq!(versions(&second), "alpha 2.0");

    // One that was never attached is nothing to tell.
    world.registry.delete_blob(lock_digest(&manifest(&world, &second)));
    let (said, _) = build_elsewhere(&world, &["--force"]);
    assert!(!said.contains("warning"), "{said}");
}

#[test]
fn what_an_attached_lock_pins_has_to_be_there() {
    let Some(world) = Offline::new() else { return };
    spec(&world, "alpha<2\n");
    let (_, first) = build_elsewhere(&world, &[]);
    let digest = lock_digest(&manifest(&world, &first));
    let mut lock: Value = serde_json::from_slice(&world.registry.blob("app", digest).unwrap()).unwrap();
    let pinned = &mut lock["platforms"]["linux/amd64"]["base"]["digest"];
    assert!(pinned.is_string());
    *pinned = json!(Digest::of(b"gone"));
    replace_lock(&world, &first, lock.to_string());
    spec(&world, "alpha\n");
    let (said, second) = build_elsewhere(&world, &[]);
    assert!(said.contains("pins the base image otherwise"), "{said}");
    assert_eq!(versions(&second), "alpha 1.0", "what can be kept is kept: {said}");
    assert_valid(second.text("image"));
}

#[test]
fn a_registry_that_takes_no_lock_gets_the_image_and_one_warning() {
    let Some(world) = Offline::new() else { return };
    let invalid = || Effect::error(400, "MANIFEST_INVALID", "manifest invalid");
    let empty = Digest::of(EMPTY_JSON).hex();
    let faults = [
        Fault::on("PUT", "/v2/app/manifests/sha256", invalid()),
        Fault::on("HEAD", &empty, Effect::error(400, "UNSUPPORTED", "no")),
    ];
    for (number, fault) in faults.into_iter().enumerate() {
        world.registry.inject(fault);
        world.spec_with(&["gamma"], &format!("env: {{CASE: \"{number}\"}}\n"));
        let (said, report) = build_elsewhere(&world, &[]);
        assert_eq!(said.matches("warning").count(), 1, "{said}");
        assert!(said.contains("could not be attached") && said.contains("attach-lock = false"), "{said}");
        assert_valid(report.text("image"));
        world.registry.heal();
    }
}

#[test]
fn attaching_costs_nine_requests_and_can_be_turned_off() {
    let Some(world) = Offline::new() else { return };
    world.spec(&["gamma"]);
    let (_, with) = build_elsewhere(&world, &[]);
    world.registry.delete_repository("app");
    world.registry.forget_requests();
    world.workshop.write("imagewright.toml", "attach-lock = false\n");
    let (_, without) = build_elsewhere(&world, &[]);
    assert_eq!(with.digest(), without.digest());
    assert_eq!(with.number("requests") - without.number("requests"), 9, "two blobs of four, and a manifest");
    assert!(world.registry.blob("app", lock_digest(&manifest(&world, &without))).is_none());
    let puts = world.registry.requests().into_iter().filter(|it| it.method == "PUT");
    assert_eq!(puts.filter(|it| it.path.contains("/manifests/")).count(), 1);
}

#[test]
fn the_lock_of_an_image_in_a_registry_of_debian_is_kept_to() {
    let Some(peers) = Peers::find() else { return };
    let Some(world) = Offline::new() else { return };
    let (host, bases, index) = (&peers.registry, &peers.bases, world.index.url());
    let name = unique("attached");
    let write = |packages: &str| {
        world.workshop.write("requirements.txt", "-r more.txt\n");
        world.workshop.write("more.txt", packages);
        let text = format!(
            "name: {name}\nregistry: {host}\nbase_image: {bases}/debian-python:bookworm\npip_index: {index}\n\
             requirements: requirements.txt\nbuilder_options: {{bytecode: false}}\n"
        );
        world.workshop.write("image.yaml", text);
    };
    write("alpha<2\n");
    let (said, first) = build_elsewhere(&world, &[]);
    assert!(!said.contains("warning"), "{said}");
    write("alpha\ngamma\n");
    let (said, second) = build_elsewhere(&world, &[]);
    assert_eq!(versions(&second), "alpha 1.0, gamma 1.0", "{said}");
    let tags = run("skopeo", &["list-tags", "--tls-verify=false", &format!("docker://{host}/{name}")]);
    for report in [&first, &second] {
        assert!(tags.contains(&report.digest().replace(':', "-")), "{tags}");
    }
}
