//! An assembled base, once it is configured, beside a root that mmdebstrap makes of the same packages.

use std::collections::BTreeMap;
use std::process::Command;
use std::time::Duration;

use imagewright_testkit::peers::may_be_root;
use serde_json::Value;

use crate::support::{Workshop, is_skipped_without, network, run_within};

/// What may differ, and why. A path that ends with a slash stands for all below it.
const REASONS: &[(&str, &[&str])] = &[
    (
        "an image has its sources, and apt and dpkg leave nothing behind in it",
        &[
            "etc/apt/apt.conf.d/90image",
            "etc/apt/sources.list",
            "etc/apt/sources.list.d/debian.sources",
            "etc/dpkg/dpkg.cfg.d/image",
        ],
    ),
    ("an image starts no services when packages are installed", &["usr/sbin/policy-rc.d"]),
    (
        "mmdebstrap copies it from its host, and engines make their own",
        &["etc/hostname", "etc/hosts", "etc/resolv.conf"],
    ),
    ("a container mounts nothing by it", &["etc/fstab"]),
    ("programs read it, though trixie's packages no longer write it", &["etc/timezone"]),
    (
        "backups, caches and logs are not kept",
        &[
            "etc/group-",
            "etc/gshadow-",
            "etc/passwd-",
            "etc/shadow-",
            "etc/subgid-",
            "etc/subuid-",
            "var/cache/",
            "var/log/",
            "var/lib/apt/",
            "var/lib/dpkg/diversions-old",
            "var/lib/dpkg/status-old",
            "var/lib/dpkg/lock",
            "var/lib/dpkg/lock-frontend",
            "var/lib/dpkg/triggers/Lock",
        ],
    ),
    (
        "its manual pages are not in the image",
        &["var/lib/dpkg/diversions", "var/lib/dpkg/alternatives/builtins.7.gz"],
    ),
    (
        "dpkg makes them when they are not there",
        &["var/lib/dpkg/arch", "var/lib/dpkg/available", "var/lib/dpkg/statoverride"],
    ),
    (
        "links for other architectures' libraries, which no package brings",
        &["lib32", "libx32", "usr/lib32", "usr/libx32"],
    ),
    ("the machine's, for when it starts", &["etc/machine-id", "var/lib/dbus/machine-id", "var/lib/systemd/"]),
];

/// Prints what there is: type, mode, owner, path, and target or digest. What is the same but for the account of
/// flytekit, or for the day, is the same.
const LIST: &str = r#"
export LC_ALL=C
find . -xdev \( -path ./proc -o -path ./sys -o -path ./dev -o -path ./run -o -path ./tmp -o -path ./root -o -path ./home \
    -o -path ./opt -o -path ./usr/share/doc -o -path ./usr/share/man -o -path ./usr/share/locale -o -path ./usr/share/info \
    -o -path ./usr/share/lintian -o -path ./usr/share/bug -o -name __pycache__ -o -path './etc/alternatives/*.[0-9].gz' \
    -o -path './etc/alternatives/which.*.gz' \) -prune -o -mindepth 1 -printf '%P\t%y %m %U:%G %l\n'
find etc usr/local usr/sbin var/lib -type f ! -name '*.pyc' -exec sha256sum {} + | sed 's/^\([0-9a-f]*\)  \(.*\)/\2\t\1/'
for file in passwd group gshadow shadow; do
    sed '/^flytekit:/d; s/^\([^:]*:[*!]*:\)[0-9]*:/\1day:/' etc/$file | sha256sum | sed "s/\(.*\)  -/accounts of $file\t\1/"
done
"#;

/// By path: what `find` and `sha256sum` say.
fn listed(text: &str) -> BTreeMap<String, Vec<String>> {
    let mut listed = BTreeMap::<String, Vec<String>>::new();
    for (path, said) in text.lines().filter_map(|line| line.split_once('\t')) {
        listed.entry(path.to_owned()).or_default().push(said.to_owned());
    }
    // The digest of nothing: to dpkg an empty list is none.
    let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855".to_owned();
    let triggers = "var/lib/dpkg/triggers/File";
    if listed.get(triggers).is_some_and(|said| said.contains(&empty)) {
        listed.remove(triggers);
    }
    for file in ["passwd", "group", "gshadow", "shadow"] {
        // The digest of the whole file gives way to that of what is comparable.
        listed.get_mut(&format!("etc/{file}")).unwrap().truncate(1);
    }
    listed
}

