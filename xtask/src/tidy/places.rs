//! Hosts of package archives and paths of one machine, which no committed file names.

use std::path::Path;

use super::File;
use crate::workspace::Workspace;

/// Hosts that come from the tools' own defaults and configuration. In two halves, so that this file does not name them.
const HOSTS: [(&str, &str); 9] = [
    ("pypi", ".org"),
    ("pythonhosted", ".org"),
    ("deb.debian", ".org"),
    ("security.debian", ".org"),
    ("snapshot.debian", ".org"),
    ("conda.anaconda", ".org"),
    ("repo.anaconda", ".com"),
    ("download.pytorch", ".org"),
    ("static.crates", ".io"),
];

/// Folders of tools in somebody's home.
const TOOLS: [(&str, &str); 4] =
    [(".cargo", "/bin"), (".cargo", "/registry"), (".rustup", "/"), (".pyenv", "/")];

/// Which file may name hosts, and why.
const ALLOWED: [(&str, &str); 1] = [(
    "crates/debian/src/mirror.rs",
    "the addresses that Debian gives its users, which images therefore have",
)];

/// Names every place that is named.
pub(super) fn check(workspace: &Workspace, files: &[File]) -> Vec<String> {
    let root = workspace.root.display().to_string();
    let mut forbidden = HOSTS.iter().chain(&TOOLS).map(|(a, b)| format!("{a}{b}")).collect::<Vec<_>>();
    // A checkout at the top of the file system has a path that may be a word of the text.
    if workspace.root.components().count() > 3 {
        forbidden.push(root);
    }
    let mut untidy = Vec::new();
    let allowed = |file: &&File| {
        file.path == Path::new("Cargo.lock") || ALLOWED.iter().any(|(path, _)| file.path == Path::new(path))
    };
    for file in files.iter().filter(|file| !allowed(file)) {
        for place in &forbidden {
            if file.text.contains(place.as_str()) {
                untidy.push(format!("{}: names {place}", file.path.display()));
            }
        }
    }
    untidy
}
