use std::io;
use std::path::PathBuf;

use imagewright_oci::Digest;
use imagewright_pypa::{PackageName, TargetPython, Version, WheelFilename};
use imagewright_spec::requirements::RequirementsError;
use thiserror::Error;

use super::option::{OptionProblem, Written};
use super::{IndexUrl, Lacking, Origin, ProjectError, Requirement, Setting, explain};
use crate::uv::UvError;

/// Why Python packages could not be pinned.
#[derive(Debug, Error)]
pub enum PythonError {
    /// There is no uv, or it does not run.
    #[error(transparent)]
    Uv(#[from] UvError),
    /// The lock of a project cannot be installed.
    #[error(transparent)]
    Project(#[from] ProjectError),
    /// A file cannot be read or written.
    #[error("cannot use {}", path.display())]
    File {
        /// Which one.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A configuration file is not TOML.
    #[error("{} is not TOML", path.display())]
    Configuration {
        /// Which one.
        path: PathBuf,
        /// Where it goes wrong.
        #[source]
        source: Box<toml::de::Error>,
    },
    /// A requirements file cannot be read.
    #[error(transparent)]
    Requirements(#[from] RequirementsError),
    /// A package index that is none.
    #[error("`{index}` in {origin} is no package index: it is neither a URL nor a directory of this machine")]
    NoIndex {
        /// As written.
        index: IndexUrl,
        /// Where.
        origin: Origin,
    },
    /// A quote is opened and not closed.
    #[error("a quote in {origin} is not closed")]
    Quotes {
        /// Where.
        origin: Origin,
    },
    /// A requirements file of another machine: the lock could not hold what it says.
    #[error("`{target}` in {origin} is not a file of this machine")]
    RemoteFile {
        /// As written.
        target: IndexUrl,
        /// Where.
        origin: Origin,
    },
    /// A hash that is none, or of an algorithm that indexes do not state.
    #[error("`{text}` of {requirement:?} is not a sha256 hash")]
    Hash {
        /// What stands behind `--hash=`.
        text: String,
        /// The line.
        requirement: Requirement,
    },
    /// A requirement that is no wheel and would have to be built.
    #[error("{requirement:?} must be built from source")]
    NeedsBuild {
        /// The line.
        requirement: Requirement,
    },
    /// An install option that cannot be honoured.
    #[error("the option `{option}` in {origin} {}", problem.said())]
    Option {
        /// As it was written, without its value.
        option: String,
        /// Where.
        origin: Origin,
        /// What is wrong with it.
        problem: OptionProblem,
    },
    /// An option that uv takes, but not so.
    #[error("uv does not take `{}` in {} as it is\n{explanation}", written.option, written.origin)]
    OptionValue {
        /// Which one.
        written: Written,
        /// uv's words.
        explanation: String,
    },
    /// A file that an option names cannot be read.
    #[error("the file of `{}` in {} cannot be used", written.option, written.origin)]
    OptionFile {
        /// Which one.
        written: Written,
        /// Why.
        #[source]
        source: RequirementsError,
    },
    /// A setting of this machine that uv does not take.
    #[error("uv does not take {setting} as it is\n{explanation}")]
    Setting {
        /// Which one.
        setting: Setting,
        /// uv's words.
        explanation: String,
    },
    /// A line that uv cannot read.
    #[error("{} is not well-formed\n{explanation}", at(requirement.as_ref()))]
    Malformed {
        /// The line, when it could be found.
        requirement: Option<Requirement>,
        /// uv's words.
        explanation: String,
    },
    /// uv does not resolve for the platform.
    #[error("uv does not resolve packages for {target}")]
    Platform {
        /// The Python of the image.
        target: Box<TargetPython>,
    },
    /// No set of versions satisfies every requirement.
    #[error("the packages for {target} cannot be resolved\n{explanation}{}", asked(involved))]
    Unresolvable {
        /// The Python of the image.
        target: Box<TargetPython>,
        /// uv's own words.
        explanation: String,
        /// What the user wrote that the explanation is about.
        involved: Vec<Requirement>,
        /// What was found out on the way that helps.
        findings: Vec<Finding>,
        /// What might be built from source instead.
        lacking: Vec<Lacking>,
    },
    /// A wheel is there, and is not what a wheel has to be.
    #[error("a wheel cannot be read\n{explanation}{}", asked(involved))]
    Damaged {
        /// uv's own words.
        explanation: String,
        /// What the user wrote that the explanation is about.
        involved: Vec<Requirement>,
    },
    /// uv cannot write to its cache.
    #[error("uv cannot write to its cache\n{explanation}")]
    Disk {
        /// uv's own words.
        explanation: String,
    },
    /// An index cannot be asked.
    #[error("a package index cannot be asked\n{explanation}")]
    Unreachable {
        /// uv's own words.
        explanation: String,
    },
    /// The network may not be used, and the caches lack something.
    #[error("the caches do not have all that is needed, and the network may not be used\n{explanation}")]
    NotCached {
        /// uv's own words.
        explanation: String,
    },
    /// A distribution is resolved, but none of its files runs on the target.
    #[error("{name} {version} has no wheel for {target}; there are: {}", files(available))]
    NoWheel {
        /// The distribution.
        name: PackageName,
        /// Its version.
        version: Version,
        /// The Python of the image.
        target: Box<TargetPython>,
        /// The wheels there are.
        available: Vec<WheelFilename>,
    },
    /// No file of a distribution has a hash that the user allowed.
    #[error("no wheel of {name} {version} for this platform has a hash that is allowed for it")]
    HashMismatch {
        /// The distribution.
        name: PackageName,
        /// Its version.
        version: Version,
        /// What the user wrote.
        allowed: Vec<Digest>,
        /// What the index states or, where it states none, what the wheel is.
        found: Vec<Digest>,
    },
    /// Hashes are required, and a distribution has none.
    #[error("{name} {version} is needed, but no hash is written for it")]
    HashMissing {
        /// The distribution.
        name: PackageName,
        /// Its version.
        version: Version,
    },
    /// uv ended in a way that is not understood.
    #[error("uv's answer is not understood: {explanation}")]
    Answer {
        /// What is not understood.
        explanation: String,
    },
}

/// What is known of a distribution that could not be had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// The name is that of a module, or a common mistake.
    Misnomer {
        /// As it was written.
        name: PackageName,
        /// The distribution that is probably meant.
        meant: &'static str,
    },
    /// There are wheels, for other platforms.
    OtherPlatforms {
        /// The distribution.
        name: PackageName,
        /// Their tags, sorted.
        tags: Vec<String>,
    },
    /// Another version has a wheel for the target.
    OtherVersion {
        /// The distribution.
        name: PackageName,
        /// The newest such version.
        version: Version,
    },
    /// No version has a wheel for the target.
    NoWheels {
        /// The distribution.
        name: PackageName,
    },
    /// No index knows it.
    NotFound {
        /// The distribution.
        name: PackageName,
    },
    /// The same distribution is asked for more than once.
    Repeated {
        /// The distribution.
        name: PackageName,
    },
}

/// Whose matter an error is; the command line maps it to an exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PythonErrorKind {
    /// What the user wrote, or how the machine is set up.
    Input,
    /// The packages cannot be resolved.
    Unresolvable,
    /// An index is not reachable or refuses.
    Network,
    /// The disk is full or read-only.
    Machine,
    /// A defect of imagewright.
    Defect,
}

impl PythonError {
    /// Whose matter it is.
    pub fn kind(&self) -> PythonErrorKind {
        match self {
            Self::Project(error) => error.kind(),
            Self::Unresolvable { .. }
            | Self::NoWheel { .. }
            | Self::NeedsBuild { .. }
            | Self::Damaged { .. }
            | Self::HashMismatch { .. }
            | Self::HashMissing { .. } => PythonErrorKind::Unresolvable,
            Self::Unreachable { .. } | Self::NotCached { .. } | Self::Uv(UvError::TimedOut { .. }) => {
                PythonErrorKind::Network
            }
            Self::Disk { .. } => PythonErrorKind::Machine,
            Self::Answer { .. } => PythonErrorKind::Defect,
            _ => PythonErrorKind::Input,
        }
    }

    /// What the user can do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Uv(error) => error.hint(),
            Self::Project(error) => error.hint(),
            Self::Requirements(error) | Self::OptionFile { source: error, .. } => error.hint(),
            Self::NoIndex { .. } => {
                Some("write a URL such as `https://index.example/simple`, or the directory of one".to_owned())
            }
            Self::NeedsBuild { .. } => Some(
                "what is built is named in `packages` or `requirements`; of repositories, git's are fetched"
                    .to_owned(),
            ),
            Self::NoWheel { name, .. } => {
                Some(format!("choose a version of {name} that has a wheel for this platform"))
            }
            Self::Option { problem: OptionProblem::Unknown { nearest }, .. } => {
                nearest.map(|name| format!("did you mean `{name}`?"))
            }
            Self::Unresolvable { findings, .. } if findings.is_empty() => {
                Some("loosen one of the versions that the explanation names".to_owned())
            }
            Self::Unresolvable { findings, .. } => {
                Some(findings.iter().map(Finding::said).collect::<Vec<_>>().join("\n"))
            }
            Self::Unreachable { explanation } if explain::is_about_passwords(explanation) => Some(
                "give the index's user and password in uv's or pip's configuration, in UV_INDEX_<NAME>_USERNAME \
                 and UV_INDEX_<NAME>_PASSWORD, or in ~/.netrc"
                    .to_owned(),
            ),
            Self::Unreachable { .. } => Some(
                "is the index right, and does the machine need a proxy or a certificate for it? `--offline` takes \
                 what was fetched before"
                    .to_owned(),
            ),
            Self::Damaged { .. } => Some(
                "the file is damaged or was built wrongly; choose another version, or ask its maintainers for a new file"
                    .to_owned(),
            ),
            Self::Disk { .. } => Some(
                "free some space, run `imagewright cache prune`, or set IMAGEWRIGHT_STORE to a directory that can be \
                 written and has room"
                    .to_owned(),
            ),
            Self::Malformed { explanation, .. } if explanation.contains("comparison operator \"=\"") => {
                Some("a version is pinned with `==`, as in `numpy==2.2.0`".to_owned())
            }
            Self::NotCached { .. } => Some("leave out `--offline`".to_owned()),
            Self::HashMismatch { found, .. } => {
                let found: Vec<String> = found.iter().map(|digest| format!("--hash={digest}")).collect();
                Some(format!("the index has {}", found.join(" ")))
            }
            Self::HashMissing { name, .. } => {
                Some(format!("add {name} with its `--hash` to the requirements file, as `pip-compile` does"))
            }
            _ => None,
        }
    }
}

