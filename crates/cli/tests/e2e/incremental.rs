//! A change costs what changed.

use std::collections::BTreeSet;

use crate::support::{Offline, Peers, Workshop, assert_valid, unique};

#[test]
fn nothing_changed_costs_two_requests_at_most() {
    let Some(world) = Offline::new() else { return };
    world.spec(&["beta", "gamma"]);
    world.workshop.build("image.yaml", &[]);
    world.registry.forget_requests();
    world.index.forget_requests();
    let report = world.workshop.build("image.yaml", &[]);
    assert_eq!(report.text("status"), "exists");
    let requests = world.registry.requests();
    assert!(requests.len() <= 2, "{requests:?}");
    assert!(requests.iter().all(|request| request.path.contains("/manifests/")), "{requests:?}");
    assert_eq!(report.number("requests"), requests.len() as u64);
    assert_eq!(world.index.requests(), Vec::<String>::new());
}

#[test]
fn one_more_package_costs_its_layers() {
    let Some(peers) = Peers::find() else { return };
    let workshop = Workshop::warm();
    let name = unique("plus-one");
    let write = |packages: &str| {
        let text = format!(
            "name: {name}\nregistry: {}\npython_version: '3.11'\npackages: [{packages}]\n",
            peers.registry
        );
        workshop.write("image.yaml", text);
    };
    write("numpy, requests");
    let before = workshop.build("image.yaml", &[]);
    let wheels = workshop.artifact_bytes();
    write("numpy, requests, httpx");
    let after = workshop.build("image.yaml", &[]);
    let had: BTreeSet<String> = before.packages().into_iter().collect();
    let new = |package: &String| !had.contains(package);
    assert!(after.packages().iter().any(|package| package.starts_with("httpx ")));
    assert!(after.packages().iter().filter(|package| new(package)).count() >= 3);
    for layer in after.produced() {
        assert!(layer.packages.iter().any(new), "made for nothing: {layer:?}");
    }
    let downloaded = workshop.artifact_bytes() - wheels;
    assert_eq!(after.number("bytes_downloaded"), downloaded);
    let uploaded = after.number("bytes_uploaded");
    assert!(uploaded <= 3 * downloaded + (1 << 20), "{uploaded} uploaded for {downloaded} of wheels");
    assert_valid(after.text("image"));
}
