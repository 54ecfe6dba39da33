//! `exists` never guesses.

use imagewright_testkit::registry::{Effect, Fault, Rules};

use crate::support::{Offline, Workshop};

#[test]
fn exists_says_true_false_stale_or_unknown_and_why() {
    let Some(world) = Offline::new() else { return };
    let workshop = &world.workshop;
    workshop.write("requirements.txt", "-r nested/more.txt\n");
    workshop.write("nested/more.txt", "alpha==1.0\n");
    world.spec_with(&[], "requirements: requirements.txt\n");
    let exists = || workshop.run(&["exists", "image.yaml"]);
    assert_eq!(exists().expect(1).stdout, "false\n");
    workshop.build("image.yaml", &[]);
    assert_eq!(exists().expect(0).stdout, "true\n");
    let elsewhere = Workshop::new();
    let arguments = ["exists", "image.yaml"];
    let mut command = workshop.command(&arguments);
    let asked = crate::support::run_within(
        command.env("IMAGEWRIGHT_STORE", elsewhere.store_path()),
        std::time::Duration::from_mins(1),
    );
    assert_eq!(asked.expect(0).stdout, "true\n", "another machine sees it too");

    workshop.write("nested/more.txt", "alpha==2.0\n");
    let stale = exists().expect(1);
    assert!(
        stale.stdout.starts_with("stale: ") && stale.stdout.contains("nested/more.txt"),
        "{}",
        stale.stdout
    );
    let rebuilt = workshop.build("image.yaml", &[]);
    assert_eq!(rebuilt.text("status"), "stale-rebuilt");
    assert!(rebuilt.packages().contains(&"alpha 2.0".to_owned()));
    assert_eq!(exists().expect(0).stdout, "true\n");

    world.spec_with(&["gamma"], "requirements: requirements.txt\n");
    assert_eq!(exists().expect(1).stdout, "false\n");
    let host = world.registry.host();
    drop(world.registry);
    let unknown = workshop.run(&["exists", "image.yaml"]).expect(4).says(&["is unknown", &host, "refused"]);
    assert!(unknown.stdout.starts_with("unknown: ") && unknown.stdout.contains(&host), "{}", unknown.stdout);
    assert_eq!(unknown.stdout.lines().count(), 1);
    let unknown = workshop.run(&["exists", "image.yaml", "--json"]).expect(4).says(&["is unknown"]).stdout;
    let unknown: serde_json::Value = serde_json::from_str(&unknown).unwrap();
    assert_eq!(unknown["answer"], "unknown");
    assert!(unknown["because"].as_str().unwrap().contains("refused"), "{unknown}");
}

#[test]
fn an_image_of_another_builder_is_looked_into_once() {
    let Some(world) = Offline::new() else { return };
    let host = world.registry.host();
    world.workshop.write("image.yaml", format!("name: base\nregistry: {host}\ntag_format: '1'\n"));
    let exists = || {
        world.registry.forget_requests();
        assert_eq!(world.workshop.run(&["exists", "image.yaml"]).expect(0).stdout, "true\n");
        let requests = world.registry.requests();
        let asked: Vec<String> = requests.into_iter().map(|it| it.method).collect();
        asked.join(" ")
    };
    assert_eq!(exists(), "HEAD GET GET");
    assert_eq!(exists(), "HEAD");
}

#[test]
fn without_a_store_the_answer_is_unknown_too() {
    let Some(world) = Offline::new() else { return };
    world.spec(&["gamma"]);
    let file = world.workshop.write("file", "");
    for arguments in [&["exists", "image.yaml"][..], &["exists", "image.yaml", "--json"]] {
        let mut command = world.workshop.command(arguments);
        command.env("IMAGEWRIGHT_STORE", file.join("store"));
        let run = crate::support::run_within(&mut command, std::time::Duration::from_mins(1)).expect(6);
        assert!(run.stdout.contains("unknown") && run.stdout.contains("file/store"), "{}", run.stdout);
        run.says(&["error: could not write", "hint: a part of this path is a file: set IMAGEWRIGHT_STORE"]);
    }
}

#[test]
fn a_missing_repository_is_no_whatever_the_registry_calls_it() {
    let Some(world) = Offline::new() else { return };
    world.spec(&["gamma"]);
    world.registry.set_rules(Rules { harbor: true, ..Rules::default() });
    assert_eq!(world.workshop.run(&["exists", "image.yaml"]).expect(1).stdout, "false\n");
    world.registry.set_rules(Rules::default());
    world.registry.inject(Fault::on("*", "/manifests/", Effect::status(404)));
    world.workshop.run(&["exists", "image.yaml"]).expect(4).says(&["is unknown"]);
}

#[test]
fn an_image_of_the_store_whose_manifest_is_damaged_is_built_again() {
    let Some(world) = Offline::new() else { return };
    let workshop = &world.workshop;
    world.spec(&["gamma"]);
    let text = fs_err::read_to_string(workshop.project().join("image.yaml")).unwrap();
    let registry = format!("registry: {}\n", world.registry.host());
    workshop.write("image.yaml", text.replace(&registry, ""));
    let exists = || workshop.run(&["exists", "image.yaml"]);
    let digest = workshop.build("image.yaml", &[]).digest().to_owned();
    assert_eq!(exists().expect(0).stdout, "true\n");

    let manifest = workshop.store_path().join("blobs").join(digest.trim_start_matches("sha256:"));
    let damaged = fs_err::read_to_string(&manifest).unwrap().replace("schemaVersion", "schemaVersioM");
    fs_err::write(&manifest, damaged).unwrap();
    assert_eq!(exists().expect(1).stdout, "false\n");
    assert_eq!(workshop.build("image.yaml", &[]).digest(), digest);
    assert_eq!(exists().expect(0).stdout, "true\n");
}
