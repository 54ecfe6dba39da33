//! `imagewright.toml` is in force below the folder that it is in.

use imagewright_testkit::registry::TestRegistry;

use crate::support::Offline;

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
