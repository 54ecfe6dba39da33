//! Which links stay links.

use std::collections::BTreeMap;
use std::path::Path;

use super::below;
use super::walk::Found;

/// Decides over each link, and gives those that are broken in the image, with where they lead.
///
/// A link to something that is copied with it stays a link. One to a file that is not becomes that file, as in
/// flytekit: data sets are often links into a cache. Any other stays, and leads nowhere.
pub(super) fn settle(found: &mut BTreeMap<String, Found>, top: &Path) -> Vec<(String, String)> {
    let mut leading_out = Vec::new();
    for (path, entry) in &*found {
        let Found::Link(target) = entry else { continue };
        if !inside(path, target).is_some_and(|inside| inside.is_empty() || found.contains_key(&inside)) {
            leading_out.push((path.clone(), target.clone()));
        }
    }
    let mut broken = Vec::new();
    for (path, target) in leading_out {
        match fs_err::metadata(below(top, &path)) {
            Ok(metadata) if metadata.is_file() => {
                found.insert(path, Found::file(&metadata));
            }
            // That it leads nowhere on this machine either is no failure: it is copied as it is.
            Ok(_) | Err(_) => broken.push((path, target)),
        }
    }
    broken
}

/// The path below the top that a link at `path` leads to, unless it leads out; the top's is empty.
fn inside(path: &str, target: &str) -> Option<String> {
    if target.starts_with('/') {
        return None;
    }
    let mut parts: Vec<&str> = path.split('/').collect();
    parts.pop();
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_what_leads_out() {
        let cases = [
            ("a", "b", Some("b")),
            ("x/a", "../b/./c", Some("b/c")),
            ("x/a", "..", Some("")),
            ("a", "../b", None),
            ("x/a", "../../x/b", None),
            ("a", "/b", None),
        ];
        for (path, target, expected) in cases {
            assert_eq!(inside(path, target).as_deref(), expected, "{path} -> {target}");
        }
    }
}
