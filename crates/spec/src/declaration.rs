//! What a script or a project says of itself, as the fields of an ImageSpec.

use imagewright_pypa::{PythonMinor, PythonVersion, RequiresPython, RequiresPythonError};
use thiserror::Error;
use toml::Spanned;
use toml::de::DeValue;

use crate::Field;
use crate::document::SpecDocument;
use crate::node::{Content, Key, Node, Scalar};
use crate::toml_node::{Offset, Table};
use crate::wire::Notation;

/// The Python of an image of which nothing says another one.
const USUAL: PythonMinor = PythonMinor(13);
/// Those of which the compiler of bytecode can be pinned, the newest first.
const SUPPORTED: [PythonMinor; 6] =
    [PythonMinor(14), PythonMinor(13), PythonMinor(12), PythonMinor(11), PythonMinor(10), PythonMinor(9)];

/// Why what a script or a project says is no spec.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ProjectProblem {
    /// A block that does not end.
    #[error("the block `# /// script` of line {line} is not closed")]
    Open {
        /// Where it begins.
        line: usize,
    },
    /// A second block.
    #[error("a second block `# /// script` begins in line {line}")]
    TwoBlocks {
        /// Where it begins.
        line: usize,
    },
    /// What inline script metadata does not have.
    #[error("inline script metadata has no `{key}`")]
    UnknownKey {
        /// What was written.
        key: String,
    },
    /// A value of another type.
    #[error("`{key}` is not {wanted}")]
    Type {
        /// Of what.
        key: String,
        /// What it should be.
        wanted: &'static str,
    },
    /// `requires-python` that cannot be read.
    #[error("requires-python: {source}")]
    Python {
        /// What is wrong with it.
        source: RequiresPythonError,
    },
    /// Pythons that are too old or too new.
    #[error("requires-python: there is no Python from 3.9 to 3.14 that `{text}` is for")]
    NoPython {
        /// What was written.
        text: String,
    },
    /// Two that contradict each other.
    #[error("python_version of [tool.imagewright] is {version}, and requires-python is `{required}`")]
    OtherPython {
        /// What the tool's table says.
        version: String,
        /// What the standard's key says.
        required: String,
    },
    /// One thing at two places.
    #[error("[tool.imagewright] has `packages`, which are the `dependencies`")]
    Packages,
    /// Dependencies that only a build knows.
    #[error("the dependencies are dynamic: only a build of the project knows them")]
    Dynamic,
    /// A file without the table.
    #[error("there is neither [project] nor [dependency-groups] nor [tool.imagewright]")]
    NoProject,
    /// An extra or a group that is asked for.
    #[error("there is no {kind} `{name}`")]
    Missing {
        /// `extra` or `group`.
        kind: &'static str,
        /// Which.
        name: String,
    },
    /// A group that includes itself.
    #[error("the {kind} `{name}` includes itself")]
    Circle {
        /// `extra` or `group`.
        kind: &'static str,
        /// Which.
        name: String,
    },
}

impl ProjectProblem {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        let advice = match self {
            Self::Open { .. } => "it ends with a line `# ///`; each line between begins with `#` and a space",
            Self::TwoBlocks { .. } => "a script has one: join them",
            Self::UnknownKey { .. } => {
                "it has `requires-python`, `dependencies` and `[tool.imagewright]` with fields of ImageSpec"
            }
            Self::Packages => "write all of them into `dependencies`",
            Self::Dynamic => "write them into `dependencies`, or name the project in `packages`",
            Self::NoProject => "name a pyproject.toml with a [project], or a YAML or JSON file",
            Self::Type { .. }
            | Self::Python { .. }
            | Self::NoPython { .. }
            | Self::OtherPython { .. }
            | Self::Missing { .. }
            | Self::Circle { .. } => return None,
        };
        Some(advice.to_owned())
    }
}

/// What was said.
#[derive(Clone, Debug)]
pub(crate) struct Declaration {
    /// The image's name, where the tool's table has none.
    pub(crate) name: Option<String>,
    requires_python: Option<String>,
    pub(crate) dependencies: Vec<String>,
    /// The tool's table.
    fields: Vec<(Key, Node)>,
}

impl Declaration {
    /// Of a table with `requires-python` and `dependencies`, and in `tool` that of imagewright.
    pub(crate) fn of(text: &str, offset: Offset, table: &Table<'_>) -> Result<Self, ProjectProblem> {
        let requires_python = match table.get("requires-python") {
            Some(value) => Some(text_of("requires-python", value)?),
            None => None,
        };
        let dependencies = match table.get("dependencies") {
            Some(value) => texts_of("dependencies", value)?,
            None => Vec::new(),
        };
        Ok(Self { name: None, requires_python, dependencies, fields: fields(text, offset, table)? })
    }

