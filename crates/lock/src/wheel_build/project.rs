//! What a project says of how it is built (PEP 517, PEP 518).

use std::io;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::{SourceError, WheelBuild};

/// A project, as far as its build needs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Project {
    /// What has to be there before the backend can be asked anything.
    pub requires: Vec<String>,
    /// The module of the backend, and the object in it behind a colon.
    pub backend: String,
    /// Folders of the project that the backend is imported from.
    pub backend_path: Vec<String>,
    /// Whether a compiler may be needed.
    pub is_compiled: bool,
}

/// What pip takes where a project says nothing.
const LEGACY_REQUIRES: &str = "setuptools>=40.8.0";
const LEGACY_BACKEND: &str = "setuptools.build_meta:__legacy__";

/// Sources of languages that are compiled.
const COMPILED: [&str; 12] = ["c", "cc", "cpp", "cxx", "h", "hpp", "pyx", "f", "f90", "s", "m", "i"];

/// Words in a project's description that ask for a compiler, where the sources are made by the build itself.
const COMPILING: [&str; 6] =
    ["ext_modules", "ext-modules", "cffi_modules", "mesonpy", "scikit_build", "setuptools_cpp"];

#[derive(Debug, Default, Deserialize)]
struct Pyproject {
    #[serde(rename = "build-system")]
    build_system: Option<BuildSystem>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct BuildSystem {
    #[serde(default)]
    requires: Vec<String>,
    build_backend: Option<String>,
    #[serde(default)]
    backend_path: Vec<String>,
}

impl Project {
    /// Reads the project of `build`, which is in `folder`.
    pub fn read(folder: &Path, build: &WheelBuild) -> Result<Self, SourceError> {
        let source_name = || build.source.to_string();
        let path = folder.join("pyproject.toml");
        let text = match fs_err::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound && folder.join("setup.py").is_file() => {
                String::new()
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let folder = build.subdirectory.as_deref().unwrap_or("its top folder").into();
                return Err(SourceError::NoProject { source_name: source_name(), folder });
            }
            Err(source) => return Err(SourceError::Files { source_name: source_name(), source }),
        };
        let pyproject: Pyproject = toml::from_str(&text).map_err(|source| SourceError::Project {
            source_name: source_name(),
            source: Box::new(source),
        })?;
        let is_compiled = is_compiled(folder)
            .map_err(|source| SourceError::Files { source_name: source_name(), source })?;
        let legacy = || (vec![LEGACY_REQUIRES.to_owned()], LEGACY_BACKEND.to_owned());
        let (requires, backend, backend_path) = match pyproject.build_system {
            Some(BuildSystem { requires, build_backend: Some(backend), backend_path }) => {
                (requires, backend, backend_path)
            }
            Some(BuildSystem { requires, .. }) => (requires, LEGACY_BACKEND.to_owned(), Vec::new()),
            None => {
                let (requires, backend) = legacy();
                (requires, backend, Vec::new())
            }
        };
        Ok(Self { requires, backend, backend_path, is_compiled })
    }
}

/// The folder of the project in its source.
pub(super) fn folder(source: &Path, build: &WheelBuild) -> Result<PathBuf, SourceError> {
    let Some(subdirectory) = &build.subdirectory else { return Ok(source.to_owned()) };
    let is_below = Path::new(subdirectory)
        .components()
        .all(|part| matches!(part, std::path::Component::Normal(_) | std::path::Component::CurDir));
    let folder = source.join(subdirectory);
    if is_below && folder.is_dir() {
        return Ok(folder);
    }
    let (source_name, subdirectory) = (build.source.to_string(), subdirectory.clone());
    Err(SourceError::NoSubdirectory { source_name, subdirectory })
}

fn is_compiled(folder: &Path) -> io::Result<bool> {
    for name in ["setup.py", "setup.cfg", "pyproject.toml"] {
        let text = match fs_err::read(folder.join(name)) {
            Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        if COMPILING.iter().any(|word| text.contains(word)) {
            return Ok(true);
        }
    }
    has_compiled_sources(folder)
}

fn has_compiled_sources(folder: &Path) -> io::Result<bool> {
    for entry in fs_err::read_dir(folder)? {
        let entry = entry?;
        let (kind, path) = (entry.file_type()?, entry.path());
        let extension = path.extension().and_then(|it| it.to_str()).unwrap_or_default().to_ascii_lowercase();
        let is_source = kind.is_file() && COMPILED.contains(&extension.as_str());
        if is_source || (kind.is_dir() && !path.ends_with(".git") && has_compiled_sources(&path)?) {
            return Ok(true);
        }
    }
    Ok(false)
}
