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
        let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
        if !led_to(folder, target).is_some_and(|inside| inside.is_empty() || found.contains_key(&inside)) {
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

/// Where `path` leads, seen from `folder`: both and what comes out are below the same top, whose own path is empty.
/// Nothing when it is absolute, or leads out of the top. Only words are looked at, no links on the way.
pub fn led_to(folder: &str, path: &str) -> Option<String> {
    if path.starts_with('/') {
        return None;
    }
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in path.split('/') {
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
            ("", "b", Some("b")),
            ("x", "../b/./c", Some("b/c")),
            ("x", "..", Some("")),
            ("x/y", "../../b//", Some("b")),
            ("", "../b", None),
            ("x", "../../x/b", None),
            ("", "/b", None),
        ];
        for (folder, path, expected) in cases {
            assert_eq!(led_to(folder, path).as_deref(), expected, "{folder} -> {path}");
        }
    }
}
