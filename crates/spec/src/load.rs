//! Text and files to specs.

use std::path::Path;

use crate::document::SpecDocument;
use crate::{ImageSpec, ParseOptions, SpecError};

/// Reads a spec from YAML text, as flytekit does from a file given to `pyflyte --image`.
pub fn parse_yaml(text: &str, options: &ParseOptions) -> Result<ImageSpec, SpecError> {
    SpecDocument::parse_yaml(text)?.spec(options)
}

/// Reads a spec from JSON text, as the Python package sends it.
pub fn parse_json(text: &str, options: &ParseOptions) -> Result<ImageSpec, SpecError> {
    SpecDocument::parse_json(text)?.spec(options)
}

/// Reads a spec from text of either notation: JSON when it begins with a brace, else YAML.
pub fn parse(text: &str, options: &ParseOptions) -> Result<ImageSpec, SpecError> {
    SpecDocument::parse(text)?.spec(options)
}

/// Reads a spec from a file, as [`SpecDocument::load`] does.
pub fn load(path: &Path, options: &ParseOptions) -> Result<ImageSpec, SpecError> {
    SpecDocument::load(path)?.spec(options).map_err(|error| error.in_file(path))
}
