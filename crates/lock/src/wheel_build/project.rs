//! What a project says of how it is built (PEP 517, PEP 518).

use std::io;
use std::path::{Path, PathBuf};

use imagewright_spec::led_to;
use serde::Deserialize;

use super::{SourceError, SourceFolder, WheelBuild};

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
    /// Whether its version is read from the history of its repository, by git.
    pub reads_history: bool,
}

/// What pip takes where a project says nothing.
const LEGACY_REQUIRES: &str = "setuptools>=40.8.0";
const LEGACY_BACKEND: &str = "setuptools.build_meta:__legacy__";

/// Sources of languages that are compiled.
const COMPILED: [&str; 12] = ["c", "cc", "cpp", "cxx", "h", "hpp", "pyx", "f", "f90", "s", "m", "i"];

/// Words in a project's description that ask for a compiler, where the sources are made by the build itself.
const COMPILING: [&str; 6] =
    ["ext_modules", "ext-modules", "cffi_modules", "mesonpy", "scikit_build", "setuptools_cpp"];

/// Words in a project's description of what reads versions from a history.
const VERSIONING: [&str; 11] = [
    "setuptools_scm",
    "setuptools-scm",
    "hatch-vcs",
    "flit_scm",
    "vcs-versioning",
    "versioneer",
    "versioningit",
    "setuptools-git-versioning",
    "poetry-dynamic-versioning",
    "dunamai",
    "pbr",
];

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
    /// Reads the project of `build`, which is laid out.
    pub fn read(source: &SourceFolder, build: &WheelBuild) -> Result<Self, SourceError> {
        let folder = &source.project;
        let source_name = || build.source.to_string();
        let files = |source| SourceError::Files { source_name: source_name(), source };
        let text = match own_text(source, "pyproject.toml").map_err(files)? {
            Some(text) => text,
            None if folder.join("setup.py").is_file() => String::new(),
            None => {
                let folder = build.subdirectory.as_deref().unwrap_or("its top folder").into();
                return Err(SourceError::NoProject { source_name: source_name(), folder });
            }
        };
        let pyproject: Pyproject = toml::from_str(&text).map_err(|source| SourceError::Project {
            source_name: source_name(),
            source: Box::new(source),
        })?;
        let description = description(source).map_err(files)?;
        let says = |words: &[&str]| words.iter().any(|word| description.contains(word));
        let is_compiled = says(&COMPILING) || has_compiled_sources(folder).map_err(files)?;
        let reads_history = says(&VERSIONING);
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
        Ok(Self { requires, backend, backend_path, is_compiled, reads_history })
    }
}

/// The folder of the project in its source.
pub(super) fn folder(source: &Path, build: &WheelBuild) -> Result<PathBuf, SourceError> {
    let Some(subdirectory) = &build.subdirectory else { return Ok(source.to_owned()) };
    let folder = led_to("", subdirectory).map(|path| source.join(path)).filter(|folder| folder.is_dir());
    // A link in the source may lead out of it.
    let is_own =
        |folder: &PathBuf| Ok(fs_err::canonicalize(folder)?.starts_with(fs_err::canonicalize(source)?));
    let files = |source| SourceError::Files { source_name: build.source.to_string(), source };
    if let Some(folder) = folder
        && is_own(&folder).map_err(files)?
    {
        return Ok(folder);
    }
    let (source_name, subdirectory) = (build.source.to_string(), subdirectory.clone());
    Err(SourceError::NoSubdirectory { source_name, subdirectory })
}

/// The text of a file of the project, which is somebody else's: where a link leads out of the source, it is not
/// followed.
fn own_text(source: &SourceFolder, name: &str) -> io::Result<Option<String>> {
    let path = source.project.join(name);
    let real = match fs_err::canonicalize(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        real => real?,
    };
    let is_own = real.starts_with(fs_err::canonicalize(&source.top)?) && fs_err::metadata(&real)?.is_file();
    if !is_own {
        let because = format!("`{name}` is no file of it");
        return Err(io::Error::new(io::ErrorKind::InvalidData, because));
    }
    Ok(Some(String::from_utf8_lossy(&fs_err::read(real)?).into_owned()))
}

/// All that the project says of its build, in whatever file.
fn description(source: &SourceFolder) -> io::Result<String> {
    let names = ["setup.py", "setup.cfg", "pyproject.toml"];
    let texts = names.map(|name| Ok(own_text(source, name)?.unwrap_or_default()));
    Ok(texts.into_iter().collect::<io::Result<Vec<String>>>()?.join("\n"))
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
