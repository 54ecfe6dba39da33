use std::collections::BTreeMap;
use std::io::Write as _;
use std::process::{Command, Stdio};

use imagewright_oci::Platform;
use imagewright_pypa::{Libc, Marker, MarkerEnvironment, TargetPython, Version, WheelFilename};
use imagewright_testkit::peers::oracle;
use serde_json::{Value, json};

/// Real file names: up to three releases of 70 projects, at most eight files of each.
const NAMES: &str = include_str!("wheels.txt");

/// The oracle's answer; none when there is none.
#[expect(clippy::disallowed_methods, reason = "the peer is a process")]
fn ask(kind: &str, question: &Value) -> Option<Value> {
    let mut child = Command::new(oracle()?)
        .args(["-c", include_str!("oracle.py"), kind])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(question.to_string().as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "the oracle failed");
    Some(serde_json::from_slice(&output.stdout).unwrap())
}

fn targets() -> Vec<TargetPython> {
    let mut targets = Vec::new();
    for (platform, libc) in [
        ("linux/amd64", Libc::Glibc(2, 17)),
        ("linux/amd64", Libc::Glibc(2, 31)),
        ("linux/amd64", Libc::Glibc(2, 36)),
        ("linux/amd64", Libc::Glibc(2, 41)),
        ("linux/amd64", Libc::Musl(1, 2)),
        ("linux/arm64", Libc::Glibc(2, 36)),
        ("linux/arm64", Libc::Musl(1, 2)),
        ("linux/386", Libc::Glibc(2, 36)),
        ("linux/arm/v7", Libc::Glibc(2, 36)),
        ("linux/ppc64le", Libc::Glibc(2, 36)),
        ("linux/s390x", Libc::Glibc(2, 36)),
        ("linux/riscv64", Libc::Glibc(2, 41)),
    ] {
        let platform: Platform = platform.parse().unwrap();
        let of = |minor| TargetPython::new(3, minor, platform.clone(), libc).unwrap();
        targets.extend([9, 10, 11, 12, 13, 14].map(of));
    }
    targets
}

#[test]
fn the_same_wheels_are_chosen() {
    let mut groups: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for name in NAMES.lines() {
        let wheel: WheelFilename = name.parse().unwrap();
        groups.entry(&name[..wheel.stem().len()]).or_default().push(name);
    }
    let targets = targets();
    let described = targets.iter().map(|target| {
        let libc = match target.libc() {
            Libc::Glibc(major, minor) => json!(["glibc", major, minor]),
            Libc::Musl(major, minor) => json!(["musl", major, minor]),
        };
        json!({ "minor": target.version().1, "machine": target.machine(), "libc": libc })
    });
    let question = json!({
        "targets": described.collect::<Vec<_>>(),
        "groups": groups.values().collect::<Vec<_>>(),
    });
    let Some(answer) = ask("wheels", &question) else { return };
    let mut chosen = 0;
    for (target, said) in targets.iter().zip(answer.as_array().unwrap()) {
        let own: Vec<String> = target.compatible_tags().iter().map(ToString::to_string).collect();
        assert_eq!(json!(own), said["tags"], "{target}");
        let preference = target.preference();
        for (names, best) in groups.values().zip(said["best"].as_array().unwrap()) {
            let files: Vec<WheelFilename> = names.iter().map(|name| name.parse().unwrap()).collect();
            let own = preference.best(&files).map(|at| names[at]);
            assert_eq!(own, best.as_str(), "{target}");
            chosen += usize::from(own.is_some());
        }
    }
    println!(
        "{} files, {} releases, {} targets: {chosen} choices",
        NAMES.lines().count(),
        groups.len(),
        targets.len()
    );
    assert!(chosen > 1_000);
}

/// Versions that are written in every way that PEP 440 knows, and some that it does not.
fn versions() -> Vec<String> {
    let releases = ["0", "1", "1.0", "1.0.0", "01.2", "2024.1.1", "1!0.9", "v1.2"];
    let suffixes = [
        "",
        "a1",
        ".alpha-2",
        "b",
        "-beta_3",
        "rc1",
        "c2",
        ".pre4",
        ".post1",
        "-7",
        "rev3",
        ".dev4",
        "a1.post2.dev3",
        "+local",
        "+deb.12-1",
        "+5",
        ".x",
        "-",
        "+",
        " ",
    ];
    releases.iter().flat_map(|release| suffixes.map(|suffix| format!("{release}{suffix}"))).collect()
}

