//! The contents that flytekit's tag depends on.

use std::path::Path;

use sha1::{Digest as _, Sha1};

use crate::source_tree::{copy_digest, modules_digest, source_digest};
use crate::{Field, ImageSpec, SourceCopyMode, SpecError};

/// For each field that names files, the digest that flytekit puts in the place of the name.
pub(crate) fn digests(spec: &ImageSpec, directory: &Path) -> Result<Vec<(Field, String)>, SpecError> {
    let mut digests = Vec::new();
    match (spec.source_copy_mode, &spec.source_root) {
        (SourceCopyMode::LoadedModules, Some(root)) => {
            let modules = spec.loaded_modules.as_ref().ok_or(SpecError::LoadedModules)?;
            digests.push((Field::SourceRoot, modules_digest(root, modules, directory)?));
        }
        (SourceCopyMode::All, Some(root)) => {
            digests.push((Field::SourceRoot, source_digest(root, directory)?));
        }
        _ => {}
    }
    if !spec.copy.is_empty() {
        digests.push((Field::Copy, copy_digest(&spec.copy, directory)?));
    }
    if let Some(path) = &spec.requirements {
        let bytes = fs_err::read(directory.join(path)).map_err(|source| SpecError::File {
            field: Field::Requirements,
            path: path.clone(),
            source,
        })?;
        digests.push((Field::Requirements, hex::encode(Sha1::digest(strip(&bytes)))));
    }
    Ok(digests)
}

/// Python's `bytes.strip()`.
fn strip(bytes: &[u8]) -> &[u8] {
    let is_space = |b: &u8| b" \t\n\r\x0b\x0c".contains(b);
    let start = bytes.iter().position(|b| !is_space(b)).unwrap_or(bytes.len());
    let end = bytes.iter().rposition(|b| !is_space(b)).map_or(start, |last| last + 1);
    &bytes[start..end]
}
