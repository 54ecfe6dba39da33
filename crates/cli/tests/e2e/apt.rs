//! `apt_packages` are installed by the base's own apt, once, and what they are is told.

use imagewright_testkit::registry::{Request, TestRegistry};

use crate::support::{Docker, Offline, Peers, Report, Workshop, assert_valid, network, unique};

fn has(packages: &[String], name: &str) -> bool {
    packages.iter().any(|package| package.split(' ').next() == Some(name))
}

#[test]
fn packages_are_installed_once_in_an_assembled_base() {
    let Some(()) = network() else { return };
    let workshop = Workshop::warm();
    let spec = |apt: &str, python: &str| {
        format!("name: apt\npython_version: '3.11'\npackages: [{python}]\napt_packages: [{apt}]\n")
    };
    workshop.write("image.yaml", spec("curl", "six"));
    let first = workshop.build("image.yaml", &[]);
    let said =
        |command: &str| workshop.run(&["run", "image.yaml", "--", "sh", "-c", command]).expect(0).stdout;
    assert!(said("curl --version").starts_with("curl "));
    let installed = said("dpkg-query -W -f '${Package} ${Version}' curl");
    assert!(first.packages().contains(&installed), "{installed} in {:?}", first.packages());
    assert_eq!(
        said(
            "dpkg --audit; find /var/log /var/cache/apt /var/lib/apt/lists -type f; ls -d /run/imagewright /etc/*- 2> /dev/null || true"
        ),
        "",
        "no logs, no downloads"
    );
    assert!(said("cat /etc/apt/sources.list.d/debian.sources").contains(".debian.org/debian\n"));

    let again = workshop.build("image.yaml", &["--force"]);
    assert_eq!((again.digest(), again.produced().len()), (first.digest(), 0));
    assert!(again.packages().contains(&installed), "it is known of a layer that was there");

    workshop.write("image.yaml", spec("curl", "six, idna"));
    let more = workshop.build("image.yaml", &[]).produced();
    assert!(
        more.iter().all(|layer| !has(&layer.packages, "curl")),
        "a Python package is none of apt's: {more:?}"
    );
    workshop.write("image.yaml", spec("curl, tree", "six, idna"));
    let other = workshop.build("image.yaml", &[]);
    assert_eq!(other.produced().len(), 1, "only apt runs again: {:?}", other.layers());
    assert!(has(&other.packages(), "tree"));
}

#[test]
fn packages_are_installed_over_a_base_and_pins_are_kept() {
    let Some(peers) = Peers::find() else { return };
    let workshop = Workshop::warm();
    let spec = |name: &str, apt: &str| {
        format!(
            "name: {name}\nregistry: {}\nbase_image: {}/debian-python:bookworm\npackages: [six]\n\
             apt_packages: [{apt}]\ncommands: ['git --version > /opt/git']\n",
            peers.registry, peers.bases
        )
    };
    let name = unique("apt");
    workshop.write("image.yaml", spec(&name, "git"));
    let built = workshop.build("image.yaml", &[]);
    assert_valid(built.text("image"));
    let container = Docker::pull(&peers.docker, built.text("image"));
    assert!(container.python("print(open('/opt/git').read())").starts_with("git version 2."));

    workshop.write("image.yaml", spec(&name, "git=1:1.0-1"));
    workshop.run(&["build", "image.yaml"]).expect(5).says(&[
        "apt_packages[0]: apt-get cannot install `git=1:1.0-1`",
        "E: Version '1:1.0-1' for 'git' was not found",
    ]);
    workshop.run(&["exists", "image.yaml"]).expect(1);
}

#[test]
fn a_package_that_does_not_exist_is_named() {
    let Some(()) = network() else { return };
    let (workshop, registry) = (Workshop::warm(), TestRegistry::start());
    let spec = format!(
        "name: apt\nregistry: {}\npython_version: '3.11'\npackages: [six]\napt_packages: [tree, nosuch-package]\n",
        registry.host()
    );
    workshop.write("image.yaml", spec);
    workshop.run(&["build", "image.yaml", "--tag", "latest"]).expect(5).says(&[
        "error: apt_packages[1]: apt-get cannot install `nosuch-package`",
        "E: Unable to locate package nosuch-package",
        "hint: check how it is written, and whether Debian bookworm has it",
    ]);
    assert!(registry.tags("apt").is_empty(), "{:?}", registry.tags("apt"));
    let is_manifest = |request: &Request| request.method == "PUT" && request.path.contains("/manifests/");
    assert!(!registry.requests().iter().any(is_manifest), "{:?}", registry.requests());
    workshop.run(&["exists", "image.yaml"]).expect(1);
}

#[test]
fn what_cannot_be_installed_is_refused_before_any_work() {
    let Some(world) = Offline::new() else { return };
    let build = |apt: &str| {
        world.spec_with(&["gamma"], &format!("apt_packages: [{apt}]\n"));
        world.workshop.run(&["build", "image.yaml"]).expect(2).never_says(&["gamma 1.0"])
    };
    build("curl").says(&[
        "error: apt_packages: the base image has no apt-get, it is the base",
        "hint: start from Debian, Ubuntu or what follows them, or leave `base_image` out",
    ]);
    build("curl, -o Dpkg::Options::=--force-all")
        .says(&["error: apt_packages[1]: `-o` is an option of apt-get, and no package"]);
}

#[test]
fn an_image_of_ours_is_configured_before_anything_runs_in_it() {
    let Some(()) = network() else { return };
    let workshop = Workshop::warm();
    workshop.write("base.yaml", "name: base\npython_version: '3.11'\npackages: [six]\n");
    workshop.build("base.yaml", &["--output", "oci:base"]);
    let spec =
        "name: over\nbase_image: oci:base\npackages: [idna]\ncommands: ['dpkg --audit > /opt/audit']\n";
    workshop.write("image.yaml", spec);
    let titles =
        |report: &Report| -> Vec<String> { report.produced().into_iter().map(|layer| layer.kind).collect() };
    let kinds = titles(&workshop.build("image.yaml", &[]));
    assert!(kinds.contains(&"configuration".to_owned()), "{kinds:?}");
    let said =
        |spec: &str, command: &str| workshop.run(&["run", spec, "--", "sh", "-c", command]).expect(0).stdout;
    let states = "cat /opt/audit; dpkg-query -W -f '${db:Status-Abbrev}\\n' | sort -u; test -e /etc/shadow";
    assert_eq!(said("image.yaml", states), "ii \n");
    workshop.run(&["build", "image.yaml", "--output", "oci:over"]).expect(0);
    workshop.write("more.yaml", spec.replace("over", "more").replace("oci:base", "oci:over"));
    let kinds = titles(&workshop.build("more.yaml", &[]));
    assert!(!kinds.contains(&"configuration".to_owned()), "once is enough: {kinds:?}");
}
