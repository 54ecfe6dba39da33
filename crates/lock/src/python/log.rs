//! What uv says on its standard error: warnings, the explanation of a failure, and the debug lines that tell
//! which distribution brought which.

use std::collections::{BTreeMap, BTreeSet};

use imagewright_pypa::{PackageName, Version};

/// The module of uv whose debug lines are asked for.
pub(super) const FILTER: &str = "uv_resolver::resolver=debug";

/// For each distribution, those that depend on it.
pub(super) type Dependents = BTreeMap<PackageName, BTreeSet<PackageName>>;

/// The parts of what uv said.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Said {
    /// Everything but debug lines and warnings.
    pub(super) explanation: String,
    pub(super) warnings: Vec<String>,
    edges: Vec<(PackageName, Version, PackageName)>,
}

impl Said {
    pub(super) fn parse(stderr: &str) -> Self {
        let mut said = Self::default();
        for line in stderr.lines() {
            if let Some(debug) = line.strip_prefix("DEBUG ") {
                said.edges.extend(edge(debug));
            } else if let Some(warning) = line.strip_prefix("warning: ") {
                said.warnings.extend(concerns_the_user(warning).then(|| warning.to_owned()));
            } else if !["TRACE ", "INFO ", "WARN ", "Resolved "].iter().any(|start| line.starts_with(start)) {
                said.explanation.push_str(line);
                said.explanation.push('\n');
            }
        }
        said
    }

    /// Who needs whom, among the versions that were chosen in the end; uv tries others on its way.
    pub(super) fn dependents(&self, chosen: &BTreeMap<PackageName, Version>) -> Dependents {
        let mut dependents = Dependents::new();
        for (from, version, to) in &self.edges {
            if chosen.get(from) == Some(version) && from != to {
                dependents.entry(to.clone()).or_default().insert(from.clone());
            }
        }
        dependents
    }
}

/// `Adding transitive dependency for requests==2.34.2: idna>=2.5, <4`
fn edge(line: &str) -> Option<(PackageName, Version, PackageName)> {
    let (from, to) = line.strip_prefix("Adding transitive dependency for ")?.split_once(": ")?;
    let (name, version) = from.split_once("==")?;
    let name_of = |text: &str| {
        let end = text.find(|c: char| !(c.is_ascii_alphanumeric() || "-_.".contains(c)));
        text[..end.unwrap_or(text.len())].parse::<PackageName>().ok()
    };
    Some((name_of(name)?, version.parse().ok()?, name_of(to)?))
}

/// uv says that the target's Python is not on this machine; it need not be.
fn concerns_the_user(warning: &str) -> bool {
    !warning.starts_with("The requested Python version")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_who_brought_whom() {
        let said = Said::parse(
            "DEBUG Adding direct dependency: requests*\n\
             DEBUG Adding transitive dependency for requests==1.0: chardet>=3\n\
             DEBUG Adding transitive dependency for requests==2.34.2: idna>=2.5, <4\n\
             DEBUG Adding transitive dependency for uvicorn[standard]==1.0: uvicorn==1.0\n\
             warning: The requested Python version 3.14 is not available\n\
             warning: `a==1` is yanked\n\
             Resolved 2 packages in 5ms\n\
             error: No solution\n",
        );
        assert_eq!(said.explanation, "error: No solution\n");
        assert_eq!(said.warnings, ["`a==1` is yanked"]);
        let name = |text: &str| text.parse::<PackageName>().unwrap();
        let chosen = BTreeMap::from([
            (name("requests"), "2.34.2".parse().unwrap()),
            (name("uvicorn"), "1.0".parse().unwrap()),
        ]);
        let expected = Dependents::from([(name("idna"), BTreeSet::from([name("requests")]))]);
        assert_eq!(said.dependents(&chosen), expected);
    }
}
