//! Arguments: several specs, what does not fit together, and where output goes.

use serde_json::Value;

use crate::support::Offline;

#[test]
fn several_specs_are_built_and_told_in_their_order() {
    let Some(world) = Offline::new() else { return };
    let workshop = &world.workshop;
    world.spec(&["gamma"]);
    let first = fs_err::read_to_string(workshop.project().join("image.yaml")).unwrap();
    workshop.write("other.yaml", first.replace("name: app", "name: other"));
    let run = workshop.run(&["build", "image.yaml", "other.yaml", "--json"]).expect(0);
    let images: Vec<Value> = run.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let names: Vec<&str> = images
        .iter()
        .filter_map(|it| it["image"].as_str()?.split_once('/')?.1.split_once(':'))
        .map(|it| it.0)
        .collect();
    assert_eq!(names, ["app", "other"]);
    let refused = workshop.run(&["build", "image.yaml", "other.yaml", "--name", "x"]).expect(2);
    refused.says(&["`--name` is for one spec"]);
    workshop.run(&["build"]).expect(2).says(&["<SPEC>"]);
}

#[test]
fn stdout_is_data_and_progress_is_in_the_style_that_was_asked_for() {
    let Some(world) = Offline::new() else { return };
    let workshop = &world.workshop;
    world.spec(&["gamma"]);
    let quiet = workshop.run(&["build", "image.yaml", "--progress", "none", "--no-push"]).expect(0);
    assert_eq!(quiet.stderr, "");
    assert_eq!(quiet.stdout.lines().count(), 1);
    let events = workshop.run(&["build", "image.yaml", "--progress", "json", "--force"]).expect(0).stderr;
    let events: Vec<Value> = events.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(events.iter().any(|event| event["event"] == "pushed"), "{events:?}");
    let last = events.last().unwrap();
    assert_eq!(last["event"], "done");
    let plain = workshop.run(&["build", "image.yaml", "--progress", "plain", "--force"]).expect(0);
    plain.says(&["resolving app for linux/amd64", "done "]);
    let again = workshop.run(&["build", "image.yaml", "--progress", "plain"]).expect(0);
    again.says(&["exists ", "nothing to do"]);
    let bars = workshop.run(&["build", "image.yaml", "--progress", "tty", "--force"]).expect(0);
    assert!(bars.stdout.lines().count() == 1, "{}", bars.stdout);
}

#[test]
fn a_spec_without_a_registry_cannot_be_pushed() {
    let Some(world) = Offline::new() else { return };
    world.workshop.write("local.yaml", "name: local\npackages: [gamma]\n");
    let refused = world.workshop.run(&["build", "local.yaml", "--push"]).expect(2);
    refused.says(&["local.yaml has no registry to push to", "hint: set `registry`"]);
    world.workshop.run(&["build", "none.yaml"]).expect(2).says(&["none.yaml"]);
    let mut command = world.workshop.command(&["build", "local.yaml"]);
    let refused = command.env("SOURCE_DATE_EPOCH", "yesterday").output().unwrap();
    assert_eq!(refused.status.code(), Some(2));
}

#[test]
fn a_wrong_option_is_not_looked_for_in_the_file() {
    let Some(world) = Offline::new() else { return };
    world.spec(&["gamma"]);
    for (option, value) in [("--platform", "linux/amd46"), ("--registry", "https://x"), ("--name", "")] {
        let refused = world.workshop.run(&["tag", "image.yaml", option, value]).expect(2);
        refused.says(&[&format!("error: {option}: ")]).never_says(&["image.yaml"]);
    }
    world.workshop.write("image.yaml", "packages: gamma\n");
    let both = world.workshop.run(&["tag", "image.yaml", "--platform", "x"]).expect(2);
    both.says(&["image.yaml: 2 problems", "--platform: `x`", "packages (line 1"]);
}