impl Finding {
    fn said(&self) -> String {
        match self {
            Self::Misnomer { name, meant } => format!("the package that brings `{name}` is called {meant}"),
            Self::OtherPlatforms { name, tags } => format!("{name} has wheels for: {}", tags.join(", ")),
            Self::OtherVersion { name, version } => {
                format!("{name} {version} has a wheel for this Python and platform")
            }
            Self::NoWheels { name } => {
                format!("no version of {name} has a wheel for this Python and platform")
            }
            Self::NotFound { name } => {
                format!("no configured index has {name}: is the name right, or is `pip_index` needed?")
            }
            Self::Repeated { name } => format!("{name} is asked for more than once: loosen one of them"),
        }
    }
}

impl OptionProblem {
    fn said(&self) -> String {
        match self {
            Self::Refused { because } => format!("cannot be used: {because}"),
            Self::Unknown { .. } => "is not an option of pip or uv".to_owned(),
            Self::NoValue => "lacks its value".to_owned(),
        }
    }
}

fn at(requirement: Option<&Requirement>) -> String {
    requirement.map_or_else(|| "a requirement".to_owned(), |it| format!("{it:?}"))
}

fn asked(involved: &[Requirement]) -> String {
    let lines = involved.iter().map(|it| format!("`{it}` is in {}", it.origin));
    lines.fold(String::new(), |text, line| text + "\n  " + &line)
}

fn files(files: &[WheelFilename]) -> String {
    if files.is_empty() {
        return "none".to_owned();
    }
    files.iter().map(WheelFilename::as_str).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_advised_where_they_are_asked_for() {
        for (explanation, is_advised) in [
            ("Failed to fetch: `https://a/simple/b/`\nHTTP status client error (401 Unauthorized)", true),
            ("Failed to fetch: `https://a/simple/b/`\nHTTP status client error (403 Forbidden)", true),
            ("Failed to fetch: `https://a:8040/simple/b/`\nerror sending request", false),
            ("Failed to fetch: `https://a/b-1.40.whl`\nHTTP status server error (500)", false),
        ] {
            let error = PythonError::Unreachable { explanation: explanation.to_owned() };
            assert_eq!(error.hint().unwrap().contains("~/.netrc"), is_advised, "{explanation}");
        }
    }
}
