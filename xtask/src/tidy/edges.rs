//! Which crate may use which.

use crate::workspace::Workspace;

/// Each crate and the crates of ours that it may depend on. A new edge is an architectural change: it belongs here, in a
/// commit that says why.
const EDGES: [(&str, &[&str]); 14] = [
    ("oci", &[]),
    // Compatibility tags are those of a platform.
    ("pypa", &["oci"]),
    ("spec", &["oci", "pypa"]),
    ("recipe", &["oci", "pypa", "spec"]),
    ("layer", &["oci", "pypa"]),
    ("store", &["layer", "oci"]),
    ("registry", &["oci"]),
    // A suite has the packages of one minor release of Python.
    ("debian", &["layer", "oci", "pypa"]),
    ("lock", &["debian", "layer", "oci", "pypa", "recipe", "registry", "spec", "store"]),
    // A definition names the Debian packages that its layer unpacks, in the words of the crate that knows them,
    // and the files that are copied in those of the spec.
    ("plan", &["debian", "layer", "lock", "oci", "pypa", "recipe", "spec"]),
    ("sandbox", &["layer", "oci"]),
    (
        "build",
        &["debian", "layer", "lock", "oci", "plan", "pypa", "recipe", "registry", "sandbox", "spec", "store"],
    ),
    (
        "cli",
        &["build", "debian", "lock", "oci", "plan", "pypa", "recipe", "registry", "sandbox", "spec", "store"],
    ),
    ("testkit", &["oci", "registry", "store"]),
];

/// A development dependency only, of any crate.
const FOR_TESTS: &str = "testkit";

const PREFIX: &str = "imagewright-";

/// Names every edge that the table does not allow, and every one that it allows for nothing.
pub(super) fn check(workspace: &Workspace) -> Vec<String> {
    let mut untidy = Vec::new();
    for package in &workspace.packages {
        let full = package["name"].as_str().unwrap_or_default();
        let Some(name) = full.strip_prefix(PREFIX) else {
            if full != "xtask" {
                untidy.push(format!("{full}: a crate of ours is named {PREFIX}FOLDER"));
            }
            continue;
        };
        let Some((_, allowed)) = EDGES.iter().find(|(known, _)| *known == name) else {
            untidy.push(format!("{full}: not in the table of xtask/src/tidy/edges.rs"));
            continue;
        };
        if !package["manifest_path"]
            .as_str()
            .is_some_and(|path| path.ends_with(&format!("crates/{name}/Cargo.toml")))
        {
            untidy.push(format!("{full}: its folder is crates/{name}"));
        }
        let mut unused = allowed.to_vec();
        for edge in package["dependencies"].as_array().into_iter().flatten() {
            let Some(used) = edge["name"].as_str().and_then(|used| used.strip_prefix(PREFIX)) else {
                continue;
            };
            if edge["kind"].is_null() {
                unused.retain(|allowed| *allowed != used);
            }
            let is_for_tests = edge["kind"] == "dev" && (used == FOR_TESTS || is_earlier(used, allowed));
            if !allowed.contains(&used) && !is_for_tests {
                untidy.push(format!("{full} may not depend on {PREFIX}{used}"));
            }
        }
        untidy.extend(unused.iter().map(|name| format!("{full}: allowed to depend on {name}, and does not")));
    }
    untidy
}

/// Whether `used` is among these crates or those below them: what a test may begin with.
fn is_earlier(used: &str, crates: &[&str]) -> bool {
    let below =
        |name: &&str| EDGES.iter().find(|(known, _)| known == name).map_or(&[][..], |(_, edges)| edges);
    crates.iter().any(|name| *name == used || is_earlier(used, below(name)))
}
