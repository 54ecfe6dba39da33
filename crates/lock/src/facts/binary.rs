//! Versions that programs carry in their constants.

/// Whether a file of this name is an interpreter, or the library that holds it.
pub(super) fn is_python(name: &str) -> bool {
    let minor = |rest: &str| {
        let (major, minor) = rest.split_once('.').unwrap_or((rest, ""));
        major == "3" && !minor.is_empty() && minor.bytes().all(|b| b.is_ascii_digit())
    };
    if let Some(rest) = name.strip_prefix("libpython") {
        return rest.split_once(".so").is_some_and(|(version, _)| minor(version));
    }
    name.strip_prefix("python").is_some_and(minor)
}

/// The full version of CPython `minor` (such as `3.11`) in a program's constants: `3.11.2`, `3.14.0rc1`.
///
/// `Py_GetVersion` begins with the `PY_VERSION` literal, which the compiler keeps as a string of its own.
pub(super) fn python_version(program: &[u8], minor: &str) -> Option<String> {
    let prefix = format!("\0{minor}.");
    program.windows(prefix.len()).enumerate().filter(|(_, window)| *window == prefix.as_bytes()).find_map(
        |(at, _)| {
            let text = program[at + 1..].split(|byte| *byte == 0).next()?;
            let patch = std::str::from_utf8(text.get(minor.len() + 1..)?).ok()?;
            is_patch(patch).then(|| format!("{minor}.{patch}"))
        },
    )
}

/// `2`, `0rc1`, `13+`: digits, then what pre-releases append.
fn is_patch(text: &str) -> bool {
    let rest = text.trim_start_matches(|c: char| c.is_ascii_digit());
    rest.len() < text.len() && text.len() <= 8 && rest.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'+')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_literal() {
        assert_eq!(python_version(b"..\x003.11.\x003.11.2\0x", "3.11").as_deref(), Some("3.11.2"));
        assert_eq!(python_version(b"\x003.14.0rc1\0", "3.14").as_deref(), Some("3.14.0rc1"));
        assert_eq!(python_version(b"python3.11\0 3.11.2", "3.11"), None);
    }

    #[test]
    fn knows_interpreters_by_name() {
        for name in ["python3.11", "python3.9", "libpython3.12.so.1.0"] {
            assert!(is_python(name), "{name}");
        }
        for name in ["python3", "python", "python3.11-config", "libpython3.so", "python2.7", "pythonic"] {
            assert!(!is_python(name), "{name}");
        }
    }
}
