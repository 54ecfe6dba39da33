//! `cache` measures, empties and checks the store.

use serde_json::Value;

use crate::support::Offline;

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

#[test]
fn a_store_is_measured_checked_repaired_and_emptied() {
    let Some(world) = Offline::new() else { return };
    let workshop = &world.workshop;
    world.spec(&["alpha", "gamma"]);
    let before = workshop.build("image.yaml", &[]);
    let usage = json(&workshop.run(&["cache", "du", "--json"]).expect(0).stdout);
    assert!(usage["artifacts"]["count"].as_u64() >= Some(3), "{usage}");
    assert!(usage["total"].as_u64() > usage["artifacts"]["bytes"].as_u64(), "{usage}");
    let table = workshop.run(&["cache", "du"]).expect(0).stdout;
    assert!(
        table.starts_with(&workshop.store_path().display().to_string()) && table.contains("\ntotal "),
        "{table}"
    );
    workshop.run(&["cache", "check", "--deep"]).expect(0);

    let artifact = largest(&workshop.store_path().join("artifacts"));
    let mut bytes = fs_err::read(&artifact).unwrap();
    bytes[1_000_000] ^= 1;
    let mut permissions = fs_err::metadata(&artifact).unwrap().permissions();
    std::os::unix::fs::PermissionsExt::set_mode(&mut permissions, 0o644);
    fs_err::set_permissions(&artifact, permissions).unwrap();
    fs_err::write(&artifact, bytes).unwrap();
    workshop.run(&["cache", "check"]).expect(0);
    let found = workshop.run(&["cache", "check", "--deep"]).expect(1).stdout;
    assert!(found.contains("has the digest") && found.contains("--repair"), "{found}");
    workshop.run(&["cache", "check", "--deep", "--repair"]).expect(0);
    let clean = json(&workshop.run(&["cache", "check", "--deep", "--json"]).expect(0).stdout);
    assert_eq!(clean["findings"], Value::Array(Vec::new()));
    assert_eq!(workshop.build("image.yaml", &["--force"]).digest(), before.digest());

    let kept = json(&workshop.run(&["cache", "prune", "--older-than", "1d", "--json"]).expect(0).stdout);
    assert_eq!(kept["total"], 0, "{kept}");
    workshop.run(&["cache", "prune", "--all"]).expect(0);
    let empty = json(&workshop.run(&["cache", "du", "--json"]).expect(0).stdout);
    assert_eq!((&empty["artifacts"]["count"], &empty["blobs"]["count"]), (&0.into(), &0.into()));
    assert_eq!(workshop.build("image.yaml", &["--force"]).digest(), before.digest());
}

fn largest(folder: &std::path::Path) -> std::path::PathBuf {
    let entries = fs_err::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.max_by_key(|path| fs_err::metadata(path).unwrap().len()).unwrap()
}

#[test]
fn amounts_that_say_nothing_are_refused() {
    let Some(world) = Offline::new() else { return };
    world.workshop.run(&["cache", "prune", "--max-size", "5x"]).expect(2).says(&["20GB, 500MiB"]);
    world.workshop.run(&["cache", "prune", "--older-than", "soon"]).expect(2).says(&["30d, 12h"]);
    world.workshop.run(&["cache", "prune", "--all", "--older-than", "1d"]).expect(2);
}
