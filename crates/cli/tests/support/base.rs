//! A small world without a network: a registry with a base image that nobody can run, and a package index.

use imagewright_oci::Platform;
use imagewright_testkit::image::ImageBuilder;
use imagewright_testkit::index::TestIndex;
use imagewright_testkit::registry::{Rules, TestRegistry};
use imagewright_testkit::wheel::{Item, WheelBuilder};

use super::Workshop;
use super::peers::oracle;

/// The world, and a workshop in it.
#[derive(Debug)]
pub(crate) struct Offline {
    pub(crate) workshop: Workshop,
    pub(crate) registry: TestRegistry,
    pub(crate) index: TestIndex,
}

impl Offline {
    /// A world with the wheels `alpha` (large, native, with a script), `beta` (which needs it) and `gamma`; without
    /// uv the caller skips.
    pub(crate) fn new() -> Option<Self> {
        oracle()?;
        let (registry, index) = (TestRegistry::start_with(Rules::default()), TestIndex::start());
        ImageBuilder::like_debian(Platform::linux_amd64(), "3.11.2").put(&registry, "base", "1");
        index.add(&alpha("1.0"));
        index.add(&alpha("2.0"));
        index.add(&small("beta", "1.0").requires("alpha"));
        index.add(&small("gamma", "1.0"));
        // An environment always has these.
        index.add(&small("pip", "26.0"));
        index.add(&small("setuptools", "80.0"));
        Some(Self { workshop: Workshop::new(), registry, index })
    }

    /// Writes `image.yaml`, for packages over the base, pushed to the registry.
    pub(crate) fn spec(&self, packages: &[&str]) {
        self.spec_with(packages, "");
    }

    /// The same with more lines.
    pub(crate) fn spec_with(&self, packages: &[&str], more: &str) {
        let (host, index) = (self.registry.host(), self.index.url());
        let text = format!(
            "name: app\nregistry: {host}\nbase_image: {host}/base:1\npip_index: {index}\n\
             packages: [{}]\nbuilder_options: {{bytecode: false}}\n{more}",
            packages.join(", ")
        );
        self.workshop.write("image.yaml", text);
    }
}

/// A sizeable wheel for one platform.
fn alpha(version: &str) -> WheelBuilder {
    WheelBuilder::new("alpha", version)
        .tag("cp311-cp311-manylinux_2_17_x86_64")
        .wheel_file("Wheel-Version: 1.0\nRoot-Is-Purelib: false\n")
        .file("alpha/__init__.py", format!("version = '{version}'\n"))
        .item(Item::new("alpha/native.so", noise(2_000_000)).mode(0o100_755))
        .item(Item::new("alpha/stored.bin", noise(300_000)).stored())
        .file(
            &format!("alpha-{version}.dist-info/entry_points.txt"),
            "[console_scripts]\nalpha = alpha:main\n",
        )
}

/// A wheel of one module.
pub(crate) fn small(name: &str, version: &str) -> WheelBuilder {
    WheelBuilder::new(name, version).file(&format!("{name}.py"), "x = 1\n")
}

/// Bytes that do not compress, always the same.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 7_u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state.to_le_bytes()[7]
    };
    (0..length).map(|_| next()).collect()
}
