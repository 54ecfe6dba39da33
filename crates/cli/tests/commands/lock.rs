//! `lock` writes down what is pinned; builds keep to it.

use serde_json::Value;

use crate::support::{Offline, Workshop, small};

#[track_caller]
fn locked(workshop: &Workshop) -> Value {
    let text = fs_err::read_to_string(workshop.project().join("image.lock")).unwrap();
    assert!(text.ends_with("}\n"), "a text file ends with a line break");
    serde_json::from_str(&text).unwrap()
}

/// `alpha 1.0, gamma 1.0`: what the lock pins, without pip and setuptools.
#[track_caller]
fn versions(workshop: &Workshop) -> String {
    let lock = locked(workshop);
    let packages = lock["platforms"]["linux/amd64"]["packages"].as_array().unwrap().iter();
    let named = packages.map(|it| (it["name"].as_str().unwrap(), it["version"].as_str().unwrap()));
    let asked = named.filter(|(name, _)| !["pip", "setuptools"].contains(name));
    asked.map(|(name, version)| format!("{name} {version}")).collect::<Vec<_>>().join(", ")
}

#[test]
fn a_lock_stays_as_it_is_until_the_spec_changes() {
    let Some(world) = Offline::new() else { return };
    let workshop = &world.workshop;
    world.spec(&["alpha<2"]);
    workshop.run(&["lock", "image.yaml"]).expect(0).says(&["wrote image.lock: 3 packages"]);
    assert_eq!(versions(workshop), "alpha 1.0");
    workshop.run(&["lock", "image.yaml"]).expect(0).says(&["image.lock is up to date"]);

    world.spec(&["alpha", "gamma"]);
    let changed = workshop.run(&["lock", "image.yaml"]).expect(0);
    changed.says(&["keeping what image.lock pins (packages changed since)", "gamma 1.0 is new"]);
    assert_eq!(versions(workshop), "alpha 1.0, gamma 1.0", "what was pinned stays");

    // Another name, registry or environment is nothing that a resolution depends on.
    world.spec_with(&["alpha", "gamma"], "env: {A: b}\n");
    workshop.run(&["lock", "image.yaml", "--name", "other"]).expect(0).says(&["image.lock is up to date"]);
}

#[test]
fn upgrades_move_what_is_named_and_nothing_else() {
    let Some(world) = Offline::new() else { return };
    let workshop = &world.workshop;
    world.index.add(&small("gamma", "2.0"));
    world.spec(&["alpha==1.0", "gamma==1.0"]);
    workshop.run(&["lock", "image.yaml"]).expect(0);
    world.spec(&["alpha", "gamma"]);
    let one = workshop.run(&["lock", "image.yaml", "--upgrade", "alpha"]).expect(0);
    one.says(&["alpha 1.0 -> 2.0"]).never_says(&["gamma"]);
    assert_eq!(versions(workshop), "alpha 2.0, gamma 1.0");
    workshop.run(&["lock", "image.yaml", "--upgrade"]).expect(0).says(&["gamma 1.0 -> 2.0"]);
    assert_eq!(versions(workshop), "alpha 2.0, gamma 2.0");
}

#[test]
fn what_is_not_there_cannot_be_upgraded() {
    let Some(world) = Offline::new() else { return };
    let workshop = &world.workshop;
    world.spec(&["alpha"]);
    let upgrade = |name: &str| workshop.run(&["lock", "image.yaml", "--upgrade", name]);
    let refused = [
        "the lock does not pin alpah",
        "did you mean `alpha`?",
        "`debian`, `python`, `base`, `apt`, and the packages alpha",
    ];
    // Without a lock, what is pinned in the end says which names are right.
    upgrade("alpah").expect(2).says(&refused);
    assert!(!workshop.project().join("image.lock").exists());
    upgrade("alpha").expect(0);
    upgrade("alpah").expect(2).says(&refused);
    for section in ["debian", "python", "base", "Pip"] {
        upgrade(section).expect(0);
    }
    // A package that the spec asks for since is new anyway.
    world.spec(&["alpha", "gamma"]);
    upgrade("gamma").expect(0).says(&["gamma 1.0 is new"]);
}