#[test]
fn versions_are_read_and_ordered_alike() {
    let texts = versions();
    let Some(answer) = ask("versions", &json!(texts)) else { return };
    let mut valid = Vec::new();
    for (text, said) in texts.iter().zip(answer["parsed"].as_array().unwrap()) {
        let own = text.parse::<Version>().ok();
        assert_eq!(own.as_ref().map(ToString::to_string).as_deref(), said.as_str(), "`{text}`");
        valid.extend(own);
    }
    valid.sort_by(|a, b| a.cmp(b).then_with(|| a.to_string().cmp(&b.to_string())));
    valid.dedup();
    let position = |text: &Value| valid.iter().position(|it| it.to_string() == text.as_str().unwrap());
    let sorted = answer["sorted"].as_array().unwrap();
    let versions: Vec<Version> = sorted.iter().map(|text| text.as_str().unwrap().parse().unwrap()).collect();
    assert!(versions.is_sorted() && sorted.len() > 80);
    assert!(sorted.iter().filter_map(position).is_sorted());
}

/// Markers of all kinds, joined in all ways, and some that are none.
fn markers() -> Vec<String> {
    let mut markers = Vec::new();
    let operators = ["==", "!=", "<", "<=", ">", ">=", "~=", "===", "in", "not in"];
    for variable in ["python_version", "python_full_version", "implementation_version"] {
        for operator in operators {
            for value in ["3.9", "3.11", "3.11.2", "3.11.*", "3.8, 3.11", "4", "abc"] {
                markers.push(format!("{variable} {operator} '{value}'"));
                markers.push(format!("'{value}'{operator} {variable}"));
            }
        }
    }
    for variable in ["os_name", "sys_platform", "platform_machine", "platform_system", "implementation_name"]
    {
        for operator in ["==", "!=", "in", "not in", "<", ">="] {
            for value in ["posix", "linux", "Linux", "x86_64", "cpython", "win32", "linux darwin", ""] {
                markers.push(format!("{variable} {operator} \"{value}\""));
            }
        }
    }
    markers.extend(["extra == 'A_b'", "'a.b' == extra", "extra != 'a-b'", "extra == 'c'"].map(str::to_owned));
    let (some, others): (Vec<_>, Vec<_>) =
        markers.iter().step_by(7).cloned().enumerate().partition(|(at, _)| at % 2 == 0);
    for ((_, a), (_, b)) in some.iter().zip(&others) {
        markers.push(format!("{a} and {b} or not_there == 'x'"));
        markers.push(format!("{a} and ({b} or os_name=='posix')"));
        markers.push(format!("({a}) or {b} and os_name == 'nt'"));
    }
    let broken =
        ["", "os_name", "os_name ==", "(os_name == 'a'", "os_name == 'a", "os_name == 'a' x", "a and"];
    markers.extend(broken.map(str::to_owned));
    markers
}

#[test]
fn the_same_markers_hold() {
    let (texts, extra) = (markers(), "a-b");
    let mut counts = [0, 0, 0];
    for (minor, patch, platform) in [(11, 2, "linux/amd64"), (9, 21, "linux/arm64")] {
        let target = TargetPython::new(3, minor, platform.parse().unwrap(), Libc::Glibc(2, 36)).unwrap();
        let target = target.with_patch(patch);
        let python = format!("3.{minor}.{patch}");
        let question =
            json!({ "texts": texts, "python": python, "machine": target.machine(), "extra": extra });
        let Some(answer) = ask("markers", &question) else { return };
        let mut environment = MarkerEnvironment::of(&target);
        environment.extras.insert(extra.parse().unwrap());
        for (text, said) in texts.iter().zip(answer.as_array().unwrap()) {
            let own = text.parse::<Marker>().ok().map(|marker| marker.holds(&environment));
            // What has no order, `packaging` does not compare; where it is written, it is a mistake of its author's.
            if *said != json!("undefined") {
                assert_eq!(json!(own), *said, "{text} on {target}");
            }
            counts[own.map_or(2, usize::from)] += 1;
        }
    }
    println!("{} false, {} true, {} no markers", counts[0], counts[1], counts[2]);
    assert!(counts.iter().all(|count| *count > 10), "{counts:?}");
}
