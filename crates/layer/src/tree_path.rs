use std::fmt;

use crate::LayerError;

/// A path inside an image, relative to its root: `opt/venv/bin/python`.
///
/// It has no leading or trailing slash, and no component that is empty, `.` or `..`; it is UTF-8 without NUL.
/// The order is that of the bytes, which is the order of the entries of a layer.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TreePath(String);

impl TreePath {
    /// Checks `text`, from which one leading slash is taken.
    pub fn new(text: &str) -> Result<Self, LayerError> {
        let relative = text.strip_prefix('/').unwrap_or(text);
        if is_clean(relative) {
            Ok(Self(relative.to_owned()))
        } else {
            Err(LayerError::Path { path: text.to_owned() })
        }
    }

    /// The path of `relative` below this directory.
    pub fn join(&self, relative: &str) -> Result<Self, LayerError> {
        Self::new(&format!("{self}/{relative}"))
    }

    /// The text, without a leading slash.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The last component.
    pub fn file_name(&self) -> &str {
        self.0.rsplit_once('/').map_or(self.0.as_str(), |(_, name)| name)
    }

    /// Whether the text ends with `suffix`; case matters, as it does to Python.
    pub fn has_suffix(&self, suffix: &str) -> bool {
        self.0.ends_with(suffix)
    }

    /// The directory that holds this, unless that is the root.
    pub fn parent(&self) -> Option<Self> {
        self.0.rsplit_once('/').map(|(parent, _)| Self(parent.to_owned()))
    }

    /// The directories above this, the outermost first; the root is not among them.
    pub fn ancestors(&self) -> impl Iterator<Item = Self> + '_ {
        self.0.match_indices('/').map(|(end, _)| Self(self.0[..end].to_owned()))
    }

    /// The text below `directory`, if this is below it.
    pub fn below<'a>(&'a self, directory: &Self) -> Option<&'a str> {
        self.0.strip_prefix(&directory.0)?.strip_prefix('/')
    }

    /// This path as seen from `directory`, with `..` where needed, as RECORD files write it.
    pub fn relative_to(&self, directory: &Self) -> String {
        let mine: Vec<&str> = self.0.split('/').collect();
        let base: Vec<&str> = directory.0.split('/').collect();
        let shared = mine.iter().zip(&base).take_while(|(a, b)| a == b).count();
        let mut parts = vec![".."; base.len() - shared];
        parts.extend(&mine[shared..]);
        parts.join("/")
    }
}

impl AsRef<[u8]> for TreePath {
    fn as_ref(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

/// Whether `path` is relative and means itself.
pub(crate) fn is_clean(path: &str) -> bool {
    !path.contains('\0') && path.split('/').all(|part| !matches!(part, "" | "." | ".."))
}

impl fmt::Display for TreePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for TreePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> TreePath {
        TreePath::new(text).unwrap()
    }

    #[test]
    fn refuses_what_does_not_mean_itself() {
        for text in ["", "/", "//a", "a//b", "a/", "./a", "a/../b", "..", "a\0b"] {
            assert!(TreePath::new(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn relations() {
        let site = path("/opt/venv/lib/python3.11/site-packages");
        assert_eq!(path("opt/venv/bin/x").relative_to(&site), "../../../bin/x");
        assert_eq!(path("opt/venv/lib/python3.11/site-packages/a/b").relative_to(&site), "a/b");
        assert_eq!(path("a/b/c").ancestors().collect::<Vec<_>>(), [path("a"), path("a/b")]);
        assert_eq!(path("a/bc").below(&path("a/b")), None);
        assert_eq!(path("a/b/c").below(&path("a/b")), Some("c"));
    }
}