    /// The same with what the standard's table of a project says.
    pub(crate) fn with_project(self, own: Self, name: Option<&str>, dependencies: Vec<String>) -> Self {
        Self { name: name.map(str::to_owned), requires_python: own.requires_python, dependencies, ..self }
    }

    /// The spec that it is.
    pub(crate) fn document(self) -> Result<SpecDocument, ProjectProblem> {
        let Self { name, requires_python, dependencies, mut fields } = self;
        let python = python(requires_python.as_deref(), written(&fields, Field::PythonVersion))?;
        if !dependencies.is_empty() {
            if written(&fields, Field::Packages).is_some() {
                return Err(ProjectProblem::Packages);
            }
            let items = dependencies.iter().map(|text| node(Content::Scalar(Scalar::string(text))));
            fields.push((key(Field::Packages), node(Content::Sequence(items.collect()))));
        }
        for (field, text) in
            [(Field::PythonVersion, python), (Field::Name, name.and_then(|name| image_name(&name)))]
        {
            if let (Some(text), None) = (text, written(&fields, field)) {
                fields.push((key(field), node(Content::Scalar(Scalar::string(&text)))));
            }
        }
        Ok(SpecDocument { node: node(Content::Mapping(fields)), notation: Notation::Json })
    }
}

/// `[tool.imagewright]`.
fn fields(text: &str, offset: Offset, table: &Table<'_>) -> Result<Vec<(Key, Node)>, ProjectProblem> {
    let Some(tool) = table.get("tool") else { return Ok(Vec::new()) };
    let wanted = |key: &str| ProjectProblem::Type { key: key.to_owned(), wanted: "a table" };
    let tool = tool.get_ref().as_table().ok_or_else(|| wanted("tool"))?;
    let Some(ours) = tool.get("imagewright") else { return Ok(Vec::new()) };
    let ours = ours.get_ref().as_table().ok_or_else(|| wanted("tool.imagewright"))?;
    Ok(offset.entries(text, ours))
}

/// The Python that is meant: the usual one where that will do, else the newest that will. It is in the id, so no
/// setting of a machine has a say in it.
fn python(required: Option<&str>, version: Option<&str>) -> Result<Option<String>, ProjectProblem> {
    let Some(text) = required else { return Ok(None) };
    let required: RequiresPython = text.parse().map_err(|source| ProjectProblem::Python { source })?;
    if let Some(version) = version {
        // What is wrong with it otherwise, the field says.
        return match version.parse::<PythonVersion>() {
            Ok(parsed) if !required.accepts(&parsed) => {
                Err(ProjectProblem::OtherPython { version: version.to_owned(), required: text.to_owned() })
            }
            _ => Ok(None),
        };
    }
    let minors = std::iter::once(USUAL).chain(SUPPORTED);
    let mut versions = minors.filter_map(|minor| required.version(minor));
    let version = versions.next().ok_or_else(|| ProjectProblem::NoPython { text: text.to_owned() })?;
    Ok(Some(version.to_string()))
}

/// The name of an image after that of a script or project; none when it would take more than small letters.
fn image_name(name: &str) -> Option<String> {
    let name = name.to_ascii_lowercase();
    let is_word = |b: u8| b.is_ascii_alphanumeric();
    let ends = [name.bytes().next()?, name.bytes().last()?];
    let mut pairs = name.as_bytes().windows(2);
    let is_name = ends.into_iter().all(is_word)
        && name.bytes().all(|b| is_word(b) || b"-_.".contains(&b))
        && pairs.all(|pair| is_word(pair[0]) || is_word(pair[1]));
    is_name.then_some(name)
}

fn written(fields: &[(Key, Node)], field: Field) -> Option<&str> {
    let (_, value) = fields.iter().find(|(key, _)| key.scalar.text == field.name())?;
    match &value.content {
        Content::Scalar(scalar) => Some(&scalar.text),
        Content::Sequence(_) | Content::Mapping(_) => Some(""),
    }
}

fn key(field: Field) -> Key {
    Key { position: None, scalar: Scalar::string(field.name()) }
}

fn node(content: Content) -> Node {
    Node { position: None, content }
}

fn text_of(key: &str, value: &Spanned<DeValue<'_>>) -> Result<String, ProjectProblem> {
    let text = value.get_ref().as_str().map(str::to_owned);
    text.ok_or_else(|| ProjectProblem::Type { key: key.to_owned(), wanted: "a text" })
}

/// The texts of a list.
pub(crate) fn texts_of(key: &str, value: &Spanned<DeValue<'_>>) -> Result<Vec<String>, ProjectProblem> {
    let wanted = || ProjectProblem::Type { key: key.to_owned(), wanted: "a list of texts" };
    let items = value.get_ref().as_array().ok_or_else(wanted)?;
    items.iter().map(|item| item.get_ref().as_str().map(str::to_owned).ok_or_else(wanted)).collect()
}