#[test]
fn refreshing_asks_the_index_again_and_prefers_nothing() {
    let Some(world) = Offline::new() else { return };
    let workshop = &world.workshop;
    world.spec(&["gamma"]);
    workshop.run(&["lock", "image.yaml"]).expect(0);
    world.index.add(&small("gamma", "2.0"));
    workshop.run(&["lock", "image.yaml", "--upgrade"]).expect(0).says(&["image.lock is up to date"]);
    workshop.run(&["lock", "image.yaml", "--refresh"]).expect(0).says(&["gamma 1.0 -> 2.0"]);
    workshop.run(&["build", "image.yaml", "--refresh", "--frozen"]).expect(2).says(&["cannot be used with"]);
}

#[test]
fn builds_take_the_lock_beside_the_spec_and_the_image_goes_with_it() {
    let Some(world) = Offline::new() else { return };
    let workshop = &world.workshop;
    world.spec(&["alpha<2"]);
    workshop.run(&["lock", "image.yaml"]).expect(0);
    let report = workshop.run(&["build", "image.yaml"]).expect(0).says(&["locked by image.lock"]);
    assert!(report.stdout.contains("/app:"), "{}", report.stdout);
    workshop.run(&["exists", "image.yaml"]).expect(0);
    let first = fs_err::read(workshop.project().join("image.lock")).unwrap();

    // The time of files is the lock's, so another lock is another image under the same tag.
    let text = String::from_utf8(first.clone()).unwrap();
    workshop.write("image.lock", text.replace("315532800", "400000000"));
    let stale = workshop.run(&["exists", "image.yaml"]).expect(1);
    assert_eq!(stale.stdout, "stale: image.lock changed\n");
    let rebuilt = workshop.build("image.yaml", &[]);
    assert_eq!(rebuilt.text("status"), "stale-rebuilt");
    workshop.run(&["exists", "image.yaml"]).expect(0);
    let elsewhere = workshop.write("first.lock", first);
    let named = elsewhere.to_str().unwrap();
    workshop.run(&["exists", "image.yaml", "--lock", named]).expect(1);
    workshop.build("image.yaml", &["--lock", named]);
    workshop.run(&["exists", "image.yaml", "--lock", named]).expect(0);
}

#[test]
fn frozen_means_the_lock_or_nothing() {
    let Some(world) = Offline::new() else { return };
    let workshop = &world.workshop;
    world.spec(&["alpha<2"]);
    workshop.run(&["build", "image.yaml", "--frozen"]).expect(2).says(&["needs a lock", "imagewright lock"]);
    workshop.run(&["lock", "image.yaml"]).expect(0);
    workshop.run(&["build", "image.yaml", "--frozen"]).expect(0);
    workshop.run(&["lock", "image.yaml", "--frozen"]).expect(0).says(&["image.lock covers image.yaml"]);

    world.spec_with(&["alpha"], "python_version: '3.11'\n");
    for command in ["build", "plan", "lock"] {
        let refused = workshop.run(&[command, "image.yaml", "--frozen"]).expect(2);
        refused.says(&["image.lock does not cover packages, python_version"]);
    }
    workshop.run(&["lock", "image.yaml", "--frozen", "--upgrade"]).expect(2).says(&["cannot be used with"]);
}

#[test]
fn a_frozen_build_asks_no_index_and_needs_no_uv() {
    let Some(world) = Offline::new() else { return };
    let workshop = &world.workshop;
    world.spec(&["alpha"]);
    workshop.run(&["lock", "image.yaml"]).expect(0);
    let pages = || world.index.requests().into_iter().filter(|path| path.contains("/simple/")).count();
    let before = pages();
    let mut command = workshop.command(&["build", "image.yaml", "--frozen"]);
    let built = command.env("IMAGEWRIGHT_UV", "/no/uv").output().unwrap();
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    assert_eq!(pages(), before);
}

