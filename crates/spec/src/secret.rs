//! `pip_secret_mounts`: what a build is trusted with, and where it finds it.

use std::collections::BTreeSet;
use std::path::PathBuf;

use crate::node::{Content, Node};
use crate::reader::Reader;
use crate::wire::is_environment_name;
use crate::{Field, ProblemKind, Wanted};

/// A secret that is there while something is resolved, installed or run, and not in the image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretMount {
    /// On this machine.
    pub source: SecretSource,
    /// In the build.
    pub target: SecretTarget,
}

/// Where a secret comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecretSource {
    /// A file; relative, below the working directory.
    File {
        /// Which one; `~/` at its start is the user's home.
        path: PathBuf,
    },
    /// A variable of the environment that the build is started in: `env:NAME`.
    Variable {
        /// Its name.
        name: String,
    },
}

/// Where a secret is found.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SecretTarget {
    /// In a file.
    File {
        /// Its path in the image, absolute and without `.` and `..`.
        path: String,
    },
    /// In a variable of the environment: `env:NAME`.
    Variable {
        /// Its name.
        name: String,
    },
}

/// What tells the name of a variable from a path.
const VARIABLE: &str = "env:";

/// The pairs of the field, or a problem for each that is wrong.
pub(crate) fn secret_mounts(reader: &mut Reader<'_, '_>) -> Vec<SecretMount> {
    const FIELD: Field = Field::PipSecretMounts;
    let Some(node) = reader.node(FIELD) else { return Vec::new() };
    let wrong =
        |got: &Node| ProblemKind::WrongType { wanted: Wanted::Pairs, got: got.describe(), written: None };
    let Content::Sequence(items) = &node.content else {
        reader.problem(FIELD, wrong(node));
        return Vec::new();
    };
    let (mut mounts, mut targets) = (Vec::new(), BTreeSet::new());
    for (index, item) in items.iter().enumerate() {
        let pair = match &item.content {
            Content::Sequence(pair) => pair.iter().map(Node::as_str).collect(),
            _ => Vec::new(),
        };
        let [Some(from), Some(to)] = pair[..] else {
            reader.problem_in(FIELD, index, wrong(item));
            continue;
        };
        let mut is_new = |target: &SecretTarget| targets.insert(target.clone());
        match source(from).and_then(|source| Ok(SecretMount { source, target: target(to)? })) {
            Err(problem) => reader.problem_in(FIELD, index, problem),
            Ok(mount) if is_new(&mount.target) => mounts.push(mount),
            Ok(_) => reader.problem_in(FIELD, index, misplaced(to, "another secret is there")),
        }
    }
    mounts
}

fn source(text: &str) -> Result<SecretSource, ProblemKind> {
    match text.strip_prefix(VARIABLE) {
        _ if text.contains('\0') => Err(ProblemKind::Nul),
        _ if text.is_empty() => Err(ProblemKind::Empty),
        Some(name) => Ok(SecretSource::Variable { name: variable(name)? }),
        None => Ok(SecretSource::File { path: PathBuf::from(text) }),
    }
}

fn target(text: &str) -> Result<SecretTarget, ProblemKind> {
    if text.contains('\0') {
        return Err(ProblemKind::Nul);
    }
    if let Some(name) = text.strip_prefix(VARIABLE) {
        return Ok(SecretTarget::Variable { name: variable(name)? });
    }
    // Steps run as root, whose home this is.
    let path = match text.strip_prefix("~/") {
        Some(below) => format!("/root/{below}"),
        None => text.to_owned(),
    };
    if !path.starts_with('/') {
        return Err(misplaced(text, "a path in the image starts with a slash"));
    }
    let parts: Vec<&str> = path.split('/').filter(|part| !matches!(*part, "" | ".")).collect();
    if path.ends_with('/') || parts.is_empty() {
        return Err(misplaced(text, "it is a folder, and a secret is a file"));
    }
    if parts.contains(&"..") {
        return Err(misplaced(text, "it has a `..` in it"));
    }
    Ok(SecretTarget::File { path: format!("/{}", parts.join("/")) })
}

fn variable(name: &str) -> Result<String, ProblemKind> {
    if is_environment_name(name) {
        Ok(name.to_owned())
    } else {
        Err(ProblemKind::EnvironmentName { name: name.to_owned() })
    }
}

fn misplaced(text: &str, why: &'static str) -> ProblemKind {
    ProblemKind::SecretTarget { text: text.to_owned(), why }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_one_file_or_one_variable() {
        for (text, path) in [
            ("/root/.netrc", "/root/.netrc"),
            ("~/.netrc", "/root/.netrc"),
            ("//run/./secrets/token", "/run/secrets/token"),
        ] {
            assert_eq!(target(text), Ok(SecretTarget::File { path: path.to_owned() }), "{text}");
        }
        assert_eq!(target("env:TOKEN"), Ok(SecretTarget::Variable { name: "TOKEN".to_owned() }));
        for text in ["", ".netrc", "/", "/root/", "/root/../etc/x", "env:", "env:A=B", "env:1A"] {
            assert!(target(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_source_is_a_file_unless_it_says_otherwise() {
        assert_eq!(source("env:TOKEN"), Ok(SecretSource::Variable { name: "TOKEN".to_owned() }));
        assert_eq!(source("./env:TOKEN"), Ok(SecretSource::File { path: "./env:TOKEN".into() }));
        assert!(source("").is_err() && source("env:A B").is_err());
    }
}
