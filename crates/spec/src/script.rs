//! A Python script that says what it needs, by the specification of inline script metadata (PEP 723).
//!
//! `requires-python` becomes `python_version`, `dependencies` become `packages`, and `[tool.imagewright]` has the other
//! fields of ImageSpec.

use std::path::Path;

use crate::declaration::{Declaration, ProjectProblem};
use crate::document::SpecDocument;
use crate::toml_node::{Offset, table};
use crate::{ImageSpec, ParseOptions, SpecError};

/// Whether the text of a Python file says what it needs.
pub fn has_metadata(text: &str) -> bool {
    matches!(block(text), Ok(Some(_)) | Err(_))
}

/// The spec that a script is for; `path` names its image, where it says no name.
pub fn load(path: &Path, options: &ParseOptions) -> Result<ImageSpec, SpecError> {
    let text = fs_err::read_to_string(path).map_err(|source| SpecError::Read { source })?;
    let spec = document(&text, path).and_then(|document| document.spec(options));
    spec.map_err(|error| error.in_file(path))
}

/// The same as a document.
pub(crate) fn document(text: &str, path: &Path) -> Result<SpecDocument, SpecError> {
    let block = block(text).map_err(SpecError::project)?;
    let Some(Block { text, lines }) = block else {
        return Err(SpecError::Python { file: path.to_owned() });
    };
    let offset = Offset { lines, columns: 2 };
    let metadata = table(&text, offset)?;
    let known = ["requires-python", "dependencies", "tool"];
    if let Some(key) = metadata.keys().find(|key| !known.contains(&key.get_ref().as_ref())) {
        return Err(SpecError::project(ProjectProblem::UnknownKey { key: key.get_ref().to_string() }));
    }
    let mut declaration = Declaration::of(&text, offset, &metadata).map_err(SpecError::project)?;
    declaration.name = path.file_stem().and_then(|stem| stem.to_str()).map(str::to_owned);
    declaration.document().map_err(SpecError::project)
}

/// What is between the marks, and how many lines are before it.
struct Block {
    text: String,
    lines: usize,
}

/// The block of the type `script`; the specification allows one.
fn block(text: &str) -> Result<Option<Block>, ProjectProblem> {
    let mut found = None;
    let lines: Vec<&str> = text.lines().collect();
    let mut at = 0;
    while let Some(line) = lines.get(at) {
        at += 1;
        if line.trim_end() != "# /// script" {
            continue;
        }
        if found.is_some() {
            return Err(ProjectProblem::TwoBlocks { line: at });
        }
        let is_inside = |line: &&&str| **line == "#" || line.starts_with("# ");
        let inside: Vec<&str> = lines[at..].iter().take_while(is_inside).copied().collect();
        // The last mark closes it: what is between may have such a line, too.
        let end = inside.iter().rposition(|line| line.trim_end() == "# ///");
        let end = end.ok_or(ProjectProblem::Open { line: at })?;
        let content = inside[..end].iter().map(|line| line.strip_prefix("# ").unwrap_or_default());
        found = Some(Block { text: content.flat_map(|line| [line, "\n"]).collect(), lines: at });
        at += end + 1;
    }
    Ok(found)
}
