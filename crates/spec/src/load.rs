//! Text and files to specs.

use std::path::Path;

use crate::wire::{Notation, image_spec};
use crate::{ImageSpec, ParseOptions, SpecError, json, yaml};

/// Reads a spec from YAML text, as flytekit does from a file given to `pyflyte --image`.
pub fn parse_yaml(text: &str, options: &ParseOptions) -> Result<ImageSpec, SpecError> {
    let Some(node) = yaml::document(text)? else {
        return Err(SpecError::Syntax {
            file: None,
            format: "YAML",
            position: None,
            message: "it is empty".to_owned(),
        });
    };
    image_spec(&node, Notation::Yaml, options).map_err(|problems| SpecError::Invalid { file: None, problems })
}

/// Reads a spec from JSON text, as the Python package sends it.
pub fn parse_json(text: &str, options: &ParseOptions) -> Result<ImageSpec, SpecError> {
    let node = json::document(text)?;
    image_spec(&node, Notation::Json, options).map_err(|problems| SpecError::Invalid { file: None, problems })
}

/// Reads a spec from text of either notation: JSON when it begins with a brace, else YAML.
pub fn parse(text: &str, options: &ParseOptions) -> Result<ImageSpec, SpecError> {
    let is_json = text.trim_start_matches('\u{feff}').trim_start().starts_with('{');
    if is_json { parse_json(text, options) } else { parse_yaml(text, options) }
}

/// Reads a spec from a file: JSON when its name ends in `.json`, else YAML.
pub fn load(path: &Path, options: &ParseOptions) -> Result<ImageSpec, SpecError> {
    let is = |ending: &str| path.extension().is_some_and(|end| end == ending);
    if is("py") {
        return Err(SpecError::Python { file: path.to_owned() });
    }
    if is("lock") {
        return Err(SpecError::Lock { file: path.to_owned() });
    }
    let text = fs_err::read_to_string(path).map_err(|source| SpecError::Read { source })?;
    let parse = if is("json") { parse_json } else { parse_yaml };
    parse(&text, options).map_err(|error| error.in_file(path))
}
