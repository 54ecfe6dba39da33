//! `imagewright.toml` is in force below the folder that it is in.

use imagewright_testkit::registry::TestRegistry;

use crate::support::{Offline, run_within};

#[test]
fn a_mirror_of_the_project_serves_the_base() {
    let Some(world) = Offline::new() else { return };
    let workshop = &world.workshop;
    let (host, index) = (world.registry.host(), world.index.url());
    let empty = TestRegistry::start();
    // The base is named at a registry that does not have it; the mirror does.
    let spec = format!(
        "name: app\nbase_image: {}/base:1\npip_index: {index}\npackages: [gamma]\n\
         builder_options: {{bytecode: false}}\n",
        empty.host()
    );
    workshop.write("image.yaml", spec);
    workshop.run(&["build", "image.yaml"]).expect(4).says(&["does not exist"]);
    let mirror = format!("[registries.mirrors]\n\"{}\" = [\"http://{host}\"]\n", empty.host());
    workshop.write("imagewright.toml", mirror);
    workshop.run(&["build", "image.yaml"]).expect(0);
}

#[test]
fn a_key_that_is_no_setting_stops_every_command_that_would_use_it() {
    let Some(world) = Offline::new() else { return };
    world.spec(&["gamma"]);
    world.workshop.write("imagewright.toml", "debian-miror = \"http://x.test/debian\"\n");
    for command in [&["build", "image.yaml"][..], &["plan", "image.yaml"], &["cache", "du"], &["doctor"]] {
        world
            .workshop
            .run(command)
            .expect(2)
            .says(&["`debian-miror`, which is no setting", "`debian-mirror`?"]);
    }
}

#[test]
fn a_variable_that_is_no_setting_is_told_once_by_every_command() {
    let Some(world) = Offline::new() else { return };
    world.spec(&["gamma"]);
    for command in [
        &["build", "image.yaml", "--progress", "none"][..],
        &["tag", "image.yaml"],
        &["exists", "image.yaml"],
        &["cache", "du"],
        &["lock", "image.yaml"],
    ] {
        let mut command = world.workshop.command(command);
        let run =
            run_within(command.env("IMAGEWRIGHT_STOER", "/x"), std::time::Duration::from_mins(1)).expect(0);
        assert_eq!(run.stderr.matches("IMAGEWRIGHT_STOER").count(), 1, "{}", run.stderr);
        run.says(&["warning: IMAGEWRIGHT_STOER is set", "hint: did you mean `IMAGEWRIGHT_STORE`?"]);
    }
    let mut command = world.workshop.command(&["build", "image.yaml", "--progress", "json"]);
    let run = run_within(command.env("IMAGEWRIGHT_STOER", "/x"), std::time::Duration::from_mins(1)).expect(0);
    let events: Vec<serde_json::Value> =
        run.stderr.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(events[0]["event"], "warning");
}
