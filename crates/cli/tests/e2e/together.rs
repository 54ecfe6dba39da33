//! Two processes with one store share their work.

use std::collections::BTreeMap;

use crate::support::{Offline, Report, assert_valid, spawn};

#[test]
fn two_builds_at_once_download_and_make_everything_once() {
    let Some(world) = Offline::new() else { return };
    world.spec(&["beta", "gamma"]);
    let start = || spawn(&mut world.workshop.command(&["build", "image.yaml", "--json"]));
    let both = [start(), start()];
    let reports = both.map(|child| {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        Report::parse(&String::from_utf8_lossy(&output.stdout))
    });
    assert_eq!(reports[0].digest(), reports[1].digest());
    assert_valid(reports[0].text("image"));

    let mut made: BTreeMap<String, usize> = BTreeMap::new();
    for layer in reports.iter().flat_map(Report::produced) {
        *made.entry(layer.digest).or_default() += 1;
    }
    assert!(!made.is_empty() && made.values().all(|count| *count == 1), "{made:?}");
    let mut fetched: BTreeMap<String, usize> = BTreeMap::new();
    for path in world
        .index
        .requests()
        .into_iter()
        .filter(|path| path.starts_with("GET /files/") && !path.contains(".metadata"))
    {
        *fetched.entry(path).or_default() += 1;
    }
    assert!(fetched.len() >= 3 && fetched.values().all(|count| *count == 1), "{fetched:?}");
}
