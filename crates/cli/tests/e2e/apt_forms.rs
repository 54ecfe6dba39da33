//! What an entry of `apt_packages` may be, in the archives of Debian as they are, and each suite that a base is made of.

use imagewright_testkit::peers::skip;

use crate::support::{Docker, Peers, Report, Workshop, assert_valid, network, unique};

/// Packages that have security updates, and whose dependencies take more than one version of them.
const CANDIDATES: &str = "openssh-client unzip zip jq sudo git rsync";

/// A package in two versions.
#[derive(Debug)]
struct Twice {
    name: String,
    newest: String,
    older: String,
    /// The suite that has the older one.
    suite: String,
}

/// The first that the archives have twice, in the words of `apt-cache madison`.
fn twice(madison: &str) -> Option<Twice> {
    let lines: Vec<Vec<&str>> = madison
        .lines()
        .map(|line| line.split(['|', ' ']).filter(|word| !word.is_empty()).collect())
        .collect();
    let older = |newest: &[&str]| lines.iter().find(|line| line[0] == newest[0] && line[1] != newest[1]);
    let (newest, older) = lines.iter().find_map(|newest| Some((newest, older(newest)?)))?;
    let suite = older[3].split('/').next()?.to_owned();
    Some(Twice { name: older[0].to_owned(), newest: newest[1].to_owned(), older: older[1].to_owned(), suite })
}

/// `name version`, of one that is installed.
fn installed(report: &Report, name: &str) -> Option<String> {
    let packages = report.packages();
    packages.into_iter().find_map(|package| Some(package.strip_prefix(name)?.strip_prefix(' ')?.to_owned()))
}

#[test]
fn a_version_a_suite_or_an_architecture_may_be_named() {
    let Some(peers) = Peers::find() else { return };
    let workshop = Workshop::shared();
    let name = unique("forms");
    let spec = |apt: &str| {
        let base = format!("{}/debian-python:bookworm", peers.bases);
        let text = format!("name: {name}\nbase_image: {base}\napt_packages: [{apt}]\n");
        workshop.write("image.yaml", format!("{text}builder_options: {{bytecode: false}}\n"));
    };
    let build = |arguments: &[&str]| workshop.build("image.yaml", arguments);
    spec("tree:amd64");
    assert!(installed(&build(&[]), "tree").is_some());
    let ask = format!("apt-get -q update > /dev/null && apt-cache madison {CANDIDATES}");
    let said =
        workshop.run(&["run", "image.yaml", "--user", "root", "--", "sh", "-c", &ask]).expect(0).stdout;
    let Some(Twice { name: package, newest, older, suite }) = twice(&said) else {
        return skip("Debian has none of the packages in two versions");
    };
    spec(&format!("tree, {package}={older}"));
    assert_eq!(installed(&build(&[]), &package).as_ref(), Some(&older));
    let ask = ["run", "image.yaml", "--", "dpkg-query", "-W", "-f", "${Version}", &package];
    assert_eq!(workshop.run(&ask).expect(0).stdout, older);
    spec(&format!("tree, {package}"));
    assert_eq!(installed(&build(&[]), &package).as_ref(), Some(&older), "what was chosen stays");
    assert_eq!(installed(&build(&["--refresh"]), &package).as_ref(), Some(&newest));
    spec(&format!("tree, {package}/{suite}"));
    assert_eq!(installed(&build(&[]), &package).as_ref(), Some(&older), "{suite} has it");

    spec("tree, zip/nosuch-suite");
    workshop.run(&["build", "image.yaml"]).expect(5).says(&[
        "error: apt_packages[1]: apt-get cannot install `zip/nosuch-suite`",
        "E: Release 'nosuch-suite' for 'zip' was not found",
    ]);
    spec("tree, zip:i386");
    workshop.run(&["build", "image.yaml"]).expect(5).says(&[
        "error: apt_packages[1]: apt-get cannot install `zip:i386`",
        "hint: the base has packages of one architecture; `dpkg --add-architecture` in the base adds another",
    ]);
}

/// Every version of the tools that was there when a suite was made begins so.
fn check(python: &str, beginnings: [&str; 3], peers: Option<&Peers>) {
    let workshop = Workshop::warm();
    let (name, registry) = (unique("suite"), peers.map(|peers| format!("registry: {}\n", peers.registry)));
    let spec = format!(
        "name: {name}\n{}python_version: '{python}'\napt_packages: [curl, git, openssh-client]\n\
         builder_options: {{bytecode: false}}\n",
        registry.unwrap_or_default()
    );
    workshop.write("image.yaml", spec);
    let built = workshop.build("image.yaml", &[]);
    let ask = ["sh", "-c", "curl --version && git --version && ssh -V 2>&1 && dpkg --audit"];
    let said = match peers {
        None => workshop.run(&[&["run", "image.yaml", "--"], &ask[..]].concat()).expect(0).stdout,
        Some(peers) => {
            assert_valid(built.text("image"));
            Docker::pull(&peers.docker, built.text("image")).run(&ask)
        }
    };
    let found = beginnings.iter().filter(|begin| said.lines().any(|line| line.starts_with(**begin)));
    assert_eq!(found.count(), 3, "{said}");
}

#[test]
#[ignore = "takes a minute, and bookworm is tried in every run: cargo xtask test --long"]
fn packages_of_bullseye_run() {
    let Some(()) = network() else { return };
    check("3.9", ["curl 7.74.0 ", "git version 2.30.", "OpenSSH_8.4p1 "], None);
}

#[test]
#[ignore = "takes a minute, and bookworm is tried in every run: cargo xtask test --long"]
fn packages_of_trixie_run_in_docker() {
    let Some(peers) = Peers::find() else { return };
    check("3.13", ["curl 8.14.", "git version 2.47.", "OpenSSH_10.0p"], Some(&peers));
}

#[test]
#[ignore = "downloads 100 MB: cargo xtask test --long"]
fn ffmpeg_writes_and_reads_a_film() {
    let Some(()) = network() else { return };
    let workshop = Workshop::warm();
    let spec =
        "name: ffmpeg\npython_version: '3.11'\napt_packages: [ffmpeg]\nbuilder_options: {bytecode: false}\n";
    workshop.write("image.yaml", spec);
    workshop.build("image.yaml", &[]);
    let ask = "ffmpeg -version | head -n 1 && cd /tmp && \
               ffmpeg -v error -f lavfi -i testsrc=d=2:s=64x48:r=5 -c:v libx264 film.mp4 && \
               ffprobe -v error -show_entries stream=codec_name,nb_frames -of csv=p=0 film.mp4";
    let said = workshop.run(&["run", "image.yaml", "--", "sh", "-c", ask]).expect(0).stdout;
    println!("{said}");
    let lines: Vec<&str> = said.lines().collect();
    assert!(lines[0].starts_with("ffmpeg version ") && lines[1] == "h264,10", "{said}");
}
