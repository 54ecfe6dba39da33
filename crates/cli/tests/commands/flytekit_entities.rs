//! The images of a Python file of flytekit: which ones there are, flytekit itself says by what it packages.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use crate::support::{Offline, Run, needed, run_within, small};

const PACKAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../python");
const FLOWS: &str = include_str!("entities.py");

/// Prints the images in a package that have a tag which flytekit makes, and whether one's task has it in its cache version.
const IN_A_PACKAGE: &str = r"
import hashlib, re, sys, tarfile
with tarfile.open(sys.argv[1]) as archive:
    content = b'\n'.join(archive.extractfile(member).read() for member in archive.getmembers() if member.name.endswith('.pb'))
images = {image.decode() for image in re.findall(re.escape(sys.argv[2].encode()) + rb'/[a-z-]+:[\w-]{22}', content)}
[cached] = [image for image in images if '/cached:' in image]
assert hashlib.sha256(f's{cached}'.encode()).hexdigest().encode() in content, 'another version of the cache'
print(*images, sep='\n')
";

/// A world with a file of every kind of entity, and what its tests ask.
struct World {
    offline: Offline,
    python: PathBuf,
}

impl World {
    fn new() -> Option<Self> {
        let python = needed("IMAGEWRIGHT_TEST_PYTHON")?.into();
        let offline = Offline::new()?;
        offline.index.add(&small("flytekit", "1.16.31"));
        let (host, index) = (offline.registry.host(), offline.index.url());
        let workshop = &offline.workshop;
        workshop.write("flows.py", FLOWS.replace("REGISTRY", &host).replace("INDEX", &index));
        for name in ["configured", "in-the-file"] {
            let spec = format!(
                "name: {name}\nregistry: {host}\nbase_image: {host}/base:1\npip_index: {index}\n\
                 builder_options: {{bytecode: false}}\n"
            );
            workshop.write(&format!("{name}.yaml"), spec);
        }
        workshop.write("flytekit.config", "[images]\nin_the_file = in-the-file.yaml\nunused = flows.py\n");
        Some(Self { offline, python })
    }

    fn run(&self, arguments: &[&str]) -> Run {
        let mut command = self.offline.workshop.command(arguments);
        command.env("IMAGEWRIGHT_PYTHON_PROGRAM", &self.python).env("PYTHONPATH", PACKAGE);
        run_within(&mut command, Duration::from_mins(2))
    }

    /// What a program beside the Python prints.
    #[expect(clippy::disallowed_methods, reason = "flytekit is a program")]
    fn program(&self, name: &str, arguments: &[&str]) -> String {
        let mut command = Command::new(self.python.with_file_name(name));
        self.offline.workshop.place(command.args(arguments));
        command.env("IMAGEWRIGHT_PROGRAM", env!("CARGO_BIN_EXE_imagewright")).env("PYTHONPATH", PACKAGE);
        run_within(&mut command, Duration::from_mins(3)).expect(0).stdout
    }

    /// The images of what is named, as a command prints them.
    fn images(&self, command: &str, names: &[&str]) -> BTreeSet<String> {
        let run = self.run(&[&[command, "flows.py"], names].concat()).expect(0);
        run.stdout.lines().map(str::to_owned).collect()
    }
}

/// The images without registry and tag.
fn short(images: &BTreeSet<String>) -> String {
    let mut short: Vec<&str> =
        images.iter().map(|image| image.split(['/', ':']).nth_back(1).unwrap_or_default()).collect();
    short.sort_unstable();
    short.join(" ")
}

#[test]
fn the_images_of_each_entity() {
    let Some(world) = World::new() else { return };
    for (name, expected) in [
        ("outer", "nested"),
        ("maps", "mapped mapped-before"),
        ("plans", "planned"),
        ("a_plan", "planned"),
        ("array_of_plans", "planned"),
        ("chooses", "otherwise then"),
        ("fails", "failure"),
        ("pods", "overridden overriding-side primary side"),
        ("raws", "customized raw"),
        ("templates", "configured in-the-file"),
        ("configured", "configured"),
        ("cached", "cached"),
    ] {
        assert_eq!(short(&world.images("name", &[name])), expected, "{name}");
    }
    let refused = world.run(&["name", "flows.py", "only_references"]).expect(2);
    refused.says(&["no task of only_references in flows.py has an ImageSpec"]);
    // Of what knows its tasks when it runs, all count; but no image that nothing leads to.
    let all = world.images("name", &[]);
    for (name, missing) in [("knows_later", "overriding-side"), ("is_eager", "overriding-side")] {
        let expected = all.iter().filter(|image| !image.contains(missing)).cloned().collect();
        assert_eq!(short(&world.images("name", &[name])), short(&expected), "{name}");
    }
    // Two images of one task have two locks.
    let several = world.run(&["lock", "flows.py", "in_a_pod"]).expect(2);
    several.says(&["flows.py:in_a_pod (in_a_pod), flows.py:in_a_pod-2 (in_a_pod)"]);
}

#[test]
fn a_file_has_the_images_that_flytekit_packages() {
    let Some(world) = World::new() else { return };
    let names = world.images("name", &[]);
    assert_eq!(world.images("tag", &[]).len(), names.len());
    let asked = world.run(&["exists", "flows.py", "raws"]).expect(1);
    assert_eq!(asked.stdout.lines().count(), 2, "{}", asked.stdout);
    let planned = world.run(&["plan", "flows.py", "raws", "--json"]).expect(0);
    let plans: Vec<serde_json::Value> =
        planned.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let planned: BTreeSet<String> =
        plans.iter().map(|plan| plan["image"].as_str().unwrap().to_owned()).collect();
    assert_eq!(planned, world.images("name", &["raws"]));

    assert_eq!(world.images("build", &[]), names);
    world.run(&["exists", "flows.py"]).expect(0);
    let pushed = pushes(&world);
    let host = world.offline.registry.host();
    let of_others = format!("--image=of_others={host}/base:1");
    let images = ["--image=in_the_file=in-the-file.yaml", "--image=configured=configured.yaml", &of_others];
    let package = ["--pkgs", "flows", "package", "--fast", "--source", ".", "--output", "made.tgz"];
    world.program("pyflyte", &[&package[..], &images].concat());
    let printed = world.program("python", &["-c", IN_A_PACKAGE, "made.tgz", &host]);
    assert_eq!(printed.lines().map(str::to_owned).collect::<BTreeSet<_>>(), names);
    assert_eq!(pushes(&world), pushed, "no image is made again");
}

/// How often something was written to the registry.
fn pushes(world: &World) -> usize {
    let requests = world.offline.registry.requests();
    requests.iter().filter(|request| request.method != "GET" && request.method != "HEAD").count()
}
