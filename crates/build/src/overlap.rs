use std::collections::BTreeMap;
use std::fmt;

use imagewright_lock::facts::Installed;

/// A path that two distributions of an image install; what is there is the later one's, as after two installations.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Overlap {
    path: String,
    loser: String,
    winner: String,
}

/// The paths that several of `installed` own, which is in the order of the layers.
///
/// It compares what each distribution says is its own, whole packages and single files: packages that share a
/// namespace say so by having no `__init__.py` in it, and do not meet here.
pub(crate) fn overlaps(installed: &[&Installed]) -> Vec<Overlap> {
    let mut owners: BTreeMap<&str, &Installed> = BTreeMap::new();
    let mut found = Vec::new();
    for one in installed {
        for root in &one.roots {
            if let Some(earlier) = owners.insert(root, one) {
                let (loser, winner) = (earlier.name.to_string(), one.name.to_string());
                found.push(Overlap { path: root.clone(), loser, winner });
            }
        }
    }
    found
}

impl fmt::Display for Overlap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, loser, winner } = self;
        write!(f, "{loser} and {winner} both install /{path}; {winner}'s files are what the image has")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_later_wins() {
        let installed = |name: &str, roots: &[&str]| Installed {
            name: name.parse().unwrap(),
            version: "1".to_owned(),
            site: "s".to_owned(),
            metadata: format!("{name}-1.dist-info"),
            roots: roots.iter().map(|root| (*root).to_owned()).collect(),
        };
        let (a, b, c) =
            (installed("a", &["s/x", "bin/t"]), installed("b", &["s/y"]), installed("c", &["bin/t"]));
        let found: Vec<String> = overlaps(&[&a, &b, &c]).iter().map(Overlap::to_string).collect();
        assert_eq!(found, ["a and c both install /bin/t; c's files are what the image has"]);
    }
}
