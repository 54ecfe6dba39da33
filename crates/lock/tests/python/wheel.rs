//! Wheels made on the spot: a module, its metadata, nothing more; each has bytes of its own.

use imagewright_testkit::wheel::WheelBuilder;

/// `{name}-{version}-{tag}.whl` with some `Requires-Dist` lines.
pub(crate) fn builder(name: &str, version: &str, tag: &str, requires: &[&str]) -> WheelBuilder {
    let about = format!("Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: {tag}\n");
    let wheel = WheelBuilder::new(name, version).tag(tag).wheel_file(&about);
    let wheel = wheel.file(&format!("{name}.py"), "x = 1\n");
    requires.iter().fold(wheel, |wheel, it| wheel.requires(it))
}

/// Its bytes.
pub(crate) fn wheel(name: &str, version: &str, tag: &str, requires: &[&str]) -> Vec<u8> {
    builder(name, version, tag, requires).bytes()
}
