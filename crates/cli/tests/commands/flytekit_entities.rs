//! The images of a Python file of flytekit: which ones there are, flytekit itself says by what it packages.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use crate::support::{Offline, Run, needed, run_within, small};

const PACKAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../python");
const FLOWS: &str = include_str!("../../../../python/tests/entities.py");

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

#[test]
fn a_file_has_the_images_that_flytekit_packages() {
    let Some(world) = World::new() else { return };
    let planned = world.run(&["plan", "flows.py", "raws", "--json"]).expect(0);
    let image = |line: &str| {
        serde_json::from_str::<serde_json::Value>(line).unwrap()["image"].as_str().unwrap().to_owned()
    };
    let planned: BTreeSet<String> = planned.stdout.lines().map(image).collect();
    let tags: BTreeSet<String> =
        planned.iter().map(|name| name.rsplit_once(':').unwrap().1.to_owned()).collect();
    assert_eq!(tags.len(), 2);
    assert_eq!(world.images("tag", &["raws"]), tags);
    world.run(&["exists", "flows.py", "raws"]).expect(1);
    let names = world.images("build", &[]);
    assert!(planned.is_subset(&names), "{planned:?} are not all in {names:?}");
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

const ENVIRONMENT: &str = r#"
import flyte

image = (
    flyte.Image.from_base("REGISTRY/base:1")
    .clone(name="served", registry="REGISTRY", python_version=(3, 11), extendable=True)
    .with_pip_packages("gamma", index_url="INDEX")
    .with_source_file("flows.py", "/opt/")
)
first = flyte.TaskEnvironment(name="the-first", image=image)
last = flyte.TaskEnvironment(
    name="the-last", image=image.clone(name="last", extendable=True).with_env_vars({"A": "b"}).with_code_bundle(), depends_on=[first]
)
"#;

/// Prints the names that flyte has for what it builds. Where nobody can be asked it takes images for built.
const NAMES_OF_FLYTE: &str = r"
import flyte, served

class Nobody:
    def get_checkers(self): return []

flyte.init(image_builder=Nobody())
print(*flyte.build_images(served.last).image_lookup.values(), sep='\n')
";

#[test]
fn the_images_of_an_environment_have_the_names_that_flyte_gives_them() {
    let Some(world) = World::new() else { return };
    let (host, index) = (world.offline.registry.host(), world.offline.index.url());
    let text = ENVIRONMENT.replace("REGISTRY", &host).replace("INDEX", &index);
    world.offline.workshop.write("served.py", &text);
    let built = world.run(&["build", "served.py", "the-last"]).expect(0);
    let built: BTreeSet<&str> = built.stdout.lines().collect();
    let flytes = world.program("python", &["-c", NAMES_OF_FLYTE]);
    assert_eq!(built, flytes.lines().collect::<BTreeSet<_>>());
    assert_eq!(built.len(), 2);
    world.run(&["exists", "served.py", "first"]).expect(0);
    world.offline.workshop.write("folder/served.py", text);
    world.offline.workshop.write("folder/again.py", "import flyte\nfrom served import first, last\n");
    let all = world.run(&["name", "--all", "folder"]).expect(0);
    assert_eq!(all.stdout.lines().count(), 2, "{}", all.stdout);
    let inspected = world.run(&["inspect", "served.py:image"]).expect(0);
    assert!(inspected.stdout.contains("gamma 1.0"), "{}", inspected.stdout);
}

/// How often something was written to the registry.
fn pushes(world: &World) -> usize {
    let requests = world.offline.registry.requests();
    requests.iter().filter(|request| request.method != "GET" && request.method != "HEAD").count()
}
