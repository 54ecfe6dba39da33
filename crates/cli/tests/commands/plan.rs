//! `plan` says what a build would do and because of what, and does none of it.

use std::process::Command;

use serde_json::Value;

use crate::support::{Offline, small};

/// The listing, without what differs between runs: sizes, ports and digests.
#[track_caller]
fn listing(world: &Offline, arguments: &[&str]) -> String {
    let run = world.workshop.run(&[&["plan", "image.yaml"], arguments].concat()).expect(0);
    let text = run.stdout.replace(&world.registry.host(), "registry");
    let lines = text.lines().map(|line| {
        // The tag and the digests depend on the port of the registry.
        let words = line.split(' ').map(|word| match word.split_once("sha256:") {
            Some((before, _)) => format!("{before}sha256:…"),
            None if word.starts_with("registry/app:") => "registry/app:…".to_owned(),
            None => word.to_owned(),
        });
        words.collect::<Vec<_>>().join(" ")
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// The reasons of one layer, or none when it is there.
#[track_caller]
fn reasons(world: &Offline, title: &str) -> Value {
    let run = world.workshop.run(&["plan", "image.yaml", "--json"]).expect(0);
    let forecast: Value = serde_json::from_str(&run.stdout).unwrap();
    let layers = forecast["platforms"][0]["layers"].as_array().unwrap();
    let layer = layers.iter().find(|layer| layer["title"].as_str().unwrap().starts_with(title));
    layer.unwrap_or_else(|| panic!("no {title} in {forecast}"))["reasons"].clone()
}

#[test]
fn every_layer_is_there_or_has_a_reason_in_the_words_of_the_spec() {
    let Some(world) = Offline::new() else { return };
    world.spec(&["alpha==1.0", "gamma"]);
    insta::assert_snapshot!("first", listing(&world, &[]));
    world.workshop.build("image.yaml", &[]);
    insta::assert_snapshot!("nothing_changed", listing(&world, &[]));
    world.spec(&["gamma", "alpha==2.0", "beta"]);
    insta::assert_snapshot!("changed", listing(&world, &[]));
}

#[test]
fn a_plan_makes_downloads_and_pushes_nothing() {
    let Some(world) = Offline::new() else { return };
    world.spec(&["alpha", "gamma"]);
    world.workshop.run(&["plan", "image.yaml"]).expect(0);
    let fetched: Vec<String> =
        world.index.requests().into_iter().filter(|path| path.ends_with("-any.whl")).collect();
    assert_eq!(fetched, Vec::<String>::new());
    let changes = world
        .registry
        .requests()
        .into_iter()
        .filter(|request| request.method != "GET" && request.method != "HEAD");
    assert_eq!(changes.count(), 0);
    let usage = world.workshop.store().usage().unwrap();
    assert_eq!((usage.artifacts.count, usage.blobs.count), (0, 0));
}

#[test]
fn what_changed_beside_the_packages_is_named() {
    let Some(world) = Offline::new() else { return };
    world.spec(&["gamma"]);
    world.workshop.build("image.yaml", &[]);
    let mut later: Command = world.workshop.command(&["plan", "image.yaml"]);
    let later = later.env("SOURCE_DATE_EPOCH", "1700000000").output().unwrap();
    let later = String::from_utf8(later.stdout).unwrap();
    assert!(later.contains("epoch 315532800 -> 1700000000"), "{later}");

    // Another file of the same version: an index may replace one.
    world.index.add(&small("gamma", "1.0").file("more.py", "y = 2\n"));
    let mut anew = world.workshop.command(&["plan", "image.yaml", "--refresh"]);
    let anew = String::from_utf8(anew.output().unwrap().stdout).unwrap();
    assert!(anew.contains("another file of gamma 1.0 (packages[0])"), "{anew}");
}

#[test]
fn what_was_pruned_is_in_the_registry_or_made_again() {
    let Some(world) = Offline::new() else { return };
    world.spec(&["gamma"]);
    world.workshop.build("image.yaml", &[]);
    world.workshop.run(&["cache", "prune", "--max-size", "0"]).expect(0);
    let plan = listing(&world, &[]);
    assert!(plan.contains("in registry/app"), "{plan}");
    let made = world.workshop.build("image.yaml", &["--force"]).produced();
    assert_eq!(made.len(), 0, "what the repository has is not made again: {made:?}");
    let local = world.workshop.build("image.yaml", &["--no-push"]).produced();
    assert!(!local.is_empty(), "an image in the store needs its bytes");
    world.workshop.run(&["cache", "prune", "--all"]).expect(0);
    assert_eq!(reasons(&world, "small packages")[0]["reason"], "first_build");
}

#[test]
fn a_registry_that_does_not_answer_is_said_to_be_unknown() {
    let Some(world) = Offline::new() else { return };
    world.spec_with(&["gamma"], "");
    world.workshop.run(&["plan", "image.yaml"]).expect(0);
    let mut plan = world.workshop.command(&["plan", "image.yaml", "--registry", "localhost:1"]);
    let plan = plan.output().unwrap();
    let text = String::from_utf8(plan.stdout).unwrap();
    let (first, layers) = text.split_once('\n').unwrap();
    assert!(first.contains(": unknown whether it exists: cannot look up localhost:1/app"), "{text}");
    assert!(first.matches("unknown").count() == 1 && layers.contains("gamma"), "{text}");
}
