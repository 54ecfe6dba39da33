use std::fmt;
use std::path::{Path, PathBuf};

use imagewright_oci::Digest;
use imagewright_pypa::{Marker, MarkerEnvironment, PackageName, TargetPython};
use imagewright_spec::requirements::{RequirementLine, distribution, uncommented};
use serde::{Deserialize, Serialize};

use super::source_requirement::split_marker;
use super::{IndexUrl, PythonError};
use crate::uv::Host;

/// One requirement of the user, and where it was written.
///
/// Printing it shows what was written, without the values of variables and without passwords.
#[derive(Clone, PartialEq, Eq)]
pub struct Requirement {
    /// A PEP 508 requirement, or a path or URL of a wheel, with its hashes behind it.
    text: String,
    /// As it was written, before variables were put in.
    written: String,
    /// Where it was written.
    pub origin: Origin,
}

/// Where a requirement was written.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Origin {
    /// A field of the spec, such as `packages`.
    Field {
        /// The field.
        name: String,
    },
    /// A line of a requirements file.
    File {
        /// The file, as the user wrote it.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
    },
    /// Nowhere: every environment has it, and the user need not ask for it.
    EveryEnvironment,
}

/// A requirement taken apart as far as the lock needs it; uv reads the rest.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Parsed {
    /// The line for uv: without hashes, and with absolute paths.
    pub(super) line: String,
    /// What it is about; a URL may not say.
    pub(super) name: Option<PackageName>,
    /// The files that may be used, when the line names any.
    pub(super) hashes: Vec<Digest>,
}

impl Requirement {
    /// A requirement that says what is written.
    pub fn new(text: &str, origin: Origin) -> Self {
        let text = text.trim().to_owned();
        Self { written: text.clone(), text, origin }
    }

    /// A requirement of a field of the spec, such as `packages[2]`.
    pub fn of_field(text: &str, field: &str) -> Self {
        Self::new(text, Origin::Field { name: field.to_owned() })
    }

    /// A requirement that imagewright itself has of every environment.
    pub(crate) fn implied(text: &str) -> Self {
        Self::new(text, Origin::EveryEnvironment)
    }

    /// Whether it is not of the user.
    pub(crate) fn is_implied(&self) -> bool {
        self.origin == Origin::EveryEnvironment
    }

    /// A requirement of a line, which may hold variables.
    pub(super) fn of_line(
        line: &RequirementLine,
        requirement: &str,
        hashes: &[String],
        origin: Origin,
    ) -> Self {
        let hashes = hashes.iter().map(|hash| format!(" --hash={hash}"));
        let text = hashes.fold(requirement.to_owned(), |text, hash| text + &hash);
        Self { text, written: line.text.clone(), origin }
    }

    /// The URLs in it that hold a password.
    pub(super) fn private_urls(&self) -> Vec<IndexUrl> {
        let words = self.text.split_whitespace().map(|word| word.strip_prefix("git+").unwrap_or(word));
        words.map(IndexUrl::new).filter(|url| url.secret().is_some()).collect()
    }

    /// The distribution it is about, when the text says.
    pub fn name(&self) -> Option<PackageName> {
        distribution(&self.text)
    }

    /// Whether it is one for the target, as far as its marker can be read; what is wrong with that uv says.
    pub(super) fn is_for(&self, target: &TargetPython) -> bool {
        let (_, marker) = split_marker(uncommented(&self.text));
        let marker = marker.and_then(|marker| marker.parse::<Marker>().ok());
        marker.is_none_or(|marker| marker.holds(&MarkerEnvironment::of(target)))
    }

    pub(super) fn parse(&self, host: &Host) -> Result<Parsed, PythonError> {
        if self.source(host)?.is_some() {
            return Err(PythonError::NeedsBuild { requirement: self.clone() });
        }
        let (text, hashes) = self.without_hashes()?;
        Ok(Parsed { line: absolute_location(&text, host), name: self.name(), hashes })
    }

    /// The text without comment and hashes, and the hashes.
    pub(super) fn without_hashes(&self) -> Result<(String, Vec<Digest>), PythonError> {
        let mut words = Vec::new();
        let mut hashes = Vec::new();
        let mut rest = uncommented(&self.text).split_whitespace();
        while let Some(word) = rest.next() {
            let hash = match word.strip_prefix("--hash") {
                Some("") => rest.next(),
                Some(value) => value.strip_prefix('='),
                None => {
                    words.push(word);
                    continue;
                }
            };
            hashes.push(self.hash(hash.unwrap_or_default())?);
        }
        Ok((words.join(" "), hashes))
    }

    /// What was written, with another text in its place for the resolver.
    pub(super) fn replaced(&self, text: String) -> Self {
        Self { text, ..self.clone() }
    }

