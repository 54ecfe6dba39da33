//! Requirements that are files of this machine.

use std::path::{Path, PathBuf};

use percent_encoding::percent_decode_str;

const ARCHIVES: &[&str] = &[".whl", ".zip", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".tar"];

/// The file or folder of this machine that a requirement is, if it is one.
///
/// `./x.whl`, `x-1.0-py3-none-any.whl[extra]`, `file:///tmp/x.whl#sha256=…`, `name @ file:///tmp/x.whl`,
/// `name @ ./x.whl ; marker`, `../folder`. Relative paths are relative to the working directory, also in an
/// included file, as pip and uv have it.
pub fn local_path(requirement: &str) -> Option<PathBuf> {
    let target = match requirement.split_once('@') {
        Some((name, target)) if is_name(name) => target.trim_start(),
        _ => requirement.trim(),
    };
    let target = target.split(" ;").next().unwrap_or(target).trim_end();
    let target = match target.strip_prefix("file:") {
        Some(rest) => return Some(file_url(rest)),
        None if target.contains("://") => return None,
        None => target.split_once(';').map_or(target, |(before, _)| before),
    };
    let path =
        target.strip_suffix(']').and_then(|rest| rest.rsplit_once('[')).map_or(target, |(path, _)| path);
    let is_path = path.contains('/') || path.starts_with('.');
    let is_archive = ARCHIVES.iter().any(|end| path.to_ascii_lowercase().ends_with(end));
    (is_path || is_archive).then(|| PathBuf::from(path))
}

/// What follows `-e` as a requirement: there, a plain word is a folder.
pub fn editable_target(target: &str) -> String {
    let target = target.trim();
    if target.contains("://") || target.contains(" @ ") || target.starts_with(['.', '/', '~']) {
        target.to_owned()
    } else {
        format!("./{target}")
    }
}

/// Whether what is before an `@` is the name of a package, with or without extras.
fn is_name(text: &str) -> bool {
    let name = text.split('[').next().unwrap_or(text).trim();
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
}

/// The path of a `file:` URL, without its host, which is this machine, its query and its fragment.
fn file_url(rest: &str) -> PathBuf {
    let rest = rest.split(['#', '?']).next().unwrap_or(rest);
    let path = match rest.strip_prefix("//") {
        Some(with_host) => with_host.find('/').map_or(with_host, |slash| &with_host[slash..]),
        None => rest,
    };
    PathBuf::from(percent_decode_str(path).decode_utf8_lossy().into_owned())
}

/// The local file that `file` includes as `target`; nothing when it is elsewhere.
pub(super) fn included(target: &str, file: &Path) -> Option<PathBuf> {
    if let Some(rest) = target.strip_prefix("file:") {
        return Some(file_url(rest));
    }
    if target.contains("://") {
        return None;
    }
    Some(normalise(&file.parent().unwrap_or(Path::new("")).join(target)))
}

/// Without `.` and, where a folder is before it, `..`; so that a file has one name.
fn normalise(path: &Path) -> PathBuf {
    use std::path::Component;
    let mut normal = PathBuf::new();
    for part in path.components() {
        match (part, normal.components().next_back()) {
            (Component::CurDir, _) => {}
            (Component::ParentDir, Some(Component::Normal(_))) => {
                normal.pop();
            }
            _ => normal.push(part),
        }
    }
    normal
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn local_requirements() {
        for (requirement, path) in [
            ("./x-1-py3-none-any.whl", "./x-1-py3-none-any.whl"),
            ("x-1-py3-none-any.whl[a,b]", "x-1-py3-none-any.whl"),
            ("x @ file:///tmp/a%20b/x.whl#sha256=00", "/tmp/a b/x.whl"),
            ("x[extra]@./x.whl ; python_version > '3'", "./x.whl"),
            ("file://localhost/tmp/x.whl", "/tmp/x.whl"),
            ("..", ".."),
            ("/src/pkg", "/src/pkg"),
        ] {
            assert_eq!(local_path(requirement), Some(PathBuf::from(path)), "{requirement}");
        }
        for requirement in
            ["numpy", "x @ https://host/x.whl", "git+https://host/x@main", "numpy>=1.0; a == '/x'"]
        {
            assert_eq!(local_path(requirement), None, "{requirement}");
        }
    }

    #[test]
    fn included_relative_to_the_file() {
        let file = Path::new("reqs/dev.txt");
        assert_eq!(included("base.txt", file), Some(PathBuf::from("reqs/base.txt")));
        assert_eq!(included("../base.txt", file), Some(PathBuf::from("base.txt")));
        assert_eq!(included("../../x.txt", file), Some(PathBuf::from("../x.txt")));
        assert_eq!(included("/etc/x.txt", file), Some(PathBuf::from("/etc/x.txt")));
        assert_eq!(included("https://host/x.txt", file), None);
    }
}
