//! Bytes that must not change without a new format number.

use imagewright_debian::{
    Architecture, BASE_FORMAT, DebianPackage, PackageRecord, Suite, UnpackedPackage, database_layer,
    package_layer,
};

use crate::network::mirrors;
use crate::unpacked::{Base, Purpose, encode};

/// Packages that their suites have had since they were released, and the diff ids of the layer and the database that
/// they make.
struct Golden {
    suite: Suite,
    packages: [&'static str; 3],
    layer: &'static str,
    database: &'static str,
}

const GOLDEN: [Golden; 3] = [
    Golden {
        suite: Suite::Bullseye,
        packages: ["mawk 1.3.4.20200120-2", "netbase 6.3", "python3 3.9.2-3"],
        layer: "sha256:38f27a0ac44e42210054b7864fb6f9809a7b597b11dfaeff02ad8b1e6c752711",
        database: "sha256:db519804a0adcdf9fd48eaede876a0f0ab89646f1a464032d30260856dbe33d1",
    },
    Golden {
        suite: Suite::Bookworm,
        packages: ["mawk 1.3.4.20200120-3.1", "netbase 6.4", "python3 3.11.2-1+b1"],
        layer: "sha256:2ce7c423210aab478cf65de7a35f6cff542f32bf5a3430a01e77095aa52c2a6e",
        database: "sha256:3b83283c761ce5e5f98dabe1e621f95903937c3f1136e6ba233a0f5d31f6aa8e",
    },
    Golden {
        suite: Suite::Trixie,
        packages: ["mawk 1.3.4.20250131-1", "netbase 6.5", "python3 3.13.5-1"],
        layer: "sha256:89520f4cb766fa97102f5acedeaa214dd25126a7c5425b422d4377dfd1167c53",
        database: "sha256:d9ee79688a7610d824a97f29643bb56ba5804d9959ffdad383f1eba5556b7893",
    },
];

#[test]
fn layers_of_named_packages_have_known_diff_ids() {
    assert_eq!(BASE_FORMAT, 2, "a new format has new digests here");
    let Some(mirrors) = mirrors() else { return };
    for golden in &GOLDEN {
        let is_named = |package: &DebianPackage| {
            golden.packages.contains(&format!("{} {}", package.name, package.version).as_str())
        };
        let base = Base::fetch_some(&mirrors, golden.suite, Architecture::Amd64, Purpose::Base, is_named);
        let packages: Vec<_> = base.lock.packages.iter().filter(|package| is_named(package)).collect();
        if packages.len() < golden.packages.len() {
            println!("skipped: {} has other versions than {:?} now", golden.suite, golden.packages);
            continue;
        }
        let unpacked: Vec<(&DebianPackage, UnpackedPackage)> = base.unpack(&packages);
        let records = unpacked
            .iter()
            .map(|(package, unpacked)| PackageRecord::of(package, unpacked).unwrap())
            .collect();
        let layer = package_layer(golden.suite, Architecture::Amd64, unpacked).unwrap();
        let diff_ids =
            [layer, database_layer(records)].map(|entries| encode(entries, &mut std::io::sink()).to_string());
        assert_eq!(diff_ids, [golden.layer, golden.database], "{}", golden.suite);
    }
}
