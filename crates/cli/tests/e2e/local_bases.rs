//! Bases in folders and archives, and bases as other tools write them: zstd layers, Docker's own manifests.

use std::path::{Path, PathBuf};

use imagewright_oci::{Digest, Platform};
use imagewright_testkit::image::{ImageBuilder, put_index};
use imagewright_testkit::registry::{Rules, TestRegistry};
use imagewright_testkit::validate::StoredImage;
use serde_json::Value;

use crate::support::{
    Docker, Offline, Peers, Workshop, assert_right, assert_valid, is_skipped_without, run, unique,
};

fn text(path: &Path) -> &str {
    path.to_str().expect("test folders have plain names")
}

/// A world with skopeo; without it the caller skips.
fn world() -> Option<Offline> {
    if is_skipped_without("skopeo") { None } else { Offline::new() }
}

/// Copies an image of the world's registry into the project: `oci:folder:name`, `docker-archive:file:name`.
fn copy(world: &Offline, image: &str, to: &str, more: &[&str]) -> PathBuf {
    let (format, path) = to.split_once(':').unwrap();
    let path = text(&world.workshop.project()).to_owned() + "/" + path;
    let from = format!("docker://{}/{image}", world.registry.host());
    let to = format!("{format}:{path}");
    run("skopeo", &[&["copy", "--quiet", "--src-tls-verify=false"], more, &[&from, &to]].concat());
    PathBuf::from(path.split(':').next().unwrap())
}

/// Copies an image within the world's registry, as another tool would have pushed it.
fn push(world: &Offline, image: &str, to: &str, more: &[&str]) {
    let name = |image: &str| format!("docker://{}/{image}", world.registry.host());
    let plain = ["copy", "--quiet", "--src-tls-verify=false", "--dest-tls-verify=false"];
    run("skopeo", &[&plain, more, &[&name(image), &name(to)]].concat());
}

/// Writes `image.yaml` over a base.
fn write(world: &Offline, name: &str, base: &str, more: &str) {
    let (host, index) = (world.registry.host(), world.index.url());
    let spec = format!(
        "name: {name}\nregistry: {host}\nbase_image: {base}\npip_index: {index}\npackages: [gamma]\n\
         builder_options: {{bytecode: false}}\n{more}"
    );
    world.workshop.write("image.yaml", spec);
}

fn base_layers(report: &crate::support::Report) -> Vec<Digest> {
    let layers = report.layers().into_iter().filter(|layer| layer.source == "base");
    layers.map(|layer| layer.digest.parse().unwrap()).collect()
}

#[test]
fn every_local_format_is_a_base() {
    let Some(world) = world() else { return };
    let workshop = &world.workshop;
    for (name, base) in [
        ("layout", "oci:layout:1"),
        ("archive", "oci-archive:base.tar"),
        ("docker", "docker-archive:docker.tar:app/base:1"),
    ] {
        copy(&world, "base:1", base, &[]);
        // Only the archive has it now.
        world.registry.forget_requests();
        write(&world, name, base, "");
        let report = workshop.build("image.yaml", &[]);
        let layers = base_layers(&report);
        assert_eq!(layers.len(), 1);
        let validated = assert_valid(report.text("image"));
        for path in ["usr/bin/python3.11", "opt/venv/lib/python3.11/site-packages/gamma.py"] {
            assert!(validated.paths.iter().any(|has| has == path), "{path} is not in {name}");
        }
        assert!(!world.registry.requests().iter().any(|request| request.path.contains("/v2/base/")));
        // The archive's layer is the layout's, which the store has since that was not pushed.
        let is_kept = workshop.store().blob(&layers[0]).unwrap().is_some();
        assert_eq!(is_kept, name == "archive", "the layer of {name} was not streamed");
        assert_eq!(workshop.build("image.yaml", &[]).text("status"), "exists");

        // Another repository takes the layer from the first; where nothing is pushed the store has it.
        write(&world, &format!("{name}-2"), base, "");
        let again = workshop.build("image.yaml", &[]);
        let size = again.layers().iter().find(|layer| layer.source == "base").unwrap().size;
        assert!(again.number("bytes_uploaded") < size.max(20_000), "{}", again.number("bytes_uploaded"));
        assert_valid(again.text("image"));
        write(&world, &format!("{name}-3"), base, "");
        let local = workshop.build("image.yaml", &["--no-push", "--output", &format!("oci:{name}-out")]);
        assert_right(&StoredImage::new(workshop.store(), local.digest().parse().unwrap()));
        assert_eq!(workshop.build("image.yaml", &["--no-push"]).text("status"), "exists");
    }
}

