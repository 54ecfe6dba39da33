use imagewright_pypa::Libc;

use super::Tree;

/// Whether a file of this name is a C library whose version can be read.
pub(super) fn is_libc(name: &str) -> bool {
    name == "libc.so.6"
        || (name.starts_with("libc-2.") && has_suffix(name, ".so"))
        || (name.starts_with("ld-musl-") && has_suffix(name, ".so.1"))
}

fn has_suffix(name: &str, suffix: &str) -> bool {
    name.len() > suffix.len() && name.ends_with(suffix)
}

pub(super) fn detect(tree: &Tree) -> Option<Libc> {
    let found = |pattern: fn(&str) -> bool| {
        tree.iter()
            .filter(|(path, _)| {
                path.split('/').any(|part| part.starts_with("lib"))
                    && path.rsplit('/').next().is_some_and(pattern)
            })
            .find_map(|(path, _)| tree.content(path))
    };
    let glibc = found(|name| is_libc(name) && name.starts_with("libc"));
    let musl = found(|name| name.starts_with("ld-musl-"));
    glibc.and_then(glibc_version).or_else(|| musl.and_then(musl_version))
}

/// The banner that `libc.so.6` prints when it is run.
fn glibc_version(library: &[u8]) -> Option<Libc> {
    let (major, minor) = version_after(library, b"stable release version ")?;
    Some(Libc::Glibc(major, minor))
}

/// musl's loader prints `musl libc (x86_64)\nVersion %s`; the version is the only literal of the form `1.N.N`.
fn musl_version(library: &[u8]) -> Option<Libc> {
    let (major, minor) = version_after(library, b"\x001.").map(|(minor, _)| (1, minor))?;
    Some(Libc::Musl(major, minor))
}

fn version_after(program: &[u8], marker: &[u8]) -> Option<(u32, u32)> {
    let at = program.windows(marker.len()).position(|window| window == marker)? + marker.len();
    let end = program.len().min(at + 16);
    let text = String::from_utf8_lossy(&program[at..end]);
    let mut numbers = text.split(|c: char| !c.is_ascii_digit());
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::super::tree::tests::tree;
    use super::*;

    #[test]
    fn reads_the_banner() {
        let banner = "GNU C Library (Debian GLIBC 2.36-9) stable release version 2.36.\n";
        let glibc = tree(&[("usr/lib/x86_64-linux-gnu/libc.so.6", banner)]);
        assert_eq!(detect(&glibc), Some(Libc::Glibc(2, 36)));
        let old = tree(&[
            ("lib/x86_64-linux-gnu/libc.so.6", "-> libc-2.31.so"),
            ("lib/x86_64-linux-gnu/libc-2.31.so", "stable release version 2.31."),
        ]);
        assert_eq!(detect(&old), Some(Libc::Glibc(2, 31)));
        let musl = tree(&[("lib/ld-musl-x86_64.so.1", "musl libc (x86_64)\0\x001.2.4\0")]);
        assert_eq!(detect(&musl), Some(Libc::Musl(1, 2)));
        assert_eq!(detect(&tree(&[])), None);
    }
}
