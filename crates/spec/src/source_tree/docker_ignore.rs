//! `.dockerignore`, as docker-py reads it.

use std::io;
use std::path::Path;

use crate::docker_pattern::{Dialect, DockerPattern};

/// docker-py's `PatternMatcher`: the last pattern that matches a path, or a folder that it is in, decides.
#[derive(Debug)]
pub(super) struct DockerIgnore {
    rules: Vec<Rule>,
}

#[derive(Debug)]
struct Rule {
    /// Whether it was written with a `!`, and so takes paths back in.
    includes: bool,
    /// How many parts the pattern has.
    depth: usize,
    pattern: DockerPattern,
}

impl DockerIgnore {
    /// Of the `.dockerignore` in `folder`; without one nothing is ignored.
    pub(super) fn of(folder: &Path) -> io::Result<Self> {
        let path = folder.join(".dockerignore");
        if !path.is_file() {
            return Ok(Self::parse(""));
        }
        Ok(Self::parse(&fs_err::read_to_string(path)?))
    }

    fn parse(text: &str) -> Self {
        // Python's text files end lines at any of the three.
        let lines = text.split(['\n', '\r']).filter(|line| !line.starts_with('#'));
        let rules = lines.filter_map(|line| Rule::parse(line.trim_matches(is_space)));
        let mut rules: Vec<Rule> = rules.collect();
        rules.extend(Rule::parse("!.dockerignore"));
        Self { rules }
    }

    pub(super) fn is_ignored(&self, path: &str) -> bool {
        let folders: Vec<&str> = path.rsplit_once('/').map(|(parent, _)| parts(parent)).unwrap_or_default();
        let mut ignored = false;
        for rule in &self.rules {
            let matches = rule.pattern.matches(path)
                || (rule.depth <= folders.len() && rule.pattern.matches(&folders[..rule.depth].join("/")));
            if matches {
                ignored = !rule.includes;
            }
        }
        ignored
    }
}

impl Rule {
    /// Nothing when there is nothing in the pattern, as in `.` or an empty line.
    fn parse(text: &str) -> Option<Self> {
        let (includes, text) = match text.strip_prefix('!') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let parts = normalise(text.trim_matches(is_space));
        let pattern = DockerPattern::new(&parts.join("/"), Dialect::DockerPy);
        (!parts.is_empty()).then_some(Self { includes, depth: parts.len(), pattern })
    }
}

fn parts(path: &str) -> Vec<&str> {
    path.split('/').filter(|part| !matches!(*part, "" | ".")).collect()
}

/// The parts of a pattern, with each `..` taking the part before it away.
fn normalise(pattern: &str) -> Vec<&str> {
    let mut kept = Vec::new();
    for part in parts(pattern) {
        if part == ".." {
            kept.pop();
        } else {
            kept.push(part);
        }
    }
    kept
}

/// What Python's `str.strip` takes away.
fn is_space(character: char) -> bool {
    character.is_whitespace() || matches!(character, '\u{1c}'..='\u{1f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ignored(text: &str, paths: &[&str]) -> Vec<String> {
        let ignore = DockerIgnore::parse(text);
        paths.iter().filter(|path| ignore.is_ignored(path)).map(|path| (*path).to_owned()).collect()
    }

    #[test]
    fn last_match_decides() {
        let paths = ["data/a.csv", "data/keep.csv", "x/data/a.csv", ".dockerignore", "README.md"];
        assert_eq!(ignored("data\n!data/keep.csv", &paths), ["data/a.csv"]);
        assert_eq!(
            ignored("**/data", &paths),
            ["x/data/a.csv"],
            "docker-py compares as many parts as written"
        );
        assert_eq!(ignored("**/data/**", &paths), ["data/a.csv", "data/keep.csv", "x/data/a.csv"]);
        assert_eq!(ignored("*\n!README.md", &paths), ["data/a.csv", "data/keep.csv", "x/data/a.csv"]);
        assert_eq!(ignored("# data\n\n.\n/readme.MD/", &paths), ["README.md"]);
        assert_eq!(ignored("x/../data/a.csv\r\n  README.md  ", &paths), ["data/a.csv", "README.md"]);
    }
}