    /// Only sha256 is taken: it is what indexes state, so the only one that can be compared before a download.
    fn hash(&self, text: &str) -> Result<Digest, PythonError> {
        let digits = text.strip_prefix("sha256:").and_then(|digits| Digest::from_hex(digits).ok());
        digits.ok_or_else(|| PythonError::Hash { text: text.to_owned(), requirement: self.clone() })
    }
}

fn is_wheel(path: &str) -> bool {
    Path::new(path).extension().is_some_and(|extension| extension == "whl")
}

fn absolute_location(line: &str, host: &Host) -> String {
    let (name, location) = match line.split_once(" @ ") {
        Some((name, location)) => (Some(name), location),
        None => (None, line),
    };
    let is_path = ["./", "../", "~/", "/"].iter().any(|start| location.starts_with(start))
        || location == "."
        || (name.is_none() && location.split([' ', '[']).next().is_some_and(is_wheel));
    if !is_path || location.contains("://") {
        return line.to_owned();
    }
    let absolute = host.absolute(location).display().to_string();
    name.map_or_else(|| absolute.clone(), |name| format!("{name} @ {absolute}"))
}

impl Origin {
    pub(super) fn of_line(line: &RequirementLine) -> Self {
        Self::File { path: line.file.clone(), line: line.line }
    }
}

impl fmt::Display for Requirement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = self.written.split_whitespace().map(|word| IndexUrl::new(word).to_string());
        f.write_str(&words.collect::<Vec<_>>().join(" "))
    }
}

impl fmt::Debug for Requirement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{self}` in {}", self.origin)
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Field { name } => write!(f, "`{name}`"),
            Self::File { path, line } => write!(f, "{} line {line}", path.display()),
            Self::EveryEnvironment => f.write_str("every environment"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn host() -> Host {
        Host::new(BTreeMap::from([("HOME".to_owned(), "/home/u".to_owned())]), "/project".into())
    }

    #[test]
    fn knows_the_distribution() {
        for (text, name) in [
            ("numpy", Some("numpy")),
            ("Ruamel.Yaml>=1,<2", Some("ruamel-yaml")),
            ("uvicorn[standard] ; python_version > '3.8'", Some("uvicorn")),
            ("demo @ https://host/demo-1.0-py3-none-any.whl", Some("demo")),
            ("https://host/a/demo-1.0-py3-none-any.whl#sha256=00", Some("demo")),
            ("./wheels/demo_x-1.0-py3-none-any.whl", Some("demo-x")),
            ("demo-1.0-py3-none-any.whl", Some("demo")),
            ("numpy==1 --hash=sha256:00", Some("numpy")),
            ("numpy # why", Some("numpy")),
            ("https://host/archive", None),
            ("", None),
        ] {
            let found = Requirement::of_field(text, "packages").name();
            assert_eq!(found.as_ref().map(PackageName::as_str), name, "{text}");
        }
    }

    #[test]
    fn takes_hashes_comments_and_relative_paths_apart() {
        let zeros = "0".repeat(64);
        let parse = |text: &str| Requirement::of_field(text, "packages").parse(&host()).unwrap();
        let hashed = parse(&format!("a==1 --hash=sha256:{zeros} --hash sha256:{zeros} # why"));
        assert_eq!((hashed.line.as_str(), hashed.hashes.len()), ("a==1", 2));
        for (text, line) in [
            ("./w/a-1-py3-none-any.whl", "/project/./w/a-1-py3-none-any.whl"),
            ("a-1-py3-none-any.whl", "/project/a-1-py3-none-any.whl"),
            ("a @ ~/a-1-py3-none-any.whl", "a @ /home/u/a-1-py3-none-any.whl"),
            ("a @ https://h/a-1-py3-none-any.whl#sha256=0", "a @ https://h/a-1-py3-none-any.whl#sha256=0"),
        ] {
            assert_eq!(parse(text).line, line);
        }
    }

    #[test]
    fn refuses_what_must_be_built_and_hashes_that_prove_nothing() {
        for text in [
            "git+https://host/x",
            "x @ git+ssh://host/x@main",
            "./folder",
            ".",
            "https://h/x-1.tar.gz",
            "hg+a://b",
        ] {
            let error = Requirement::of_field(text, "packages").parse(&host()).unwrap_err();
            assert!(matches!(error, PythonError::NeedsBuild { .. }), "{text}: {error}");
        }
        for text in ["a --hash=md5:00", "a --hash=sha256:xyz", "a --hash=nothing"] {
            let error = Requirement::of_field(text, "packages").parse(&host()).unwrap_err();
            assert!(matches!(error, PythonError::Hash { .. }), "{text}: {error}");
        }
    }
}
