use std::fmt;

use imagewright_oci::{PlatformError, ReferenceError};
use thiserror::Error;

use crate::Field;

/// A place in a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// From 1.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}", self.line, self.column)
    }
}

/// One thing that is wrong with a spec, and where.
#[derive(Clone, Debug, PartialEq)]
pub struct Problem {
    /// Where in the spec, such as `base_image.packages[2]`; empty for the whole of it.
    pub path: String,
    /// Where in the text, when it was read from one.
    pub position: Option<Position>,
    /// What is wrong.
    pub kind: ProblemKind,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let position = self.position.map(|position| format!(" ({position})")).unwrap_or_default();
        let path = if self.path.is_empty() { "the spec" } else { &self.path };
        write!(f, "{path}{position}: {}", self.kind)
    }
}

impl Problem {
    /// What to do about it, when there is something to say.
    pub fn hint(&self) -> Option<String> {
        self.kind.hint(&self.path)
    }
}

/// What a field takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// A text.
    Text,
    /// A text, or a number that is taken as it is written.
    TextOrNumber,
    /// A list of texts.
    Texts,
    /// Names with values.
    Mapping,
    /// Pairs of texts.
    Pairs,
    /// The fields of a spec.
    Spec,
    /// An image reference or the fields of a spec.
    ReferenceOrSpec,
    /// `true` or `false`.
    Truth,
    /// What is copied, and how.
    Copies,
    /// One of them.
    Copy,
    /// Specs, each over the one before it.
    Layers,
    /// One of them.
    Layer,
}

impl fmt::Display for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Text => "a text",
            Self::TextOrNumber => "a text or a number",
            Self::Texts => "a list of texts",
            Self::Mapping => "a mapping of names to values",
            Self::Pairs => "a list of pairs of texts",
            Self::Spec => "a mapping of ImageSpec's fields",
            Self::ReferenceOrSpec => "an image reference, or a mapping of ImageSpec's fields,",
            Self::Truth => "true or false",
            Self::Copies => "a list of what to copy",
            Self::Layers => "a list of layers",
            Self::Layer => "a mapping of fields that change what is in an image",
            Self::Copy => "a mapping with `source`, `destination`, `owner`, `mode`",
        })
    }
}

/// What can be wrong with a value.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum ProblemKind {
    /// ImageSpec has no such field.
    #[error("ImageSpec has no such field")]
    UnknownField {
        /// What was written.
        name: String,
        /// The field it looks like.
        nearest: Option<&'static str>,
    },
    /// A value of the wrong type.
    #[error("{wanted} is wanted here, not {got}")]
    WrongType {
        /// What the field takes.
        wanted: Wanted,
        /// What is there.
        got: String,
        /// The text of it, when it has one.
        written: Option<String>,
    },
    /// A text or path of no characters where something must be.
    #[error("it must not be empty")]
    Empty,
    /// No image may have this name.
    #[error("`{}` cannot be the name of an image: {}", source.text, source.problem)]
    Name {
        /// Which rule it breaks.
        source: ReferenceError,
    },
    /// Not a registry that flytekit accepts, or no image can be named in it.
    #[error("`{registry}` is not a registry: {problem}")]
    Registry {
        /// What was written.
        registry: String,
        /// Which rule it breaks.
        problem: &'static str,
    },
    /// Not a base image.
    #[error("{source}")]
    BaseImage {
        /// Which rule it breaks.
        source: ReferenceError,
    },
    /// Not a platform at all.
    #[error("{source}")]
    Platform {
        /// What was written.
        source: PlatformError,
    },
    /// A platform that no image of ours can be for.
    #[error("there can be no image for `{platform}`: {reason}")]
    ImpossiblePlatform {
        /// What was written.
        platform: String,
        /// Why not.
        reason: &'static str,
    },
    /// A platform named twice.
    #[error("`{platform}` is there twice")]
    RepeatedPlatform {
        /// What was written.
        platform: String,
    },
    /// Not a Python version.
    #[error("`{text}` is not a Python version")]
    PythonVersion {
        /// What was written.
        text: String,
    },
    /// A Python that is too old to be had.
    #[error("Python {text} cannot be had: {oldest} is the oldest")]
    OldPython {
        /// What was written.
        text: String,
        /// The oldest that can be had.
        oldest: &'static str,
    },
    /// No variable can have this name.
    #[error("`{name}` cannot be the name of an environment variable")]
    EnvironmentName {
        /// What was written.
        name: String,
    },
    /// A text with a character that neither an environment nor a command can carry.
    #[error("a NUL character cannot be in it")]
    Nul,
    /// A path to copy that is not below the working directory.
    #[error("`{path}` {why}, but only what is below the working directory can be copied")]
    OutsidePath {
        /// What was written.
        path: String,
        /// `is absolute` or ``has a `..` in it``.
        why: &'static str,
    },
    /// Not a way to copy sources.
    #[error("`{text}` is not a way to copy sources")]
    SourceCopyMode {
        /// What was written.
        text: String,
    },
    /// Sources are to be copied, from nowhere.
    #[error("sources are to be copied, but `source_root` is not set")]
    NoSourceRoot,
    /// A project is to be installed, and nothing says which.
    #[error("the project of a lock is to be installed, but `requirements` is no `uv.lock` or `poetry.lock`")]
    NoProject,
    /// No such builder.
    #[error("there is no builder `{name}`")]
    Builder {
        /// What was written.
        name: String,
        /// The builder it looks like.
        nearest: Option<&'static str>,
    },
    /// The builder has no such option.
    #[error("there is no such option")]
    UnknownOption {
        /// What was written.
        name: String,
        /// The option it looks like.
        nearest: Option<&'static str>,
    },
    /// Another value than those that there are.
    #[error("{wanted} is wanted here, not {got}")]
    Other {
        /// Which there are.
        wanted: &'static str,
        /// What is there.
        got: String,
    },
    /// A layer does not have what is the whole image's.
    #[error("a layer has no such field")]
    NoLayer {
        /// What was written.
        name: String,
        /// The field it looks like.
        nearest: Option<&'static str>,
    },
    /// What an image has is said beside its layers.
    #[error("it cannot stand beside `layers`")]
    BesideLayers,
    /// An entry that does not say what to copy.
    #[error("the entry does not say what to copy")]
    NoCopySource,
    /// A place in the image that nothing can be copied to.
    #[error("`{path}` {why}")]
    CopyDestination {
        /// What was written.
        path: String,
        /// Why not.
        why: &'static str,
    },
    /// Not an owner of files.
    #[error("the owner of files is wanted here, not {got}")]
    CopyOwner {
        /// What is there.
        got: String,
    },
    /// Not permissions of files.
    #[error("permissions in octal are wanted here, not {got}")]
    CopyMode {
        /// What is there.
        got: String,
    },
    /// A place where no secret can be.
    #[error("no secret can be put at `{text}`: {why}")]
    SecretTarget {
        /// What was written.
        text: String,
        /// Why not.
        why: &'static str,
    },
    /// Two fields that exclude each other.
    #[error("it cannot be used together with `{other}`")]
    Conflict {
        /// The other one.
        other: Field,
        /// Why not.
        reason: &'static str,
    },
}