#[test]
fn of_several_images_the_named_one_for_the_platform_is_taken() {
    let Some(world) = world() else { return };
    let platforms = ["linux/amd64", "linux/arm64"].map(|text| text.parse::<Platform>().unwrap());
    let images = platforms.map(|platform| {
        let marker = platform.architecture.clone();
        ImageBuilder::like_debian(platform, "3.11.2").file(&format!("etc/{marker}"), "here\n")
    });
    put_index(&world.registry, "many", "1", images.into());
    copy(&world, "many:1", "oci:all:many", &["--all"]);
    let workshop = &world.workshop;
    for architecture in ["amd64", "arm64"] {
        write(&world, architecture, "oci:all", &format!("platform: linux/{architecture}\n"));
        let report = workshop.build("image.yaml", &[]);
        let paths = assert_valid(report.text("image")).paths;
        assert!(paths.contains(&format!("etc/{architecture}")), "{paths:?}");
    }
    write(&world, "none", "oci:all", "platform: linux/s390x\n");
    let says = ["oci:all", "no image for linux/s390x", "linux/amd64, linux/arm64"];
    workshop.run(&["build", "image.yaml"]).expect(2).says(&says);

    copy(&world, "base:1", "oci:all:single", &[]);
    write(&world, "several", "oci:all", "");
    let says = ["oci:all", "several images", "hint:", "many", "single"];
    workshop.run(&["build", "image.yaml"]).expect(2).says(&says);
    write(&world, "several", "oci:all:other", "");
    workshop.run(&["build", "image.yaml"]).expect(2).says(&["no image of that name", "many", "single"]);
    write(&world, "several", "oci:all:single", "");
    let paths = assert_valid(workshop.build("image.yaml", &[]).text("image")).paths;
    assert!(!paths.contains(&"etc/amd64".to_owned()));
}

#[test]
fn another_image_in_the_archive_makes_the_built_one_stale() {
    let Some(world) = world() else { return };
    let path = copy(&world, "base:1", "oci-archive:base.tar", &[]);
    let layout = copy(&world, "base:1", "oci:layout:1", &[]);
    ImageBuilder::like_debian(Platform::linux_amd64(), "3.11.2").file("etc/new", "").put(
        &world.registry,
        "other",
        "1",
    );
    for (base, name) in [("oci-archive:base.tar", "base.tar"), ("oci:layout:1", "layout")] {
        write(&world, name, base, "");
        let lock = world.workshop.run(&["lock", "image.yaml"]).expect(0);
        println!("{}", lock.stderr);
        let first = world.workshop.build("image.yaml", &["--frozen"]);
        if name == "layout" {
            // Another image beside it changes nothing.
            copy(&world, "other:1", "oci:layout:2", &[]);
            assert_eq!(world.workshop.build("image.yaml", &[]).text("status"), "exists");
            fs_err::remove_dir_all(&layout).unwrap();
        } else {
            fs_err::remove_file(&path).unwrap();
        }
        copy(&world, "other:1", base, &[]);
        let no = world.workshop.run(&["exists", "image.yaml"]).expect(1);
        assert_eq!(no.stdout, format!("stale: {name} changed\n"));
        world.workshop.run(&["build", "image.yaml", "--frozen"]).expect(2).says(&["does not cover", name]);
        let second = world.workshop.build("image.yaml", &[]);
        assert_eq!(second.text("status"), "stale-rebuilt");
        assert_ne!(base_layers(&first), base_layers(&second));
        fs_err::remove_file(world.workshop.project().join("image.lock")).unwrap();
    }
}

