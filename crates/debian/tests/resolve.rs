use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use imagewright_debian::{
    Architecture, DebianLock, Mirrors, PackageGroup, Pocket, Releases, Suite, base_roots,
};
use imagewright_testkit::peers::skip;

use crate::network::{CachingFetch, block_on, mirrors, now};
use crate::unpacked::run;

#[test]
fn every_suite_and_architecture_has_a_base_and_a_compiler() {
    let Some(mirrors) = mirrors() else { return };
    let fetch = CachingFetch::new();
    for suite in Suite::ALL {
        let releases = block_on(Releases::fetch(&fetch, &mirrors, suite, now())).unwrap();
        for architecture in Architecture::ALL {
            let files = block_on(releases.fetch_packages(&fetch, &mirrors, architecture)).unwrap();
            let start = Instant::now();
            let archive = files.read().unwrap();
            println!("{suite} {architecture}: read in {:?}", start.elapsed());
            let start = Instant::now();
            let full = archive.base(Some(suite.python())).unwrap();
            println!("{} packages solved in {:?}", full.packages.len(), start.elapsed());
            let small = archive.base(None).unwrap();
            assert!(archive.compiler().unwrap().packages.len() < 25);
            // The userland is the same with a Python on top and without, so images share its layer.
            assert_eq!(of_group(&full, PackageGroup::Userland), of_group(&small, PackageGroup::Userland));
            assert!(of_group(&full, PackageGroup::Python).contains(&format!("python{}", suite.python())));
            let text = serde_json::to_string(&full).unwrap();
            assert_eq!(serde_json::from_str::<DebianLock>(&text).unwrap(), full);
            assert!(!text.contains("://"), "a lock names no host");
        }
    }
}

fn of_group(lock: &DebianLock, group: PackageGroup) -> BTreeSet<String> {
    lock.packages
        .iter()
        .filter(|package| package.group == group)
        .map(|package| package.name.to_string())
        .collect()
}

#[test]
fn apt_chooses_the_same_packages() {
    let Some(mirrors) = mirrors() else { return };
    if !Path::new("/usr/bin/apt-get").exists() {
        skip("apt is not installed");
        return;
    }
    let fetch = CachingFetch::new();
    for (suite, architecture) in
        [(Suite::Bookworm, Architecture::Amd64), (Suite::Trixie, Architecture::Arm64)]
    {
        let releases = block_on(Releases::fetch(&fetch, &mirrors, suite, now())).unwrap();
        let archive =
            block_on(releases.fetch_packages(&fetch, &mirrors, architecture)).unwrap().read().unwrap();
        let ours = archive.base(Some(suite.python())).unwrap();
        let ours: BTreeSet<String> =
            ours.packages.iter().map(|p| format!("{} {}", p.name, p.version)).collect();
        let theirs = choice_of_apt(&mirrors, suite, architecture);
        let only = |one: &BTreeSet<String>, other: &BTreeSet<String>| {
            one.difference(other).cloned().collect::<Vec<_>>()
        };
        assert_eq!((only(&ours, &theirs), only(&theirs, &ours)), (vec![], vec![]), "ours only, apt's only");
    }
}

/// What an empty system of the suite would get, as `name version`.
fn choice_of_apt(mirrors: &Mirrors, suite: Suite, architecture: Architecture) -> BTreeSet<String> {
    let folder = tempfile::tempdir().unwrap();
    let place = |name: &str| folder.path().join(name).display().to_string();
    for name in ["lists/partial", "cache/archives/partial", "etc"] {
        fs_err::create_dir_all(folder.path().join(name)).unwrap();
    }
    fs_err::write(place("status"), "").unwrap();
    let source = |pocket: Pocket| {
        let url = mirrors.url(pocket, "").unwrap();
        format!(
            "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] {url} {} main\n",
            pocket.codename(suite)
        )
    };
    fs_err::write(place("sources.list"), Pocket::ALL.map(source).concat()).unwrap();
    let options = [
        format!("Dir::Etc={}", place("etc")),
        format!("Dir::Etc::SourceList={}", place("sources.list")),
        format!("Dir::State::Lists={}", place("lists")),
        format!("Dir::State::Status={}", place("status")),
        format!("Dir::Cache={}", place("cache")),
        format!("APT::Architecture={architecture}"),
        format!("APT::Architectures={architecture}"),
        "Acquire::Languages=none".to_owned(),
        "APT::Sandbox::User=root".to_owned(),
        "APT::Install-Recommends=false".to_owned(),
    ];
    let apt = || {
        let mut apt = apt_get();
        apt.args(options.iter().flat_map(|option| ["-o", option]));
        apt
    };
    run(apt().arg("update"));
    let roots = base_roots(suite, Some(suite.python()));
    let names = roots.iter().flat_map(|roots| &roots.names).map(ToString::to_string);
    let told = run(apt().args(["--simulate", "install", "?essential"]).args(names));
    let installed = told.lines().filter_map(|line| line.strip_prefix("Inst "));
    installed
        .map(|line| {
            let (name, rest) = line.split_once(" (").unwrap();
            format!("{} {}", name.split(':').next().unwrap(), rest.split(' ').next().unwrap())
        })
        .collect()
}

#[expect(clippy::disallowed_methods, reason = "apt is the oracle")]
fn apt_get() -> Command {
    Command::new("apt-get")
}
