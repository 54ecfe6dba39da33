//! Packages that cannot be had, and wheels that lie.

use imagewright_oci::Digest;
use imagewright_store::Depth;
use imagewright_testkit::wheel::{Damage, Item, WheelBuilder};

use crate::support::{Offline, Workshop, network, small};

#[test]
fn packages_that_cannot_be_resolved_say_where_they_were_asked_for() {
    let Some(world) = Offline::new() else { return };
    world.index.add(&small("wants_one", "1.0").requires("alpha==1.0"));
    world.index.add(&small("wants_two", "1.0").requires("alpha==2.0"));
    world.index.add_file("sklearn-0.0.tar.gz", b"never opened");
    world.index.add(&WheelBuilder::new("windows_only", "3.1").tag("cp311-cp311-win_amd64"));
    world.index.add(&WheelBuilder::new("old_only", "2.5.0").tag("cp36-cp36m-manylinux_2_17_x86_64"));
    let cases: [(&[&str], &[&str]); 6] = [
        (&["alpha", "nonexistent"], &["nonexistent", "packages[1]", "hint:"]),
        (&["wants-one", "wants-two"], &["wants-one", "wants-two", "alpha==1.0", "alpha==2.0"]),
        (&["alpha==9.9"], &["alpha", "9.9", "packages[0]"]),
        (&["sklearn"], &["sklearn", "packages[0]", "scikit-learn"]),
        (&["windows-only"], &["windows-only", "win_amd64", "packages[0]"]),
        (&["old-only==2.5.0"], &["old-only", "cp36", "packages[0]"]),
    ];
    for (packages, expected) in cases {
        world.spec(packages);
        let run = world.workshop.run(&["build", "image.yaml"]).expect(3).says(expected);
        println!("{packages:?}\n{}", run.stderr);
    }
    assert!(world.registry.tags("app").is_empty());
}

#[test]
fn what_old_documentation_has_is_explained() {
    let Some(()) = network() else { return };
    let workshop = Workshop::warm();
    let cases: [(&str, &[&str]); 2] = [
        ("sklearn", &["sklearn", "packages[0]", "hint:", "scikit-learn"]),
        ("tensorflow==2.5.0", &["tensorflow", "2.5.0", "packages[0]", "hint:"]),
    ];
    for (package, expected) in cases {
        workshop.write("image.yaml", format!("name: old\npython_version: '3.11'\npackages: ['{package}']\n"));
        let run = workshop.run(&["build", "image.yaml"]).expect(3).says(expected);
        println!("{package}\n{}", run.stderr);
    }
}

#[test]
fn a_package_without_a_wheel_is_built_from_what_the_index_has() {
    let Some(world) = Offline::new() else { return };
    world.index.add(&WheelBuilder::new("mixed", "1.0").tag("cp311-cp311-win_amd64"));
    world.index.add_file("mixed-1.0.tar.gz", b"never opened");
    world.spec(&["mixed"]);
    let run = world.workshop.run(&["build", "image.yaml"]).expect(3);
    run.says(&["mixed-1.0.tar.gz cannot be unpacked", "no whole archive"]);

    world.spec_with(&["mixed"], "pip_extra_args: --only-binary mixed\n");
    world.workshop.run(&["build", "image.yaml"]).expect(3).says(&["mixed", "win_amd64"]);
}

#[test]
fn wheels_that_lie_are_refused_and_nothing_is_made_of_them() {
    let lying = || WheelBuilder::new("liar", "1.0");
    let content = "content of some length\n".repeat(2000);
    let cases = [
        ("another hash", lying().file("liar.py", ""), true),
        ("a lying CRC", lying().item(Item::new("liar.py", content.as_str()).damaged(Damage::Crc)), false),
        ("a lying size", lying().item(Item::new("liar.py", content.as_str()).damaged(Damage::Size)), false),
        ("a path out of the image", lying().file("../../../etc/liar", "x"), false),
        ("an absolute path", lying().file("/etc/liar", "x"), false),
        ("one path twice", lying().file("liar.py", "one").file("liar.py", "two"), false),
        ("a RECORD of something else", lying().file("liar.py", "x").record("liar.py,sha256=AAAA,1\n"), false),
    ];
    let Some(world) = Offline::new() else { return };
    world.spec(&["liar"]);
    for (what, wheel, has_other_hash) in cases {
        if has_other_hash {
            world.index.add_lying(&wheel, Digest::of(b"another"));
        } else {
            world.index.add(&wheel);
        }
        let code = if has_other_hash { 4 } else { 3 };
        let run = world.workshop.run(&["build", "image.yaml", "--refresh"]).expect(code).says(&["liar-1.0"]);
        assert!(run.stderr.matches("cannot be installed").count() <= 1, "{what}: {}", run.stderr);
        assert!(!run.stderr.contains("because: its member"), "told twice, {what}: {}", run.stderr);
        println!("{what}: {}", run.stderr);
        let store = world.workshop.store();
        let usage = store.usage().unwrap();
        if has_other_hash {
            assert!(store.artifact(&Digest::of(&wheel.bytes())).unwrap().is_none(), "{what}: {usage:?}");
        }
        assert!(store.check(Depth::Digests).unwrap().is_clean(), "{what}");
        assert!(world.registry.tags("app").is_empty(), "{what}");
    }
    world.index.add(&lying().file("liar.py", "honest = True\n"));
    let report = world.workshop.build("image.yaml", &["--refresh"]);
    assert!(report.packages().contains(&"liar 1.0".to_owned()));
    let made: Vec<_> = report.produced().into_iter().flat_map(|layer| layer.packages).collect();
    assert!(made.contains(&"liar 1.0".to_owned()), "a layer of a refused wheel was cached");
}