#[test]
fn what_is_damaged_or_not_there_is_refused_with_its_path() {
    let Some(world) = world() else { return };
    let workshop = &world.workshop;
    let archive = copy(&world, "base:1", "oci-archive:base.tar", &[]);
    let docker = copy(&world, "base:1", "docker-archive:docker.tar:app/base:1", &[]);
    let whole = fs_err::read(&archive).unwrap();
    let refused = |base: &str, says: &[&str]| {
        write(&world, "refused", base, "");
        let run = workshop.run(&["build", "image.yaml"]).expect(2).says(says);
        println!("{}", run.stderr);
    };
    refused("oci-archive:nowhere.tar", &["nowhere.tar"]);
    refused("oci:nowhere", &["nowhere"]);
    fs_err::write(&archive, &whole[..whole.len() / 2]).unwrap();
    refused("oci-archive:base.tar", &["oci-archive:base.tar cannot be used", "hint:"]);
    // One bit of a layer: the first bytes of a gzip stream stay, so that nothing but its digest tells.
    let layer = base_layer(&world);
    let content = world.registry.blob("base", layer).unwrap();
    let at = whole.windows(content.len()).position(|window| window == content).unwrap();
    let mut damaged = whole.clone();
    damaged[at + content.len() - 1] ^= 1;
    fs_err::write(&archive, &damaged).unwrap();
    refused("oci-archive:base.tar", &["oci-archive:base.tar cannot be used", &layer.hex(), "hint:"]);
    assert!(world.registry.tags("refused").is_empty());

    // The facts of the right one are known by now; its bytes are looked at all the same when they are sent.
    fs_err::write(&archive, &whole).unwrap();
    write(&world, "right", "oci-archive:base.tar", "");
    workshop.build("image.yaml", &["--no-push"]);
    fs_err::write(&archive, &damaged).unwrap();
    world.registry.delete_repository("right");
    let elsewhere = Workshop::new().with_store(workshop.store_path());
    elsewhere.write("image.yaml", fs_err::read(workshop.project().join("image.yaml")).unwrap());
    elsewhere.write("base.tar", &damaged);
    let sent = elsewhere.run(&["build", "image.yaml"]).expect(2);
    println!("{}", sent.stderr);
    sent.says(&["oci-archive:base.tar cannot be used", "is damaged"]);
    assert!(world.registry.tags("right").is_empty());

    let bytes = fs_err::read(&docker).unwrap();
    fs_err::write(&docker, &bytes[..bytes.len() / 2]).unwrap();
    refused("docker-archive:docker.tar", &["docker-archive:docker.tar cannot be used"]);
    workshop.write("docker.tar", "not an archive");
    refused("docker-archive:docker.tar", &["docker-archive:docker.tar cannot be used"]);
    workshop.write("docker.tar", [0x1f, 0x8b, 8, 0]);
    refused("docker-archive:docker.tar", &["compressed as a whole", "gunzip"]);
    workshop.write("folder/oci-layout", "{}");
    refused("oci:folder", &["folder"]);
}

/// The digest of the base's only layer.
fn base_layer(world: &Offline) -> Digest {
    let manifest = world.registry.tag("base", "1").unwrap();
    let manifest: Value =
        serde_json::from_slice(&world.registry.manifest("base", manifest).unwrap()).unwrap();
    manifest["layers"][0]["digest"].as_str().unwrap().parse().unwrap()
}

#[test]
fn bases_of_other_encodings_are_used_as_they_are() {
    let Some(world) = world() else { return };
    let workshop = &world.workshop;
    let zstd = ["--format", "oci", "--dest-compress-format", "zstd"];
    push(&world, "base:1", "zstd:1", &zstd);
    push(&world, "base:1", "schema2:1", &["--format", "v2s2"]);
    copy(&world, "zstd:1", "oci:zstd:1", &[]);
    let host = world.registry.host();
    let media_type = |report: &crate::support::Report| {
        assert_valid(report.text("image")).manifest.layers[0].media_type.to_string()
    };
    for (name, base, expected) in [
        ("over-zstd", format!("{host}/zstd:1"), "application/vnd.oci.image.layer.v1.tar+zstd"),
        ("over-schema2", format!("{host}/schema2:1"), "application/vnd.oci.image.layer.v1.tar+gzip"),
        ("over-file", "oci:zstd:1".to_owned(), "application/vnd.oci.image.layer.v1.tar+zstd"),
    ] {
        write(&world, name, &base, "");
        let archive = format!("docker-archive:{name}.tar");
        let report = workshop.build("image.yaml", &["--output", &archive]);
        assert_eq!(media_type(&report), expected, "{name}");
        // Engines that know no zstd read the archive: its layers are gzip or nothing.
        let archive = format!("docker-archive:{}", text(&workshop.project().join(format!("{name}.tar"))));
        let copied = format!("oci:{}:1", text(&workshop.path(name)));
        run("skopeo", &["copy", "--quiet", &archive, &copied]);
        let (folder, bundle) = (copied.replacen("oci:", "", 1), workshop.path(&format!("{name}-bundle")));
        if !is_skipped_without("umoci") {
            run("umoci", &["unpack", "--image", &folder, text(&bundle)]);
            assert!(bundle.join("rootfs/usr/bin/python3.11").is_file());
        }
    }
}

