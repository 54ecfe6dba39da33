use std::fmt;

use thiserror::Error;
use url::Url;

/// Where python-build-standalone publishes.
const OFFICIAL: &str = "https://github.com/astral-sh/python-build-standalone/releases/download";

/// Where releases of python-build-standalone are: a folder for each release, as uv takes one in
/// `UV_PYTHON_INSTALL_MIRROR`. `file://` is one too.
#[derive(Clone, PartialEq, Eq)]
pub struct PythonMirror(Url);

/// A text that is no address of a mirror.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("the mirror of Python archives is no `http`, `https` or `file` URL")]
pub struct MirrorError {
    /// Why, unless it is the scheme. The text itself may have a password in it.
    #[source]
    pub source: Option<url::ParseError>,
}

impl PythonMirror {
    /// The mirror at this address.
    pub fn new(text: &str) -> Result<Self, MirrorError> {
        let url = Url::parse(text).map_err(|source| MirrorError { source: Some(source) })?;
        if matches!(url.scheme(), "http" | "https" | "file") {
            Ok(Self(url))
        } else {
            Err(MirrorError { source: None })
        }
    }

    /// The project's own releases.
    pub fn official() -> Self {
        Self(Url::parse(OFFICIAL).expect("the address is one"))
    }

    /// The address of what is at `path` of it.
    pub(crate) fn url(&self, path: &str) -> Url {
        let mut url = self.0.clone();
        // Some stores of objects take a plus sign for a space.
        let path = path.replace('+', "%2B");
        url.set_path(&format!("{}/{path}", self.0.path().trim_end_matches('/')));
        url
    }
}

impl fmt::Display for PythonMirror {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}{}", self.0.scheme(), self.0.host_str().unwrap_or_default(), self.0.path())
    }
}

impl fmt::Debug for PythonMirror {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PythonMirror({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn has_paths_and_keeps_its_password_to_itself() {
        let mirror = PythonMirror::new("https://user:secret@mirror.example/a%20b/").unwrap();
        let url = mirror.url("20240726/cpython-3.12.4+20240726.tar.gz");
        assert_eq!(url.path(), "/a%20b/20240726/cpython-3.12.4%2B20240726.tar.gz");
        assert_eq!(url.password(), Some("secret"));
        assert_eq!(format!("{mirror:?}"), "PythonMirror(https://mirror.example/a%20b/)");
        let folder = PythonMirror::new("file:///srv/python").unwrap().url("1/a+1.tar.gz");
        assert_eq!(folder.to_file_path().unwrap().to_str(), Some("/srv/python/1/a+1.tar.gz"));
        for text in ["", "mirror.example", "ftp://mirror.example"] {
            assert!(PythonMirror::new(text).is_err(), "{text}");
        }
    }
}