#[test]
fn a_result_that_cannot_be_printed_is_a_failure_unless_nobody_wants_it() {
    let Some(world) = Offline::new() else { return };
    world.spec(&["gamma"]);
    let mut command = world.workshop.command(&["tag", "image.yaml"]);
    let full = fs_err::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let refused = command.stdout(full.into_parts().0).output().unwrap();
    assert_eq!(refused.status.code(), Some(6));
    let told = String::from_utf8(refused.stderr).unwrap();
    assert!(told.starts_with("error: the result could not be printed\n  because: No space left"), "{told}");
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut command = world.workshop.command(&["tag", "image.yaml"]);
    assert_eq!(command.stdout(writer).status().unwrap().code(), Some(0));
}

#[test]
fn where_a_lock_cannot_be_written_is_known_before_it_is_made() {
    let Some(world) = Offline::new() else { return };
    world.spec(&["gamma"]);
    let refused = world.workshop.run(&["lock", "image.yaml", "-o", "none/image.lock"]).expect(2);
    refused.says(&["none/image.lock cannot be written: none is no directory"]).never_says(&["resolving"]);
}

#[test]
fn an_image_without_a_registry_is_shown_as_it_was_named() {
    let Some(world) = Offline::new() else { return };
    world.spec(&["gamma"]);
    let local = ["build", "image.yaml", "--registry", "", "--tag", "v1", "--json"];
    let built: Value = serde_json::from_str(&world.workshop.run(&local).expect(0).stdout).unwrap();
    assert!(built["image"].as_str().unwrap().starts_with("app:"), "{built}");
    assert_eq!(built["further_tags"], serde_json::json!(["app:v1"]));
    let named = world.workshop.run(&["inspect", "app:v1"]).expect(0).stdout;
    assert!(named.starts_with("app:v1\n") && !named.contains("docker.io"), "{named}");
}

#[test]
fn a_spec_comes_from_standard_input() {
    let Some(world) = Offline::new() else { return };
    let workshop = &world.workshop;
    world.spec(&["gamma"]);
    let yaml = fs_err::read_to_string(workshop.project().join("image.yaml")).unwrap();
    let asked = |arguments: &[&str], spec: &str| workshop.run_on(spec, arguments);
    let tag = workshop.run(&["tag", "image.yaml"]).expect(0).stdout;
    assert_eq!(asked(&["tag", "-"], &yaml).expect(0).stdout, tag);
    workshop.write("image.json", r#"{"name": "app", "packages": ["gamma"]}"#);
    let json = workshop.run(&["tag", "image.json"]).expect(0).stdout;
    assert_eq!(asked(&["tag", "-"], r#" {"name": "app", "packages": ["gamma"]}"#).expect(0).stdout, json);
    asked(&["tag", "-"], "").expect(2).says(&["it is empty"]);
    asked(&["lock", "-"], &yaml).expect(2).says(&["hint: say where the lock goes: `--output FILE`"]);
    let lock = asked(&["lock", "-", "--output", "-"], &yaml).expect(0).stdout;
    assert!(lock.contains("gamma"), "{lock}");
    asked(&["build", "-"], &yaml).expect(0).says(&["done "]);
    workshop.run(&["exists", "image.yaml"]).expect(0);
}

#[test]
fn a_failure_goes_to_the_program_that_wants_it() {
    let Some(world) = Offline::new() else { return };
    world.workshop.write("image.yaml", "packges: [gamma]\n");
    let failed = world.workshop.run(&["--failure-file", "failure.json", "tag", "image.yaml"]).expect(2);
    assert_eq!(failed.stderr, "");
    let told = fs_err::read_to_string(world.workshop.project().join("failure.json")).unwrap();
    let told: Value = serde_json::from_str(&told).unwrap();
    assert_eq!(told["exit_code"], 2);
    assert!(told["message"].as_str().unwrap().contains("packges"), "{told}");
    assert_eq!(told["hint"], "did you mean `packages`?");
    let failed =
        world.workshop.run(&["tag", "none.yaml", "--failure-file", "/nowhere/failure.json"]).expect(2);
    failed.says(&["error: cannot read the spec", "  because: "]);
}
