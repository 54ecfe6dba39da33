//! What a build tells while it is under way, for programs.

use std::ffi::OsString;
use std::time::Duration;

use serde_json::Value;

use crate::support::{Offline, Report, Workshop, network, run_within, variable};

/// The events of a build with `--progress json`, and its report.
fn events(world: &Offline) -> (Vec<Value>, Report) {
    let run = world.workshop.run(&["build", "image.yaml", "--json", "--progress", "json"]).expect(0);
    let events = run.stderr.lines().map(|line| serde_json::from_str(line).unwrap());
    (events.collect(), Report::parse(&run.stdout))
}

fn stages(events: &[Value]) -> Vec<&str> {
    let mut stages: Vec<&str> = events.iter().filter_map(|event| event["stage"].as_str()).collect();
    stages.dedup();
    stages
}

#[test]
fn images_of_tools_are_said_to_be_of_no_use() {
    let Some(world) = Offline::new() else { return };
    world.spec_with(&["gamma"], "builder_config: {uv_image: some/uv, micromamba_image: some/mamba}\n");
    let built = world.workshop.run(&["build", "image.yaml"]).expect(0);
    assert_eq!(
        built.count("builder_config: the native builder does not use `uv_image` and `micromamba_image`"),
        1
    );
}

#[test]
fn every_stage_is_told_and_progress_by_the_megabyte() {
    let Some(world) = Offline::new() else { return };
    world.spec(&["alpha", "gamma"]);
    let (first, _) = events(&world);
    assert_eq!(stages(&first), ["check", "resolve", "base", "produce", "push"]);
    let of_alpha = |event: &&Value| {
        let subject = event["subject"].as_str().unwrap_or_default();
        event["event"] == "progress" && subject.starts_with("alpha") && subject.ends_with("to the registry")
    };
    let sent: Vec<&Value> = first.iter().filter(of_alpha).collect();
    assert!((2..=5).contains(&sent.len()), "{sent:?}");
    let last = sent[sent.len() - 1];
    assert!(last["done"] == last["total"] && last["total"].as_u64().unwrap() > 2_000_000, "{last}");

    let text = fs_err::read_to_string(world.workshop.project().join("image.yaml")).unwrap();
    world.workshop.write("image.yaml", text.replace("name: app", "name: second"));
    let (second, report) = events(&world);
    assert_eq!(stages(&second), ["check", "resolve", "base", "push"]);
    let alpha = report.layers().into_iter().find(|layer| layer.packages.contains(&"alpha 2.0".to_owned()));
    assert_eq!(alpha.unwrap().source, "mounted", "{second:?}");
    assert!(report.layers().iter().any(|layer| layer.source == "base"));
}

fn path_without_uv() -> OsString {
    let folders = variable("PATH").unwrap();
    let without_uv = std::env::split_paths(&folders).filter(|folder| !folder.join("uv").exists());
    std::env::join_paths(without_uv).unwrap()
}

#[test]
fn a_machine_without_network_that_has_nothing_yet_is_no_mistake_of_the_spec() {
    if network().is_none() {
        return;
    }
    let workshop = Workshop::new();
    workshop.write("image.yaml", "name: first\npackages: [six]\n");
    let mut command = workshop.command(&["lock", "image.yaml"]);
    // Nothing listens there.
    let nowhere = [("PIP_INDEX_URL", "http://127.0.0.1:9/simple"), ("PIP_RETRIES", "1")];
    command.env_remove("IMAGEWRIGHT_UV").env("PATH", path_without_uv()).envs(nowhere);
    let run = run_within(&mut command, Duration::from_mins(1)).expect(4);
    run.says(&[
        "uv, which resolves Python packages, was not found",
        "hint: the package index did not answer",
    ]);
}

#[test]
fn a_machine_that_has_nothing_yet_tells_what_it_waits_for() {
    if network().is_none() {
        return;
    }
    let workshop = Workshop::new();
    workshop.write("image.yaml", "name: first\npackages: [six]\n");
    let path = path_without_uv();
    let lock = |style: &str| {
        let mut command = workshop.command(&["lock", "image.yaml", "-o", "-", "--progress", style]);
        run_within(command.env_remove("IMAGEWRIGHT_UV").env("PATH", &path), Duration::from_mins(3)).expect(0)
    };
    let first = lock("json");
    let events: Vec<Value> = first.stderr.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let told = |stage: &str| -> Vec<&str> {
        let events = events.iter().filter(|event| event["stage"] == stage);
        events.filter_map(|event| event["event"].as_str()).collect()
    };
    assert_eq!(told("install"), ["started", "ended"]);
    // For the base and for the compiler.
    assert_eq!(told("index"), ["started", "ended", "started", "ended"]);
    lock("plain").never_says(&["fetching"]);
}
