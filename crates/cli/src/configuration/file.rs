//! One `imagewright.toml`: read, its keys checked, its paths made absolute.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use imagewright_spec::nearest;
use serde::Deserialize;

use super::error::ConfigurationError;
use super::keys::KEYS;

/// What a file says.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub(super) struct Wire {
    pub(super) python: Option<String>,
    pub(super) store: Option<PathBuf>,
    pub(super) uv: Option<PathBuf>,
    pub(super) python_program: Option<PathBuf>,
    pub(super) threads: Option<NonZeroUsize>,
    pub(super) debian_mirror: Option<String>,
    pub(super) debian_security_mirror: Option<String>,
    pub(super) python_mirror: Option<String>,
    pub(super) attach_lock: Option<bool>,
    pub(super) docker: WireDocker,
    pub(super) registries: WireRegistries,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub(super) struct WireDocker {
    pub(super) build_arguments: Option<Vec<String>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub(super) struct WireRegistries {
    pub(super) plain_http: Option<Vec<String>>,
    pub(super) https: Option<Vec<String>>,
    pub(super) mirrors: Option<BTreeMap<String, Vec<String>>>,
}

/// A file, and where it is.
#[derive(Debug)]
pub(super) struct ConfigurationFile {
    pub(super) path: PathBuf,
    pub(super) wire: Wire,
}

/// Whose a file is.
#[derive(Clone, Copy, Debug)]
pub(super) enum Owner<'a> {
    /// The user's own.
    User,
    /// A project's, which may come from anywhere; with the file that is the user's own.
    Project { user_file: Option<&'a Path> },
}

impl ConfigurationFile {
    pub(super) fn parse(path: &Path, text: &str, owner: Owner<'_>) -> Result<Self, ConfigurationError> {
        let syntax = |source| ConfigurationError::Syntax { path: path.to_owned(), source: Box::new(source) };
        let table: toml::Table = text.parse().map_err(syntax)?;
        check(path, &table, "", owner)?;
        let mut wire: Wire = toml::from_str(text).map_err(syntax)?;
        let folder = path.parent().unwrap_or(Path::new("/"));
        for setting in [&mut wire.store, &mut wire.uv, &mut wire.python_program].into_iter().flatten() {
            *setting = folder.join(&*setting);
        }
        Ok(Self { path: path.to_owned(), wire })
    }
}

/// Checks that every key is a setting that the file may have, and what it is.
fn check(path: &Path, table: &toml::Table, prefix: &str, owner: Owner<'_>) -> Result<(), ConfigurationError> {
    for (name, value) in table {
        let key = format!("{prefix}{name}");
        if let Some(known) = KEYS.iter().find(|known| known.name == key) {
            if let Owner::Project { user_file } = owner
                && !known.in_project
            {
                let (path, user_file) = (path.to_owned(), user_file.map(Path::to_owned));
                return Err(ConfigurationError::NotInProject { path, key: known.name, user_file });
            }
            if !known.takes.fits(value) {
                return Err(ConfigurationError::Value {
                    place: format!("`{key}` in {}", path.display()),
                    value: value.to_string(),
                    because: format!("{} is expected", known.takes),
                });
            }
            continue;
        }
        let below = format!("{key}.");
        match value {
            toml::Value::Table(table) if KEYS.iter().any(|known| known.name.starts_with(&below)) => {
                check(path, table, &below, owner)?;
            }
            _ => {
                let nearest = nearest(&key, KEYS.iter().map(|known| known.name));
                return Err(ConfigurationError::UnknownKey { path: path.to_owned(), key, nearest });
            }
        }
    }
    Ok(())
}
