//! What was written, kept as it was, so that it can be written anew.

use std::path::Path;

use crate::image_spec::Overrides;
use crate::node::{Content, Key, Node};
use crate::wire::{Notation, field, image_spec, overridden};
use crate::{Field, ImageSpec, ParseOptions, SpecError, json, write_json, write_yaml, yaml};

/// A spec as it was written, with every number and every order.
#[derive(Clone, Debug)]
pub struct SpecDocument {
    pub(crate) node: Node,
    pub(crate) notation: Notation,
}

/// How a spec is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SpecFormat {
    /// JSON, as Python sends it.
    Json,
    /// YAML, as flytekit reads it from a file.
    Yaml,
}

/// A spec that was written anew.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrittenSpec {
    /// The text, with a newline at its end.
    pub text: String,
    /// Whether whoever reads it reads the same spec, with the same id. JSON has no dates and no numbers that are written
    /// as in `0x1f`; and in YAML `source_copy_mode` is a text, which flytekit takes for another value than Python's.
    pub is_same: bool,
}

impl SpecDocument {
    /// Reads text of either notation, as [`parse`](crate::parse) does.
    pub fn parse(text: &str) -> Result<Self, SpecError> {
        let is_json = text.trim_start_matches('\u{feff}').trim_start().starts_with('{');
        if is_json { Self::parse_json(text) } else { Self::parse_yaml(text) }
    }

    /// Reads a file, by the end of its name: `.json`, `.py` with a PEP 723 header, `pyproject.toml`, else YAML.
    pub fn load(path: &Path) -> Result<Self, SpecError> {
        let is = |ending: &str| path.extension().is_some_and(|end| end == ending);
        if is("lock") {
            return Err(SpecError::Lock { file: path.to_owned() });
        }
        let text = fs_err::read_to_string(path).map_err(|source| SpecError::Read { source })?;
        let read = if is("py") {
            crate::script::document(&text, path)
        } else if is("toml") {
            crate::pyproject::document(&text, &[], &[])
        } else if is("json") {
            Self::parse_json(&text)
        } else {
            Self::parse_yaml(&text)
        };
        read.map_err(|error| error.in_file(path))
    }

    pub(crate) fn parse_json(text: &str) -> Result<Self, SpecError> {
        Ok(Self { node: json::document(text)?, notation: Notation::Json })
    }

    pub(crate) fn parse_yaml(text: &str) -> Result<Self, SpecError> {
        let node = yaml::document(text)?.ok_or_else(|| SpecError::Syntax {
            file: None,
            format: "YAML",
            position: None,
            message: "it is empty".to_owned(),
        })?;
        Ok(Self { node, notation: Notation::Yaml })
    }

    /// The spec, or all that is wrong with it.
    pub fn spec(&self, options: &ParseOptions) -> Result<ImageSpec, SpecError> {
        image_spec(&self.node, self.notation, options)
            .map_err(|problems| SpecError::Invalid { file: None, problems })
    }

    /// The notation that it was read from; a Python script's and a project's is JSON.
    pub fn format(&self) -> SpecFormat {
        match self.notation {
            Notation::Json => SpecFormat::Json,
            Notation::Yaml => SpecFormat::Yaml,
        }
    }

    /// Writes it normalised: the fields in ImageSpec's order, with what the options put in their place, and without
    /// those that are not set.
    pub fn written(&self, format: SpecFormat, options: &ParseOptions) -> Result<WrittenSpec, SpecError> {
        let spec = self.spec(options)?;
        let node = normal(&self.node, Some(&options.overrides));
        let (text, notation) = match format {
            SpecFormat::Json => (write_json::text(&node), Notation::Json),
            SpecFormat::Yaml => (write_yaml::text(&node), Notation::Yaml),
        };
        let read = match notation {
            Notation::Json => Self::parse_json(&text),
            Notation::Yaml => Self::parse_yaml(&text),
        };
        let plain = ParseOptions { host: options.host, overrides: Overrides::default() };
        let is_same = read.and_then(|read| read.spec(&plain)).is_ok_and(|read| read == spec);
        Ok(WrittenSpec { text, is_same })
    }
}

/// The fields that are set, in their order, of a spec and of the specs that make its bases.
fn normal(node: &Node, overrides: Option<&Overrides>) -> Node {
    let Content::Mapping(entries) = &node.content else { return node.clone() };
    let entries = overrides.map_or_else(|| entries.clone(), |overrides| overridden(entries, overrides));
    let is_set = |(key, value): &(Key, Node)| !value.is_null() || key.scalar.text == Field::Name.name();
    let mut entries: Vec<(Key, Node)> = entries.into_iter().filter(is_set).collect();
    entries.sort_by_key(|(key, _)| field(&key.scalar.text));
    for (key, value) in &mut entries {
        if key.scalar.text == Field::BaseImage.name() {
            *value = normal(value, None);
        }
    }
    Node { position: None, content: Content::Mapping(entries) }
}
