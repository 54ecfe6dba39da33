//! What rots in a store is noticed when it is used, and mended by the command that meets it.

use std::path::{Path, PathBuf};

use imagewright_oci::Digest;
use imagewright_store::Depth;

use crate::support::{Offline, Workshop, assert_valid, network};

/// Flips one bit in the middle of a file. The file is replaced: stores of tests share files by links.
fn damage(path: &Path) {
    let mut bytes = fs_err::read(path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x10;
    fs_err::remove_file(path).unwrap();
    fs_err::write(path, bytes).unwrap();
}

/// The file of a blob, of either form.
fn blob(workshop: &Workshop, digest: &str) -> PathBuf {
    let plain = workshop.store_path().join("blobs").join(digest.trim_start_matches("sha256:"));
    if plain.exists() { plain } else { plain.with_extension("spliced") }
}

fn artifact(workshop: &Workshop, digest: Digest) -> PathBuf {
    workshop.store_path().join("artifacts").join(digest.hex())
}

/// The artifact whose file name begins so.
fn named(workshop: &Workshop, start: &str) -> Digest {
    let store = workshop.store();
    let names = fs_err::read_dir(workshop.store_path().join("artifacts")).unwrap();
    let mut digests =
        names.map(|entry| Digest::from_hex(entry.unwrap().file_name().to_str().unwrap()).unwrap());
    let is_it = |digest: &Digest| store.artifact(digest).unwrap().unwrap().file_name.starts_with(start);
    digests.find(is_it).unwrap_or_else(|| panic!("no artifact {start}"))
}

/// Whether a request is for a wheel, and not for its metadata.
fn is_of_wheel(request: &str) -> bool {
    request.rsplit('.').next() == Some("whl")
}

#[track_caller]
fn assert_clean(workshop: &Workshop) {
    let report = workshop.store().check(Depth::Digests).unwrap();
    assert!(report.is_clean(), "{report:?}");
}

#[test]
fn a_damaged_layer_is_made_again_by_the_push_that_meets_it() {
    let Some(world) = Offline::new() else { return };
    let workshop = &world.workshop;
    world.spec(&["alpha", "gamma"]);
    let built = workshop.build("image.yaml", &["--no-push"]);
    let layer = |package: &str| {
        let has = |packages: &[String]| packages.iter().any(|one| one.starts_with(package));
        built.produced().into_iter().find(|layer| has(&layer.packages)).unwrap().digest
    };
    let wheel = artifact(workshop, named(workshop, "alpha-2.0"));
    let skeleton = built.produced().into_iter().find(|layer| layer.packages.is_empty()).unwrap().digest;
    for (what, path, told) in [
        ("the wheel of a layer", wheel, &["alpha-2.0", "is damaged in the store", "fetched again"][..]),
        ("spliced", blob(workshop, &layer("alpha")), &["is damaged in the store", "made or fetched"]),
        ("of small packages", blob(workshop, &layer("gamma")), &["is damaged in the store"]),
        ("plain", blob(workshop, &skeleton), &["is damaged in the store", "cache check --deep"]),
    ] {
        world.registry.delete_repository("app");
        world.registry.forget_requests();
        damage(&path);
        let pushed = workshop.run(&["build", "image.yaml", "--json"]).expect(0).says(told);
        let report = crate::support::Report::parse(&pushed.stdout);
        assert_eq!(report.digest(), built.digest(), "{what}");
        assert_valid(report.text("image"));
        // Nothing is committed that is refused.
        let requests = world.registry.requests();
        let count = |method: &str| {
            let blobs =
                requests.iter().filter(|one| one.method == method && one.path.contains("/blobs/uploads/"));
            blobs.count()
        };
        // One upload broke off: a small one before the registry saw anything of it but its session.
        assert!((count("PUT")..=count("PUT") + 1).contains(&count("PATCH")), "{what}: {requests:?}");
        assert_eq!(count("DELETE"), 1, "{what}: its session is given up");
        assert_clean(workshop);
    }
}

#[test]
fn a_damaged_wheel_is_fetched_again_before_a_layer_is_made_of_it() {
    let Some(world) = Offline::new() else { return };
    let workshop = &world.workshop;
    world.spec(&["alpha", "gamma"]);
    let built = workshop.build("image.yaml", &["--no-push"]);
    for start in ["alpha-2.0", "gamma-1.0"] {
        damage(&artifact(workshop, named(workshop, start)));
        for entry in fs_err::read_dir(workshop.store_path().join("blobs")).unwrap() {
            fs_err::remove_file(entry.unwrap().path()).unwrap();
        }
        world.index.forget_requests();
        let run = workshop.run(&["build", "image.yaml", "--no-push", "--json"]).expect(0);
        let run = run.says(&[start, "is damaged in the store, and is fetched again"]);
        assert_eq!(crate::support::Report::parse(&run.stdout).digest(), built.digest());
        let fetched: Vec<String> = world.index.requests();
        let wheels = fetched.iter().filter(|request| is_of_wheel(request)).count();
        assert_eq!(wheels, 1, "{fetched:?}");
        assert_clean(workshop);
    }
}

#[test]
fn a_damaged_debian_package_is_fetched_again() {
    let Some(()) = network() else { return };
    let spec = "name: rot\npython_version: '3.11'\npackages: [six]\nbuilder_options: {bytecode: false}\n";
    let workshop = Workshop::unbuilt();
    workshop.write("image.yaml", spec);
    let built = workshop.build("image.yaml", &[]);
    let rotten = Workshop::unbuilt();
    rotten.write("image.yaml", spec);
    rotten.write("image.lock", lock_of(&workshop));
    damage(&artifact(&rotten, named(&rotten, "bash_")));
    let run = rotten.run(&["build", "image.yaml", "--json"]).expect(0);
    let run = run.says(&["bash_", "is damaged in the store, and is fetched again"]);
    let report = crate::support::Report::parse(&run.stdout);
    let digests = |report: &crate::support::Report| -> Vec<String> {
        report.layers().into_iter().map(|layer| layer.digest).collect()
    };
    assert_eq!(digests(&report), digests(&built));
    assert_clean(&rotten);
}

fn lock_of(workshop: &Workshop) -> Vec<u8> {
    workshop.run(&["lock", "image.yaml"]).expect(0);
    fs_err::read(workshop.project().join("image.lock")).unwrap()
}

#[test]
fn a_damaged_index_is_made_anew_and_that_is_said_once() {
    let Some(world) = Offline::new() else { return };
    let workshop = &world.workshop;
    world.spec(&["alpha", "gamma"]);
    let built = workshop.build("image.yaml", &[]);
    let index = workshop.store_path().join("index.db");
    let told = &["the store's index was damaged and is made anew", "downloads are kept", "hint:"];
    let force = ["build", "image.yaml", "--force", "--json"];

    // Opened and closed once, so that everything is in the one file.
    drop(workshop.store());
    fs_err::write(&index, [0x55; 9000]).unwrap();
    world.index.forget_requests();
    let run = workshop.run(&force).expect(0).says(told);
    assert_eq!(run.stderr.matches("index was damaged").count(), 1, "{}", run.stderr);
    assert_eq!(crate::support::Report::parse(&run.stdout).digest(), built.digest());
    assert!(!world.index.requests().iter().any(|request| is_of_wheel(request)));
    workshop.run(&force).expect(0).never_says(&["index was damaged"]);
    assert_clean(workshop);

    // Damage behind the first page shows in the middle of the work.
    let mut bytes = fs_err::read(&index).unwrap();
    bytes[4096..].fill(0x55);
    fs_err::write(&index, bytes).unwrap();
    workshop.run(&force).expect(6).says(&["index.db is damaged", "hint: run the same command again"]);
    let run = workshop.run(&force).expect(0).says(told);
    assert_eq!(crate::support::Report::parse(&run.stdout).digest(), built.digest());
    assert_clean(workshop);
    drop(workshop.store());
    fs_err::write(&index, [0x55; 9000]).unwrap();
    workshop.run(&["cache", "du"]).expect(0).says(told);
}
