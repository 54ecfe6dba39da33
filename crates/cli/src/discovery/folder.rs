//! The Python files of a folder that may have images.

use std::path::{Path, PathBuf};

use crate::failure::Failure;

/// What a file with images imports.
const PACKAGES: [&str; 4] = ["flytekit", "flytekitplugins", "flyte", "imagewright"];

/// The files below `folder` that import what images are made with, by name; any other is not imported, as that executes it.
pub(super) fn files(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs_err::read_dir(&folder)? {
            let (path, kind) = entry.and_then(|entry| Ok((entry.path(), entry.file_type()?)))?;
            if kind.is_dir() && !is_left_out(&path) {
                folders.push(path);
            } else if kind.is_file()
                && path.extension().is_some_and(|end| end == "py")
                && has_images(&String::from_utf8_lossy(&fs_err::read(&path)?))
            {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

/// Whether a folder has other people's files: an environment, a cache, or what is hidden.
fn is_left_out(folder: &Path) -> bool {
    let name = folder.file_name().unwrap_or_default().to_string_lossy();
    name.starts_with('.')
        || ["__pycache__", "node_modules", "site-packages"].contains(&name.as_ref())
        || folder.join("pyvenv.cfg").exists()
}

fn has_images(text: &str) -> bool {
    text.lines().any(|line| {
        let mut words = line.split_whitespace();
        let is_import = matches!(words.next(), Some("import" | "from"));
        let module = words.next().and_then(|module| module.split(['.', ',']).next()).unwrap_or_default();
        is_import && PACKAGES.contains(&module)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_with_images_imports_what_they_are_made_with() {
        for text in
            ["import flytekit\n", "x = 1\nfrom flytekit.core import task\n", "  import imagewright as i\n"]
        {
            assert!(has_images(text), "{text}");
        }
        for text in ["", "import numpy\n", "# import flytekit\n", "from flytekit_like import x\n"] {
            assert!(!has_images(text), "{text}");
        }
    }
}
