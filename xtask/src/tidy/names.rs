//! Modules that are named for nothing.

use super::File;

/// What lives there names its concept, or is inlined.
const NAMELESS: [&str; 10] =
    ["util", "utils", "helper", "helpers", "common", "misc", "manager", "managers", "shared", "stuff"];

/// Names every file and folder with such a name.
pub(super) fn check(files: &[File]) -> Vec<String> {
    let nameless = |file: &&File| {
        let stem = file.path.with_extension("");
        stem.components().any(|part| part.as_os_str().to_str().is_some_and(|part| NAMELESS.contains(&part)))
    };
    let sources = files.iter().filter(|file| file.code.is_some());
    sources
        .filter(nameless)
        .map(|file| format!("{}: a name that says nothing", file.path.display()))
        .collect()
}
