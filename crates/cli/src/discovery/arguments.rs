//! What the words of a command line name: files of specs, and Python files with names of what is in them.

use std::fmt;
use std::path::{Path, PathBuf};

use super::error::DiscoveryError;

/// A spec as it is named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Named {
    /// A file, or standard input.
    Spec(PathBuf),
    Python(PythonFile),
    /// A folder, of whose Python files all is meant.
    Folder(PathBuf),
}

/// A Python file, and what in it is meant: workflows, tasks, launch plans, variables; all of it, if nothing is named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PythonFile {
    pub(crate) path: PathBuf,
    pub(crate) names: Vec<String>,
}

/// As it is written.
impl fmt::Display for Named {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Spec(path) | Self::Folder(path) => path.display().fmt(f),
            Self::Python(PythonFile { path, names }) => {
                path.display().fmt(f)?;
                names.iter().try_for_each(|name| write!(f, " {name}"))
            }
        }
    }
}

/// What the words name. Names behind a Python file are of things in it.
pub(crate) fn named(words: &[PathBuf]) -> Result<Vec<Named>, DiscoveryError> {
    let mut all = Vec::new();
    for word in words {
        let text = word.to_string_lossy();
        if let Some(python) = python_file(&text) {
            all.push(Named::Python(python));
        } else if (is_name(&text) || is_hyphenated(&text) && !word.exists())
            && let Some(Named::Python(file)) = all.last_mut()
        {
            // Also where there is a file of that name: that is `./train`.
            file.names.push(text.into_owned());
        } else if is_name(&text) && !word.exists() {
            return Err(no_file(&text));
        } else {
            check(word)?;
            all.push(Named::Spec(word.clone()));
        }
    }
    Ok(all)
}

/// `train.py`, or `train.py:image`.
fn python_file(text: &str) -> Option<PythonFile> {
    let (path, names) = match text.rsplit_once(".py:") {
        Some((path, name)) => (format!("{path}.py"), vec![name.to_owned()]),
        None => (text.to_owned(), Vec::new()),
    };
    Path::new(&path)
        .extension()
        .is_some_and(|end| end == "py")
        .then(|| PythonFile { path: path.into(), names })
}

/// Whether a word can be of something in a Python file.
fn is_name(text: &str) -> bool {
    text.starts_with(|first: char| first.is_alphabetic() || first == '_')
        && text.chars().all(|it| it.is_alphanumeric() || it == '_')
}

/// Whether a word can be of an environment or a launch plan, which have names that are none in Python.
fn is_hyphenated(text: &str) -> bool {
    is_name(&text.replace('-', "_")) && !text.starts_with('-')
}

fn no_file(name: &str) -> DiscoveryError {
    let hint = "name a spec, or a Python file and then what in it is meant: `file.py workflow`".to_owned();
    DiscoveryError::NoFile { name: name.to_owned(), hint }
}

/// Refuses what people try, and what is no spec.
fn check(path: &Path) -> Result<(), DiscoveryError> {
    let refused = |what, hint: String| Err(DiscoveryError::NoSpec { path: path.to_owned(), what, hint });
    if path.extension().is_some_and(|end| end == "ipynb") {
        let hint =
            "write its tasks into a Python file, or build from the notebook: `image.build()`".to_owned();
        return refused("a notebook", hint);
    }
    if path.is_dir() {
        let hint =
            format!("to build what its Python files have: `imagewright build --all {}`", path.display());
        return refused("a directory", hint);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn python(path: &str, names: &[&str]) -> Named {
        Named::Python(PythonFile {
            path: path.into(),
            names: names.iter().map(|&name| name.to_owned()).collect(),
        })
    }

    #[test]
    fn names_belong_to_the_python_file_before_them() {
        let words =
            ["image.yaml", "a/train.py", "fit", "my-env", "-", "serve.py:image", "b.json"].map(PathBuf::from);
        let named = named(&words).unwrap();
        let spec = |path: &str| Named::Spec(path.into());
        let expected = vec![
            spec("image.yaml"),
            python("a/train.py", &["fit", "my-env"]),
            spec("-"),
            python("serve.py", &["image"]),
            spec("b.json"),
        ];
        assert_eq!(named, expected);
    }

    #[test]
    fn behind_a_python_file_a_name_is_one_also_where_there_is_such_a_file() {
        // The folder of this crate's sources.
        assert_eq!(named(&["train.py", "src"].map(PathBuf::from)).unwrap(), [python("train.py", &["src"])]);
        let folder = named(&["train.py", "./src"].map(PathBuf::from)).unwrap_err();
        assert!(folder.to_string().starts_with("./src is a directory"), "{folder}");
    }

    #[test]
    fn what_has_no_spec_is_refused() {
        for (words, told) in [
            (["fit", "a.py"], "`fit` is no file"),
            (["a.ipynb", "fit"], "a.ipynb is a notebook"),
            (["src", "fit"], "src is a directory"),
        ] {
            let refused = named(&words.map(PathBuf::from)).unwrap_err();
            assert!(refused.to_string().starts_with(told), "{refused}");
            assert!(refused.hint().is_some());
        }
    }
}
