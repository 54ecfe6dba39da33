//! `cargo xtask tidy`: what a compiler does not hold.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};

use crate::process::{command, read};
use crate::source::code_only;
use crate::workspace::Workspace;

mod budgets;
mod edges;
mod errors;
mod names;
mod places;

/// A committed text file.
#[derive(Debug)]
struct File {
    /// Relative to the root of the workspace.
    path: PathBuf,
    text: String,
    /// The text without comments and literals, of Rust files only.
    code: Option<String>,
}

/// Checks the workspace and prints a report; what is untidy is listed in the error.
pub(crate) fn run() -> Result<()> {
    let workspace = Workspace::find()?;
    let files = committed(&workspace)?;
    eprint!("{}", budgets::report(&files));
    let untidy = check(&workspace, &files);
    if !untidy.is_empty() {
        bail!("untidy:\n  {}", untidy.join("\n  "));
    }
    Ok(())
}

fn check(workspace: &Workspace, files: &[File]) -> Vec<String> {
    let mut untidy = edges::check(workspace);
    untidy.extend(budgets::check(files));
    untidy.extend(names::check(files));
    untidy.extend(errors::check(files));
    untidy.extend(places::check(workspace, files));
    untidy
}

/// The files that git has or would take, less those that are not text.
fn committed(workspace: &Workspace) -> Result<Vec<File>> {
    let list = read(
        command("git")
            .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
            .current_dir(&workspace.root),
    )
    .context("tidy asks git for the files")?;
    let mut files = Vec::new();
    for path in list.split_terminator('\0').map(PathBuf::from) {
        let place = workspace.root.join(&path);
        // A file that was deleted and not yet committed is still in the list.
        if !place.is_file() {
            continue;
        }
        let Ok(text) = String::from_utf8(fs_err::read(place)?) else { continue };
        let code = path.extension().is_some_and(|extension| extension == "rs").then(|| code_only(&text));
        files.push(File { path, text, code });
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_workspace_is_tidy() {
        let workspace = Workspace::find().unwrap();
        let files = committed(&workspace).unwrap();
        assert_eq!(check(&workspace, &files), [""; 0]);
    }
}