#[test]
fn without_a_file_the_last_build_is_kept_to() {
    let Some(world) = Offline::new() else { return };
    let workshop = &world.workshop;
    world.spec(&["alpha==1.0"]);
    workshop.build("image.yaml", &[]);
    world.spec(&["alpha", "gamma"]);
    let run = workshop.run(&["build", "image.yaml"]).expect(0);
    run.says(&["keeping what the last build pins"]);
    workshop.run(&["lock", "image.yaml"]).expect(0);
    assert_eq!(versions(workshop), "alpha 1.0, gamma 1.0");
}

#[test]
fn a_lock_goes_where_it_is_told() {
    let Some(world) = Offline::new() else { return };
    let workshop = &world.workshop;
    world.spec(&["gamma"]);
    let printed = workshop.run(&["lock", "image.yaml", "-o", "-"]).expect(0).stdout;
    assert!(!workshop.project().join("image.lock").exists());
    workshop.run(&["lock", "image.yaml", "-o", "ci/other.lock"]).expect(2).says(&["ci/other.lock"]);
    fs_err::create_dir(workshop.project().join("ci")).unwrap();
    let report = workshop.run(&["lock", "image.yaml", "-o", "ci/other.lock", "--json"]).expect(0).stdout;
    let report: Value = serde_json::from_str(&report).unwrap();
    assert_eq!((&report["path"], &report["written"]), (&"ci/other.lock".into(), &true.into()));
    let written = fs_err::read_to_string(workshop.project().join("ci/other.lock")).unwrap();
    assert_eq!(written, printed);
    workshop.run(&["lock", "--upgrade", "image.yaml"]).expect(2).says(&["is a file, not a package"]);
}

#[test]
fn what_is_no_lock_is_said_to_be_none() {
    let Some(world) = Offline::new() else { return };
    let workshop = &world.workshop;
    world.spec(&["gamma"]);
    workshop.write("image.lock", "{}");
    workshop
        .run(&["build", "image.yaml"])
        .expect(2)
        .says(&["image.lock is not a lock that imagewright wrote"]);
    workshop.run(&["build", "image.yaml", "--lock", "none.lock"]).expect(2).says(&["none.lock"]);
}

#[test]
fn a_damaged_lock_is_made_anew_by_lock_and_by_nothing_else() {
    let Some(world) = Offline::new() else { return };
    let workshop = &world.workshop;
    world.spec(&["gamma"]);
    workshop.run(&["lock", "image.yaml"]).expect(0);
    let good = fs_err::read_to_string(workshop.project().join("image.lock")).unwrap();
    let conflict = format!("<<<<<<< HEAD\n{good}");
    let damaged: [&[u8]; 4] = [conflict.as_bytes(), &good.as_bytes()[..good.len() / 2], b"", b"\xff\xfe"];
    for damage in damaged {
        workshop.write("image.lock", damage);
        for arguments in [&["build", "image.yaml"][..], &["lock", "image.yaml", "--frozen"]] {
            workshop.run(arguments).expect(2).says(&["image.lock is not a lock", "imagewright lock"]);
        }
        let mended = workshop.run(&["lock", "image.yaml"]).expect(0);
        mended.says(&["warning: image.lock is not a lock", "made anew", "wrote image.lock"]);
        assert_eq!(fs_err::read_to_string(workshop.project().join("image.lock")).unwrap(), good);
    }
    workshop.write("image.lock", conflict.as_bytes());
    let elsewhere = workshop.run(&["lock", "image.yaml", "-o", "other.lock"]).expect(0);
    elsewhere.says(&[
        "warning: image.lock is not a lock",
        "nothing that it pins is kept",
        "wrote other.lock",
    ]);
    assert_eq!(fs_err::read_to_string(workshop.project().join("other.lock")).unwrap(), good);
    let named = ["lock", "image.yaml", "-o", "other.lock", "--lock", "image.lock"];
    workshop.run(&named).expect(2).says(&["error: image.lock is not a lock"]);
    assert_eq!(fs_err::read_to_string(workshop.project().join("image.lock")).unwrap(), conflict);
    fs_err::remove_file(workshop.project().join("image.lock")).unwrap();
    fs_err::create_dir(workshop.project().join("image.lock")).unwrap();
    for command in ["build", "lock", "exists"] {
        workshop.run(&[command, "image.yaml"]).expect(2).says(&["image.lock", "directory"]);
    }
}
