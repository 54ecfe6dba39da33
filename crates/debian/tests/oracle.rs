//! Debian's own tools say what is right.

use std::cmp::Ordering;
use std::path::Path;
use std::process::Command;

use imagewright_debian::DebianVersion;

#[test]
fn versions_have_the_order_that_dpkg_gives_them() {
    if !Path::new("/usr/bin/dpkg").exists() {
        println!("skipped: dpkg is not installed");
        return;
    }
    let versions = [
        "0",
        "1",
        "1~",
        "1~~",
        "1~a",
        "1a",
        "1+b1",
        "1.0",
        "1.00",
        "1.0-1",
        "1.0-0",
        "0:1.0",
        "1:0",
        "1.10",
        "1.9",
        "1.0-1+deb12u1",
        "1.0-1~bpo1",
        "1.a",
        "1.+",
        "1.-1",
        "1.0.",
        "20230311+deb12u1",
        "20230311",
        "2.36-9+deb12u14",
        "2.36-9+deb12u9",
        "3.11.2-1+b1",
        "99999999999999999999999",
        "99999999999999999999998",
        "1.0a-1",
        "1.0A-1",
        "1-1-1",
        "1-1.1",
    ];
    for one in versions {
        for other in versions {
            let ours = DebianVersion::new(one).cmp(&DebianVersion::new(other));
            assert_eq!(ours, of_dpkg(one, other), "{one} and {other}");
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "dpkg is the oracle")]
fn of_dpkg(one: &str, other: &str) -> Ordering {
    let holds = |operator| {
        Command::new("/usr/bin/dpkg")
            .args(["--compare-versions", one, operator, other])
            .status()
            .unwrap()
            .success()
    };
    if holds("lt") {
        Ordering::Less
    } else if holds("eq") {
        Ordering::Equal
    } else {
        Ordering::Greater
    }
}
