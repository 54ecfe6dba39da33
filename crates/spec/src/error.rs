use std::fmt::Write as _;
use std::io;
use std::path::PathBuf;

use imagewright_oci::ReferenceError;
use indexmap::IndexSet;
use thiserror::Error;

use crate::requirements::RequirementsError;
use crate::yaml_scalar::ScalarError;
use crate::{Field, Position, Problem, ProjectProblem, Unsupported};

/// Why a spec cannot be read, or has no identity.
#[derive(Debug, Error)]
pub enum SpecError {
    /// The file is not there or cannot be read.
    #[error("cannot read the spec")]
    Read {
        /// Which file, and why not.
        #[source]
        source: io::Error,
    },
    /// A program that makes a spec.
    #[error("{}: it does not say what it needs", file.display())]
    Python {
        /// Which file.
        file: PathBuf,
    },
    /// What a script or a project says of itself is no spec.
    #[error("{}{problem}", of_file(file.as_ref()))]
    Project {
        /// Where it came from.
        file: Option<PathBuf>,
        /// What is wrong with it.
        problem: ProjectProblem,
    },
    /// A lock, where its spec is wanted.
    #[error("{} is a lock, not a spec", file.display())]
    Lock {
        /// Which file.
        file: PathBuf,
    },
    /// The text is not YAML or JSON.
    #[error("{}the spec is not valid {format}{}: {message}", of_file(file.as_ref()), at(*position))]
    Syntax {
        /// Where the text came from.
        file: Option<PathBuf>,
        /// `YAML` or `JSON`.
        format: &'static str,
        /// Where in the text.
        position: Option<Position>,
        /// What the parser says.
        message: String,
    },
    /// YAML that is indented with a tab.
    #[error("{}a tab is in the indentation ({position}), which YAML forbids", of_file(file.as_ref()))]
    Tab {
        /// Where the text came from.
        file: Option<PathBuf>,
        /// Where the tab is.
        position: Position,
    },
    /// A plain YAML scalar that looks like a number or date and is none.
    #[error("{}`{text}`{} cannot be read", of_file(file.as_ref()), at(*position))]
    Scalar {
        /// Where the text came from.
        file: Option<PathBuf>,
        /// Where in the text.
        position: Option<Position>,
        /// What was written.
        text: String,
        /// What is wrong with it.
        source: ScalarError,
    },
    /// The spec says what no spec may say.
    #[error("{}{}", of_file(file.as_ref()), list(problems))]
    Invalid {
        /// Where the text came from.
        file: Option<PathBuf>,
        /// All that is wrong, in the order of the fields; never empty.
        problems: Vec<Problem>,
    },
    /// The spec asks for what the native builder does not do.
    #[error("{}", lines(unsupported))]
    Unsupported {
        /// Each of these, in the order of the fields; never empty.
        unsupported: Vec<Unsupported>,
    },
    /// A file that the spec names is not there.
    #[error("{field}: there is no `{}`", path.display())]
    Missing {
        /// The field that names it.
        field: Field,
        /// As the spec names it.
        path: PathBuf,
    },
    /// A file that the spec names cannot be read.
    #[error("{field}: cannot read `{}`", path.display())]
    File {
        /// The field that names it.
        field: Field,
        /// As the spec names it.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// A requirements file, or one that it includes.
    #[error("the requirements cannot be read")]
    Requirements {
        /// Which one, and why not.
        source: RequirementsError,
    },
    /// A file that is to be copied has a name that is not UTF-8; flytekit fails on these, too.
    #[error("{field}: the name of `{}` is not UTF-8", path.display())]
    FileName {
        /// The field that reaches it.
        field: Field,
        /// Where it is.
        path: PathBuf,
    },
    /// A folder in a repository has a `.gitignore`, and git does not say what that means.
    #[error("{field}: git does not say what it ignores in `{}`: {problem}", path.display())]
    GitSilent {
        /// The field that names it.
        field: Field,
        /// As the spec names it.
        path: PathBuf,
        /// What git says instead.
        problem: String,
    },
    /// The sources to copy are those that a Python process has loaded.
    #[error(
        "source_copy_mode: which modules are loaded, so what `LOADED_MODULES` copies, is known in a Python process only"
    )]
    LoadedModules,
    /// `tag_format` is not a format that Python would accept, or asks for more than the hash.
    #[error("tag_format: `{format}` {problem}")]
    TagFormat {
        /// What was written.
        format: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// The spec's name and tag do not make an image reference.
    #[error("the image cannot have this name")]
    ImageName {
        /// Which rule it breaks.
        #[source]
        source: ReferenceError,
    },
}