/// How many bytes the files below a folder have.
fn bytes_below(folder: &Path) -> u64 {
    let entries = fs_err::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    let size = |entry: fs_err::DirEntry| {
        let metadata = entry.metadata().unwrap();
        if metadata.is_dir() { bytes_below(&entry.path()) } else { metadata.len() }
    };
    entries.map(size).sum()
}

#[test]
fn a_base_in_another_registry_goes_past_the_disk() {
    let Some(world) = Offline::new() else { return };
    let elsewhere = TestRegistry::start_with(Rules::default());
    let noise: Vec<u8> =
        (0_u64..400_000).flat_map(|at| Digest::of(&at.to_le_bytes()).as_bytes()[..8].to_vec()).collect();
    ImageBuilder::like_debian(Platform::linux_amd64(), "3.11.2")
        .file("opt/noise", &noise)
        .put(&elsewhere, "large", "1");
    write(&world, "across", &format!("{}/large:1", elsewhere.host()), "");
    let workshop = &world.workshop;
    // Reads the base once for its facts, and makes all that is ours.
    let local = workshop.build("image.yaml", &["--no-push"]);
    let base = base_layers(&local);
    let gets = || {
        let requests = elsewhere.requests();
        requests.iter().filter(|it| it.method == "GET" && it.path.contains(&base[0].hex())).count()
    };
    assert_eq!(gets(), 1);
    let before = bytes_below(workshop.store_path());
    elsewhere.forget_requests();
    let pushed = workshop.build("image.yaml", &["--force"]);
    assert_valid(pushed.text("image"));
    assert_eq!(gets(), 1, "the layer is asked for once");
    let size = noise.len() as u64;
    for direction in ["bytes_uploaded", "bytes_downloaded"] {
        let moved = pushed.number(direction);
        assert!((size..size + 200_000).contains(&moved), "{moved} {direction} for a layer of {size}");
    }
    let grown = bytes_below(workshop.store_path()).saturating_sub(before);
    assert!(grown < 200_000, "the store grew by {grown} bytes");
    assert!(workshop.store().blob(&base[0]).unwrap().is_none());
    // What the target has is not asked for again.
    elsewhere.forget_requests();
    workshop.build("image.yaml", &["--force"]);
    assert_eq!(gets(), 0);
}

#[test]
fn what_docker_saved_is_a_base_that_runs() {
    let Some(peers) = Peers::find() else { return };
    let workshop = Workshop::warm();
    let base = format!("{}/debian-python:bookworm", peers.bases);
    let host = format!("unix://{}", peers.docker);
    run("docker", &["--host", &host, "pull", "--quiet", &base]);
    let saved = workshop.project().join("saved.tar");
    run("docker", &["--host", &host, "save", "--output", text(&saved), &base]);
    let name = unique("saved");
    let spec = format!(
        "name: {name}\nregistry: {}\nbase_image: docker-archive:saved.tar\npackages: [six==1.17.0]\n\
         commands: ['echo ran > /opt/ran']\n",
        peers.registry
    );
    workshop.write("image.yaml", spec);
    let report = workshop.build("image.yaml", &[]);
    assert_valid(report.text("image"));
    let container = Docker::pull(&peers.docker, report.text("image"));
    assert_eq!(container.python("import six; print(six.__version__, open('/opt/ran').read())"), "1.17.0 ran");
    container.check_requirements();
}
