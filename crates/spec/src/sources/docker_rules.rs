//! `.dockerignore`, as Docker reads it.

use std::io;
use std::path::Path;

use crate::docker_pattern::{Dialect, DockerPattern};

/// moby's `patternmatcher`: the last pattern that matches a path, or a folder that it is in, decides.
#[derive(Debug)]
pub(super) struct DockerRules {
    rules: Vec<Rule>,
}

#[derive(Debug)]
struct Rule {
    /// Whether it was written with a `!`, and so takes paths back in.
    includes: bool,
    pattern: DockerPattern,
}

impl DockerRules {
    /// Of the `.dockerignore` in `folder`; without one nothing is ignored.
    pub(super) fn of(folder: &Path) -> io::Result<Self> {
        let path = folder.join(".dockerignore");
        if !path.is_file() {
            return Ok(Self { rules: Vec::new() });
        }
        Ok(Self::parse(&String::from_utf8_lossy(&fs_err::read(path)?)))
    }

    fn parse(text: &str) -> Self {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        Self { rules: lines.filter_map(Rule::parse).collect() }
    }

    pub(super) fn is_ignored(&self, path: &str) -> bool {
        let mut ignored = false;
        for rule in &self.rules {
            // A rule that says what already holds changes nothing.
            if rule.includes == ignored && rule.matches(path) {
                ignored = !rule.includes;
            }
        }
        ignored
    }

    /// Whether some pattern takes paths back in.
    pub(super) fn has_exceptions(&self) -> bool {
        self.rules.iter().any(|rule| rule.includes)
    }
}

impl Rule {
    /// Nothing when there is nothing in the pattern, as in `.` or an empty line.
    fn parse(line: &str) -> Option<Self> {
        let line = line.trim();
        let (includes, pattern) = match line.strip_prefix('!') {
            Some(rest) => (true, rest.trim()),
            None => (false, line),
        };
        let mut parts = Vec::new();
        for part in pattern.split('/').filter(|part| !matches!(*part, "" | ".")) {
            if part == ".." {
                parts.pop();
            } else {
                parts.push(part);
            }
        }
        let pattern = DockerPattern::new(&parts.join("/"), Dialect::Docker);
        (!parts.is_empty()).then_some(Self { includes, pattern })
    }

    /// Whether it matches the path, or a folder that it is in.
    fn matches(&self, path: &str) -> bool {
        let folders = path.match_indices('/').map(|(end, _)| &path[..end]);
        folders.chain([path]).any(|path| self.pattern.matches(path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn last_match_decides() {
        let paths = ["data/a.csv", "data/keep.csv", "x/data/a.csv", ".dockerignore", "README.md"];
        let check = |text: &str, expected: &[&str]| {
            let rules = DockerRules::parse(text);
            let ignored: Vec<&str> = paths.into_iter().filter(|path| rules.is_ignored(path)).collect();
            assert_eq!(ignored, expected, "{text}");
        };
        check("data\n!data/keep.csv", &["data/a.csv"]);
        check("**/data", &["data/a.csv", "data/keep.csv", "x/data/a.csv"]);
        check("*\n!README.md", &["data/a.csv", "data/keep.csv", "x/data/a.csv", ".dockerignore"]);
        check("# data\n\n.\n/README.md/", &["README.md"]);
        check("readme.md", &[]);
        check("x/../data/a.csv\r\n  README.md  ", &["data/a.csv", "README.md"]);
        check("\u{feff}data/a.*", &["data/a.csv"]);
        check(" # no comment", &[]);
    }
}