impl SpecError {
    /// What to do about it, when there is something to say.
    pub fn hint(&self) -> Option<String> {
        let fixed = |text: &str| Some(text.to_owned());
        match self {
            Self::Invalid { problems, .. } => problems_hint(problems),
            Self::Scalar { text, .. } => Some(format!("if it is a text, put it in quotes: \"{text}\"")),
            Self::Lock { file } => Some(format!(
                "name the spec that it is of, such as {}",
                file.with_extension("yaml").display()
            )),
            Self::Python { .. } => fixed(
                "a script says so in a block `# /// script` (PEP 723); other specs are YAML or JSON files",
            ),
            Self::Project { problem, .. } => problem.hint(),
            Self::Read { source } if source.kind() == io::ErrorKind::IsADirectory => {
                fixed("name the YAML or JSON file in it")
            }
            Self::Tab { .. } => fixed("indent with spaces"),
            Self::Unsupported { unsupported } => unsupported.iter().find_map(Unsupported::hint),
            Self::LoadedModules => fixed(
                "a `source_root` alone means it: write `source_copy_mode: ALL` beside it, or build from Python",
            ),
            Self::TagFormat { .. } => fixed("`{spec_hash}` stands for the hash, as in \"{spec_hash}-dev\""),
            Self::ImageName { .. } => fixed(
                "the tag is made by `tag_format`; a tag has at most 128 of a-z, A-Z, 0-9, `_`, `.` and `-`",
            ),
            Self::Requirements { source } => source.hint(),
            Self::Missing { path, .. } if path.to_str().is_some_and(|text| text.starts_with("git+")) => {
                fixed("a repository is written `git+https://HOST/PROJECT`, `git+ssh://…` or `git+file:///…`")
            }
            Self::Missing { .. } | Self::File { .. } => {
                fixed("paths in a spec are relative to the working directory")
            }
            Self::GitSilent { .. } => fixed(
                "what `.gitignore` names may be secret, so nothing is copied: install git, or make `git status` work \
                 there",
            ),
            Self::Read { .. } | Self::Syntax { .. } | Self::FileName { .. } => None,
        }
    }

    /// That a script or a project is no spec.
    pub(crate) fn project(problem: ProjectProblem) -> Self {
        Self::Project { file: None, problem }
    }

    /// That the file which `field` names cannot be read, for this reason.
    pub fn file(field: Field, path: PathBuf, source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::NotFound => Self::Missing { field, path },
            _ => Self::File { field, path, source },
        }
    }

    /// The same error, told to be about `path`.
    #[must_use]
    pub fn in_file(mut self, path: &std::path::Path) -> Self {
        if let Self::Syntax { file, .. }
        | Self::Tab { file, .. }
        | Self::Scalar { file, .. }
        | Self::Project { file, .. }
        | Self::Invalid { file, .. } = &mut self
        {
            *file = Some(path.to_owned());
        }
        self
    }
}

fn of_file(file: Option<&PathBuf>) -> String {
    file.map(|file| format!("{}: ", file.display())).unwrap_or_default()
}

fn at(position: Option<Position>) -> String {
    position.map(|position| format!(" ({position})")).unwrap_or_default()
}

fn list(problems: &[Problem]) -> String {
    if let [problem] = problems {
        return problem.to_string();
    }
    problems.iter().fold(format!("{} problems", problems.len()), |mut text, problem| {
        write!(text, "\n  {problem}").expect("writing to a string cannot fail");
        text
    })
}

fn lines(items: &[Unsupported]) -> String {
    items.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

fn problems_hint(problems: &[Problem]) -> Option<String> {
    if let [problem] = problems {
        return problem.hint();
    }
    let hints =
        problems.iter().filter_map(|problem| problem.hint().map(|hint| format!("{}: {hint}", problem.path)));
    // Several problems of one field may ask for the same thing.
    let hints: IndexSet<String> = hints.collect();
    let hints: Vec<String> = hints.into_iter().collect();
    if hints.is_empty() { None } else { Some(hints.join("\n")) }
}
