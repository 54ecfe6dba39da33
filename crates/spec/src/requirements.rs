//! Requirements files, as pip reads them: logical lines, each with the place it comes from.
//!
//! Follows pip's requirements file format, of which there is no other specification than pip's documentation and
//! its `req_file.py`: continuation lines, comments, `${NAME}`, options, nested `-r` and `-c` relative to the
//! including file. Requirements are not parsed further here; what a resolver takes is the resolver's to say.

mod distribution;
mod local;
mod logical;
mod options;

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

pub use distribution::{distribution, uncommented};
pub use local::{editable_target, local_path};
pub use options::{OptionValue, split_options};

/// Values of environment variables, for `${NAME}`; given by the caller, because no library reads the environment.
pub type Environment = BTreeMap<String, String>;

/// One requirement or option, and where it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequirementLine {
    /// The file, as it is reached from the working directory.
    pub file: PathBuf,
    /// The line it starts at, from 1.
    pub line: usize,
    /// The logical line as written, before variables are put in: fit to be shown.
    pub text: String,
    /// Whether the file was reached by `-c`, so that the line only constrains.
    pub constraint: bool,
    /// The variables that the line uses and their values.
    pub variables: Environment,
    /// What it says, with variables put in.
    pub kind: LineKind,
}

/// What one line, or one of the options in it, says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LineKind {
    /// A requirement, a path or a URL.
    Requirement {
        /// Without the options behind it.
        requirement: String,
        /// Each `--hash`, such as `sha256:…`.
        hashes: Vec<String>,
        /// Other options behind it, such as `--config-settings`.
        options: Vec<OptionValue>,
    },
    /// `-e`: a folder that is installed in place.
    Editable {
        /// The path or URL.
        target: String,
    },
    /// `-r`; the lines of a local file come next.
    Include {
        /// As written.
        target: String,
    },
    /// `-c`; the lines of a local file come next, marked as constraints.
    Constraints {
        /// As written.
        target: String,
    },
    /// Any other option, such as `--index-url`.
    Option(OptionValue),
}

/// Why a requirements file cannot be read.
#[derive(Debug, Error)]
pub enum RequirementsError {
    /// The file that the spec names.
    #[error("cannot read `{}`", file.display())]
    Read {
        /// Which file.
        file: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// A file that another one includes.
    #[error("{}, line {line}: cannot read `{}`", file.display(), included.display())]
    Include {
        /// The including file.
        file: PathBuf,
        /// The line that includes it.
        line: usize,
        /// The file that cannot be read.
        included: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// A file includes itself, perhaps through others.
    #[error("{}, line {line}: `{}` includes itself", file.display(), included.display())]
    Cycle {
        /// The including file.
        file: PathBuf,
        /// The line that includes it.
        line: usize,
        /// The file that is reached again.
        included: PathBuf,
    },
    /// A quote that is not closed, or an option without its value.
    #[error("{}, line {line}: the options in `{text}` cannot be read", file.display())]
    Options {
        /// Where it is.
        file: PathBuf,
        /// Which line.
        line: usize,
        /// What was written.
        text: String,
    },
}

impl RequirementsError {
    /// What to do about it, when there is something to say.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Include { .. } => {
                Some("paths behind `-r` and `-c` are relative to the file they are in".to_owned())
            }
            Self::Options { .. } => Some("close the quotes, and give each option its value".to_owned()),
            Self::Read { .. } | Self::Cycle { .. } => None,
        }
    }
}

/// A file that was read on the way, and its bytes' digest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequirementsFile {
    /// As it is reached from the working directory.
    pub path: PathBuf,
    /// Of its bytes.
    pub digest: imagewright_oci::Digest,
}

/// Requirements files with all that they include.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Requirements {
    /// All lines, included ones behind the line that includes them.
    pub lines: Vec<RequirementLine>,
    /// All files, in the order in which they were reached; one that is reached twice is there once.
    pub files: Vec<RequirementsFile>,
}

/// Reads the requirements file at `path`, relative to `directory`, and what it includes.
pub fn read(
    path: &Path,
    directory: &Path,
    environment: &Environment,
) -> Result<Requirements, RequirementsError> {
    read_as(path, directory, environment, false)
}

/// Reads the file as constraints, as if it had been included with `-c`.
pub fn read_constraints(
    path: &Path,
    directory: &Path,
    environment: &Environment,
) -> Result<Requirements, RequirementsError> {
    read_as(path, directory, environment, true)
}

fn read_as(
    path: &Path,
    directory: &Path,
    environment: &Environment,
    constraint: bool,
) -> Result<Requirements, RequirementsError> {
    let mut walk = Walk { directory, environment, open: Vec::new(), found: Requirements::default() };
    let text = walk.text(path).map_err(|source| RequirementsError::Read { file: path.to_owned(), source })?;
    walk.file(path, &text, constraint)?;
    Ok(walk.found)
}

/// The lines of a requirements file's text, without following what it includes.
pub fn parse(
    text: &str,
    file: &Path,
    environment: &Environment,
) -> Result<Vec<RequirementLine>, RequirementsError> {
    let mut lines = Vec::new();
    for logical in logical::lines(text) {
        let (expanded, variables) = logical::expand(&logical.text, environment);
        let kinds = options::kinds(&expanded).ok_or_else(|| RequirementsError::Options {
            file: file.to_owned(),
            line: logical.number,
            text: logical.text.clone(),
        })?;
        lines.extend(kinds.into_iter().map(|kind| RequirementLine {
            file: file.to_owned(),
            line: logical.number,
            text: logical.text.clone(),
            constraint: false,
            variables: variables.clone(),
            kind,
        }));
    }
    Ok(lines)
}

struct Walk<'a> {
    directory: &'a Path,
    environment: &'a Environment,
    /// The files that are being read, the innermost last.
    open: Vec<PathBuf>,
    found: Requirements,
}

impl Walk<'_> {
    fn text(&mut self, path: &Path) -> io::Result<String> {
        let bytes = fs_err::read(self.directory.join(path))?;
        if !self.found.files.iter().any(|file| file.path == path) {
            let digest = imagewright_oci::Digest::of(&bytes);
            self.found.files.push(RequirementsFile { path: path.to_owned(), digest });
        }
        let text = String::from_utf8(bytes)
            .map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "it is not UTF-8"))?;
        Ok(text.strip_prefix('\u{feff}').map_or_else(|| text.clone(), str::to_owned))
    }

    fn file(&mut self, path: &Path, text: &str, constraint: bool) -> Result<(), RequirementsError> {
        self.open.push(path.to_owned());
        for line in parse(text, path, self.environment)? {
            let line = RequirementLine { constraint, ..line };
            let included = match &line.kind {
                LineKind::Include { target } => local::included(target, path).map(|path| (path, constraint)),
                LineKind::Constraints { target } => local::included(target, path).map(|path| (path, true)),
                _ => None,
            };
            let number = line.line;
            self.found.lines.push(line);
            if let Some((included, constraint)) = included {
                self.include(path, number, &included, constraint)?;
            }
        }
        self.open.pop();
        Ok(())
    }

    fn include(
        &mut self,
        file: &Path,
        line: usize,
        included: &Path,
        constraint: bool,
    ) -> Result<(), RequirementsError> {
        if self.open.iter().any(|open| open == included) {
            return Err(RequirementsError::Cycle {
                file: file.to_owned(),
                line,
                included: included.to_owned(),
            });
        }
        let text = self.text(included).map_err(|source| RequirementsError::Include {
            file: file.to_owned(),
            line,
            included: included.to_owned(),
            source,
        })?;
        self.file(included, &text, constraint)
    }
}
