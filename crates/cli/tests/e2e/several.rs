//! Images for several platforms: an index of what is made for each.

use std::collections::BTreeSet;
use std::io::Read as _;

use imagewright_layer::{LayerEntryKind, LayerError, read_layer};
use imagewright_oci::{MediaType, Platform};
use imagewright_store::Store;
use imagewright_testkit::image::{ImageBuilder, put_index};
use imagewright_testkit::validate::{
    Finding, ImageSource, LayoutImage, RegistryImage, StoredImage, Validated, validate_index,
};
use imagewright_testkit::wheel::WheelBuilder;
use serde_json::Value;

use crate::support::{
    Docker, Offline, Peers, Report, Workshop, assert_valid, is_skipped_without, run, run_within,
    skopeo_digest, unique,
};

const BOTH: &str = "linux/arm64,linux/amd64";

/// Reads all images of an index, which have to be right, those for amd64 and for arm64.
#[track_caller]
fn assert_both(source: &impl ImageSource) -> [Validated; 2] {
    let images = validate_index(source).unwrap_or_else(|findings| {
        let found: Vec<String> = findings.iter().map(Finding::to_string).collect();
        panic!("the index is not right:\n{}", found.join("\n"))
    });
    let platforms: Vec<String> = images.iter().map(|image| image.config.platform.to_string()).collect();
    assert_eq!(platforms, ["linux/amd64", "linux/arm64"]);
    images.try_into().unwrap()
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// A world whose base is there for both, and a wheel that differs between them.
fn world() -> Option<Offline> {
    let world = Offline::new()?;
    let base = |architecture| ImageBuilder::like_debian(Platform::new("linux", architecture), "3.11.2");
    put_index(&world.registry, "base", "both", vec![base("amd64"), base("arm64")]);
    for processor in ["x86_64", "aarch64"] {
        let tag = format!("cp311-cp311-manylinux_2_17_{processor}");
        let native = WheelBuilder::new("native", "1.0").tag(&tag);
        let native = native.wheel_file("Wheel-Version: 1.0\nRoot-Is-Purelib: false\n");
        world.index.add(&native.file("native.py", format!("processor = '{processor}'\n")));
    }
    spec(&world, "registry: HOST\n");
    Some(world)
}

/// Writes a spec over that base.
fn spec(world: &Offline, more: &str) {
    let (host, index) = (world.registry.host(), world.index.url());
    let more = more.replace("HOST", &host);
    let text = format!(
        "name: app\nbase_image: {host}/base:both\npip_index: {index}\npackages: [native, gamma]\n\
         platform: {BOTH}\nbuilder_options: {{bytecode: false}}\n{more}"
    );
    world.workshop.write("image.yaml", text);
}

/// Whether every program of an image whose layers are in a store is for arm64.
#[track_caller]
fn assert_is_for_arm64(image: &Validated, store: &Store) {
    const ELF: [u8; 4] = *b"\x7fELF";
    /// `e_machine` of AArch64, in the machine's byte order, which is little-endian.
    const AARCH64: [u8; 2] = [183, 0];
    let (mut programs, mut foreign) = (0, Vec::new());
    for layer in &image.manifest.layers {
        let blob = store.blob(&layer.digest).unwrap().unwrap();
        read_layer::<LayerError>(blob, &MediaType::OciLayerGzip, |entry, content| {
            let mut head = Vec::new();
            if matches!(entry.kind, LayerEntryKind::File { .. }) {
                content.take(20).read_to_end(&mut head).unwrap();
            }
            if head.starts_with(&ELF) {
                programs += 1;
                if head[18..20] != AARCH64 {
                    foreign.push(entry.path.clone());
                }
            }
            Ok(())
        })
        .unwrap();
    }
    assert!(programs > 200, "only {programs} programs and libraries");
    assert_eq!(foreign, Vec::<std::path::PathBuf>::new());
}

#[test]
fn several_platforms_are_an_index_under_the_tag() {
    let Some(world) = world() else { return };
    let workshop = &world.workshop;
    let missing = workshop.run(&["exists", "image.yaml"]).expect(1).stdout;
    assert_eq!(missing, "false\n");
    let stdout = workshop.run(&["build", "image.yaml", "--json"]).expect(0).stdout;
    let report = Report::parse(&stdout);
    let told = json(&stdout);
    let image = report.text("image");
    let [amd64, arm64] = assert_both(&RegistryImage::new(image.parse().unwrap()));
    assert_eq!(told["platforms"].as_array().unwrap().len(), 2, "{told}");
    let digests: BTreeSet<&str> =
        told["parts"].as_array().unwrap().iter().map(|part| part["digest"].as_str().unwrap()).collect();
    assert_eq!(digests, BTreeSet::from([&*amd64.digest.to_string(), &*arm64.digest.to_string()]));
    // What both have is one layer, and what differs is in the layers of each.
    let layers = |image: &Validated| -> BTreeSet<String> {
        image.manifest.layers.iter().map(|layer| layer.digest.to_string()).collect()
    };
    let (amd64, arm64) = (layers(&amd64), layers(&arm64));
    assert!(amd64.intersection(&arm64).count() > 0 && amd64 != arm64, "{amd64:?} {arm64:?}");
    let tag = image.rsplit_once(':').unwrap().1;
    assert_eq!(world.registry.tags("app"), BTreeSet::from([tag.to_owned()]), "parts have no tags");

    workshop.run(&["exists", "image.yaml"]).expect(0);
    assert_eq!(workshop.build("image.yaml", &[]).text("status"), "exists");
    let inspected = json(&workshop.run(&["inspect", "image.yaml", "--json"]).expect(0).stdout);
    assert_eq!(inspected["index"]["digest"], report.digest());
    assert_eq!(inspected["index"]["images"].as_array().unwrap().len(), 2);
    let inspected = workshop.run(&["inspect", image, "--platform", "linux/arm64"]).expect(0).stdout;
    assert!(inspected.contains("platform   linux/arm64"), "{inspected}");

    // Another machine asks what the index says of itself, and is told what changed.
    let elsewhere = Workshop::new();
    let text = fs_err::read_to_string(workshop.project().join("image.yaml")).unwrap();
    elsewhere.write("image.yaml", &text);
    elsewhere.run(&["exists", "image.yaml"]).expect(0);
    let forced = elsewhere.build("image.yaml", &["--force"]);
    assert_eq!(forced.digest(), report.digest(), "the lock attached to the index was to be kept to");
    elsewhere.write("image.yaml", text.replace("packages: [native, gamma]", "requirements: more.txt"));
    elsewhere.write("more.txt", "native\ngamma\n");
    elsewhere.build("image.yaml", &[]);
    elsewhere.write("nested.txt", "gamma\n");
    elsewhere.write("more.txt", "native\n-r nested.txt\n");
    elsewhere.run(&["exists", "image.yaml"]).expect(1);

    // One platform of both is there, and a third one is not.
    let of_both = format!("platform: {BOTH}");
    elsewhere.write("image.yaml", text.replace(&of_both, &format!("{of_both},linux/s390x")));
    elsewhere.run(&["build", "image.yaml"]).expect(4).says(&["linux/s390x"]);
}

#[test]
fn an_index_that_is_pushed_nowhere_is_known_and_brought_to_sinks() {
    let Some(world) = world() else { return };
    if is_skipped_without("skopeo") {
        return;
    }
    let workshop = &world.workshop;
    spec(&world, "");
    workshop.run(&["exists", "image.yaml"]).expect(1);
    let report = workshop.build("image.yaml", &["--tag", "latest"]);
    let digest = report.digest().to_owned();
    workshop.run(&["exists", "image.yaml"]).expect(0);
    let outputs = ["oci:layout", "oci-archive:image.tar", "docker-archive:docker.tar"];
    let arguments: Vec<&str> = outputs.iter().flat_map(|one| ["--output", one]).collect();
    let arguments = [&["--tag", "latest"], &arguments[..]].concat();
    let again = workshop.build("image.yaml", &arguments);
    assert_eq!((again.text("status"), again.digest()), ("exists", &*digest));
    let project = workshop.project();
    let place = |kind: &str, path: &str| format!("{kind}:{}:latest", project.join(path).display());
    let names = json(&again.outputs()[0].1);
    assert_both(&LayoutImage::new(project.join("layout"), names[0].as_str().unwrap()));
    let archive = place("oci-archive", "image.tar");
    for image in [place("oci", "layout"), archive.clone()] {
        let raw = json(&run("skopeo", &["inspect", "--raw", &image]));
        assert_eq!(raw["manifests"].as_array().unwrap().len(), 2, "{raw}");
    }
    let copied = workshop.path("copied").display().to_string();
    run("skopeo", &["copy", "--quiet", "--all", &archive, &format!("oci:{copied}:latest")]);
    let machine = Platform::of_this_machine().architecture;
    let archive = format!("docker-archive:{}", project.join("docker.tar").display());
    assert_eq!(json(&run("skopeo", &["inspect", "--config", &archive]))["architecture"], machine);

    // What is not asked for anew is not made anew, and a machine that is none of them cannot be given one.
    let foreign = ["--platform", "linux/s390x,linux/ppc64le"];
    let refused = [&["build", "image.yaml", "--output", "docker-archive:x.tar"], &foreign[..]].concat();
    workshop
        .run(&refused)
        .expect(2)
        .says(&["docker-archive:x.tar takes the image of one platform", "hint: name one with `--platform`"]);
    workshop.run(&["dockerfile", "image.yaml"]).expect(2).says(&[
        "one platform",
        "linux/arm64, linux/amd64",
        "hint: name one",
    ]);
    spec(&world, "commands: [echo 1]\napt_packages: [curl]\n");
    let build = workshop.run(&["build", "image.yaml", "--platform", "linux/s390x"]);
    build.expect(4).says(&["linux/s390x"]);
}

#[test]
fn a_store_that_lost_a_part_makes_it_again() {
    let Some(world) = world() else { return };
    spec(&world, "");
    let workshop = &world.workshop;
    let report = workshop.build("image.yaml", &[]);
    let store = workshop.store();
    let index = StoredImage::new(store.clone(), report.digest().parse().unwrap());
    let index: Value = serde_json::from_slice(&index.manifest().unwrap().1).unwrap();
    let part = index["manifests"][1]["digest"].as_str().unwrap();
    let (_, hex) = part.split_once(':').unwrap();
    fs_err::remove_file(store.directory().join("blobs").join(hex)).unwrap();
    workshop.run(&["exists", "image.yaml"]).expect(1);
    assert_eq!(workshop.build("image.yaml", &[]).digest(), report.digest());
    workshop.run(&["exists", "image.yaml"]).expect(0);
}

#[test]
fn a_nested_base_is_made_for_the_platforms_of_what_is_over_it() {
    let Some(world) = world() else { return };
    let (workshop, host) = (&world.workshop, world.registry.host());
    let spec = |platform: &str, registry: &str| {
        format!(
            "name: over\nregistry: {host}\nplatform: {platform}\npip_index: {index}\npackages: [native]\n\
             builder_options: {{bytecode: false}}\nbase_image:\n  name: below\n{registry}\
             \x20 base_image: {host}/base:both\n  pip_index: {index}\n  packages: [gamma]\n\
             \x20 builder_options: {{bytecode: false}}\n",
            index = world.index.url()
        )
    };
    for registry in ["", &format!("  registry: {host}\n")] {
        workshop.write("image.yaml", spec(BOTH, registry));
        let report = workshop.build("image.yaml", &[]);
        for image in assert_both(&RegistryImage::new(report.text("image").parse().unwrap())) {
            let site = "opt/venv/lib/python3.11/site-packages";
            assert!(image.paths.contains(&format!("{site}/gamma.py")), "{:?}", image.paths);
            assert!(image.paths.contains(&format!("{site}/native.py")), "{:?}", image.paths);
        }
        assert_eq!(world.registry.tags("below").is_empty(), registry.is_empty());
        let plan = workshop.run(&["plan", "image.yaml"]).expect(0).stdout;
        assert!(plan.contains("linux/amd64: ") && plan.contains("linux/arm64: "), "{plan}");
        workshop.run(&["lock", "image.yaml"]).expect(0);
        let frozen = workshop.build("image.yaml", &["--frozen", "--force"]);
        assert_eq!(frozen.digest(), report.digest());
        fs_err::remove_file(workshop.project().join("image.lock")).unwrap();
        // Of one platform, there is no index over it; the base is there for both, and is not made again.
        workshop.write("image.yaml", spec("linux/arm64", registry));
        let report = workshop.build("image.yaml", &[]);
        assert_eq!(assert_valid(report.text("image")).config.platform.to_string(), "linux/arm64");
    }
    let tag = world.registry.tags("below").pop_first().unwrap();
    assert_both(&RegistryImage::new(format!("{host}/below:{tag}").parse().unwrap()));

    // Two of one command that are over it have it for both.
    let [amd, arm] = ["amd64", "arm64"].map(|architecture| {
        let spec = spec(&format!("linux/{architecture}"), &format!("  registry: {host}\n"));
        let spec = spec
            .replace("name: below", "name: shared")
            .replace("name: over", &format!("name: {architecture}"));
        let file = format!("{architecture}.yaml");
        workshop.write(&file, spec);
        file
    });
    let built = workshop.run(&["build", "--json", &amd, &arm]).expect(0).stdout;
    let images = built.lines().map(|line| assert_valid(Report::parse(line).text("image")));
    let platforms: Vec<String> = images.map(|image| image.config.platform.architecture).collect();
    assert_eq!(platforms, ["amd64", "arm64"]);
    let tag = world.registry.tags("shared").pop_first().unwrap();
    assert_both(&RegistryImage::new(format!("{host}/shared:{tag}").parse().unwrap()));

    // A base that says nothing of its platform is made for that of the image over it alone; one that does, for both.
    for (says, expected) in [("", 1), ("\n  platform: linux/amd64", 2)] {
        let name = format!("alone-{expected}");
        let spec = spec("linux/arm64", &format!("  registry: {host}{says}\n"));
        workshop.write("image.yaml", spec.replace("name: below", &format!("name: {name}")));
        let plan = workshop.run(&["plan", "image.yaml"]).expect(0).stdout;
        assert!(!plan.contains("linux/amd64"), "{plan}");
        workshop.build("image.yaml", &[]);
        let tag = world.registry.tags(&name).pop_first().unwrap();
        let base = format!("{host}/{name}:{tag}");
        match expected {
            1 => assert_eq!(assert_valid(&base).config.platform.architecture, "arm64"),
            _ => drop(assert_both(&RegistryImage::new(base.parse().unwrap()))),
        }
    }
}

#[test]
fn what_no_emulator_executes_is_named() {
    let Some(world) = Offline::new() else { return };
    // What this machine has registered is hidden.
    let hide = "mount -t tmpfs none /proc/sys/fs/binfmt_misc && exec \"$0\" \"$@\"";
    let hidden = ["unshare", "--mount", "--map-root-user", "sh", "-c", hide];
    let is_registered = fs_err::metadata("/proc/sys/fs/binfmt_misc/qemu-riscv64").is_ok();
    let wrapper = if is_registered { &hidden[..] } else { &[] };
    let run = |arguments: &[&str]| {
        run_within(&mut world.workshop.wrapped(wrapper, arguments), std::time::Duration::from_mins(1))
    };
    let base = ImageBuilder::like_debian(Platform::new("linux", "riscv64"), "3.11.2");
    put_index(&world.registry, "base", "foreign", vec![base.file("usr/bin/apt-get", "")]);
    let host = world.registry.host();
    let project = "[build-system]\nrequires = []\nbuild-backend = 'backend'\nbackend-path = ['.']\n";
    world.index.add_source("delta", "1.0", None, &[("pyproject.toml", project), ("backend.py", "")]);
    for (packages, fields) in [("delta", "packages and apt_packages"), ("", "apt_packages and commands")] {
        world.workshop.write(
            "image.yaml",
            format!(
                "name: app\nregistry: {host}\nbase_image: {host}/base:foreign\npip_index: {}\n\
                 packages: [{packages}]\nplatform: linux/riscv64\ncommands: [make]\napt_packages: [curl]\n\
                 builder_options: {{bytecode: false}}\n",
                world.index.url()
            ),
        );
        run(&["build", "image.yaml"]).expect(2).says(&[
            &format!("{fields} would have to run on linux/riscv64, which this machine does not execute: "),
            "hint: install an emulator",
            "qemu-user-static",
            &format!("leave out {fields}"),
        ]);
    }
    assert!(world.registry.tags("app").is_empty());
    run(&["lock", "image.yaml"]).expect(0).says(&[
        "warning: versions of apt_packages for linux/riscv64 are not in the lock: apt_packages would have to run",
        "hint: `build` chooses them, and fails with `--frozen`",
    ]);
    run(&["build", "image.yaml", "--frozen"])
        .expect(2)
        .says(&["error: image.lock has no versions of the spec's apt_packages for linux/riscv64"]);
}

#[test]
fn docker_takes_its_own_platform_of_a_nested_pair() {
    let Some(peers) = Peers::find() else { return };
    let workshop = Workshop::warm();
    let name = unique("pair");
    workshop.write(
        "image.yaml",
        format!(
            "name: {name}\nregistry: {}\nplatform: linux/amd64,linux/arm64\npackages: [charset-normalizer]\n\
             base_image:\n  name: below\n  python_version: '3.11'\n  packages: [six]\n",
            peers.registry
        ),
    );
    let report = workshop.build("image.yaml", &[]);
    let image = report.text("image");
    let [_, arm64] = assert_both(&RegistryImage::new(image.parse().unwrap()));
    assert_is_for_arm64(&arm64, &workshop.store());
    let remote = format!("docker://{image}");
    let raw = json(&run("skopeo", &["inspect", "--raw", "--tls-verify=false", &remote]));
    assert_eq!(raw["mediaType"], "application/vnd.oci.image.index.v1+json");
    assert_eq!(skopeo_digest(image), report.digest());
    let arm = ["--override-arch", "arm64", "inspect", "--tls-verify=false", "--config", &remote];
    assert_eq!(json(&run("skopeo", &arm))["architecture"], "arm64");
    let program = "import charset_normalizer, platform, six; print(platform.machine())";
    let machine = Platform::of_this_machine().architecture;
    let expected = if machine == "amd64" { "x86_64" } else { "aarch64" };
    let container = Docker::pull(&peers.docker, image);
    assert_eq!(container.python(program), expected);
    container.check_requirements();
    let said = workshop.run(&["run", "image.yaml", "--", "python", "-c", program]).expect(0);
    assert_eq!(said.stdout.trim(), expected);
}