fn is_reasoned(path: &str) -> bool {
    REASONS
        .iter()
        .flat_map(|(_, paths)| *paths)
        .any(|known| path == known.trim_end_matches('/') || known.ends_with('/') && path.starts_with(known))
}

/// Debian's mirrors, as this machine has them.
fn mirrors(workshop: &Workshop) -> (String, String) {
    let doctor: Value = serde_json::from_str(&workshop.run(&["doctor", "--json"]).stdout).unwrap();
    let facts = doctor["facts"].as_array().unwrap();
    let fact = facts.iter().find(|fact| fact["name"] == "debian mirror").unwrap();
    let (archive, security) = fact["value"].as_str().unwrap().split_once(" and ").unwrap();
    (archive.to_owned(), security.to_owned())
}

/// What tells mmdebstrap to merge `/usr`.
fn merging_usr(suite: &str) -> Option<&'static str> {
    match suite {
        // The hook wants a package that this suite does not have, so this is what debootstrap does there.
        "bullseye" => Some(
            "--setup-hook=for name in bin lib lib32 lib64 libx32 sbin; do \
             mkdir -p \"$1/usr/$name\" && ln -s \"usr/$name\" \"$1/$name\"; done",
        ),
        "bookworm" => Some("--hook-dir=/usr/share/mmdebstrap/hooks/merged-usr"),
        // Its packages have it themselves.
        _ => None,
    }
}

#[expect(clippy::disallowed_methods, reason = "the oracle")]
fn check(python: &str, suite: &str) {
    let Some(()) = network() else { return };
    if is_skipped_without("mmdebstrap") || !may_be_root() {
        return;
    }
    let limit = Duration::from_mins(10);
    // What is compared is made now.
    let workshop = Workshop::unbuilt();
    let spec = format!(
        "name: configured\npython_version: '{python}'\ncommands: ['true']\nbuilder_options: {{bytecode: false}}\n"
    );
    workshop.write("image.yaml", spec);
    let lock = workshop.run(&["lock", "image.yaml", "-o", "-"]).expect(0).stdout;
    let lock: Value = serde_json::from_str(&lock).unwrap();
    let platform = lock["platforms"].as_object().unwrap().values().next().unwrap();
    let packages = platform["base"]["packages"]["packages"].as_array().unwrap();
    let text = |package: &Value, name: &str| package[name].as_str().unwrap().to_owned();
    let include: Vec<String> =
        packages.iter().map(|one| format!("{}={}", text(one, "name"), text(one, "version"))).collect();
    let (archive, security) = mirrors(&workshop);
    let root = workshop.path("root");
    let mut mmdebstrap = Command::new("mmdebstrap");
    mmdebstrap
        .args(["--quiet", "--variant=custom", "--format=directory", "--mode=root"])
        .arg(format!("--include={}", include.join(",")))
        .args([suite, root.to_str().unwrap()])
        .arg(format!("deb {archive} {suite} main"))
        .arg(format!("deb {archive} {suite}-updates main"))
        .arg(format!("deb {security} {suite}-security main"));
    mmdebstrap.args(merging_usr(suite));
    run_within(&mut mmdebstrap, limit).expect(0);
    let theirs = run_within(Command::new("sh").args(["-c", LIST]).current_dir(&root), limit).expect(0);

    workshop.build("image.yaml", &[]);
    let script = format!("cd /; {LIST}");
    let ours = workshop.run(&["run", "image.yaml", "--user", "root", "--", "sh", "-c", &script]).expect(0);
    let (ours, theirs) = (listed(&ours.stdout), listed(&theirs.stdout));
    assert!(ours.len() > 1000, "{ours:?}");
    let paths = ours.keys().chain(theirs.keys()).filter(|path| !is_reasoned(path));
    let differing: BTreeMap<&String, _> = paths
        .filter(|path| ours.get(*path) != theirs.get(*path))
        .map(|path| (path, (ours.get(path), theirs.get(path))))
        .collect();
    assert!(differing.is_empty(), "{differing:#?}");
}

#[test]
fn bookworm_is_as_mmdebstrap_makes_it() {
    check("3.11", "bookworm");
}

#[test]
#[ignore = "takes minutes: cargo xtask test --long"]
fn bullseye_is_as_mmdebstrap_makes_it() {
    check("3.9", "bullseye");
}

#[test]
#[ignore = "takes minutes: cargo xtask test --long"]
fn trixie_is_as_mmdebstrap_makes_it() {
    check("3.13", "trixie");
}
