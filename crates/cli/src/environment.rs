//! The one place that reads the environment.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The variables and the working directory that this process was started with.
#[derive(Clone, Debug)]
pub(crate) struct Environment {
    pub(crate) variables: BTreeMap<String, String>,
    pub(crate) directory: PathBuf,
}

impl Environment {
    pub(crate) fn current() -> std::io::Result<Self> {
        // Variables that are no UTF-8 cannot hold anything that is looked for here.
        let variables = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect();
        Ok(Self { variables, directory: std::env::current_dir()? })
    }

    /// A variable, unless it is empty.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// A variable that holds a path.
    pub(crate) fn path(&self, name: &str) -> Option<PathBuf> {
        self.get(name).map(|value| self.directory.join(value))
    }

    /// Whether a variable says yes, as flytekit reads it.
    pub(crate) fn flag(&self, name: &str) -> Option<bool> {
        self.get(name).map(|value| {
            matches!(value.to_ascii_lowercase().as_str(), "true" | "t" | "1" | "yes" | "y" | "on")
        })
    }

    /// The store's directory when none is set: in the user's cache directory.
    pub(crate) fn default_store(&self) -> PathBuf {
        let cache = self.path("XDG_CACHE_HOME").or_else(|| Some(self.home()?.join(".cache")));
        cache.unwrap_or_else(std::env::temp_dir).join("imagewright")
    }

    /// The user's configuration directory.
    pub(crate) fn config_home(&self) -> Option<PathBuf> {
        self.path("XDG_CONFIG_HOME").or_else(|| Some(self.home()?.join(".config")))
    }

    pub(crate) fn home(&self) -> Option<PathBuf> {
        self.path("HOME").filter(|home| home != Path::new("/nonexistent"))
    }

    /// Files that may hold registry credentials, the most specific first.
    pub(crate) fn auth_files(&self) -> Vec<PathBuf> {
        let docker = self.path("DOCKER_CONFIG").or_else(|| Some(self.home()?.join(".docker")));
        let config = self.config_home();
        [
            self.path("REGISTRY_AUTH_FILE"),
            docker.map(|folder| folder.join("config.json")),
            self.path("XDG_RUNTIME_DIR").map(|folder| folder.join("containers/auth.json")),
            config.map(|folder| folder.join("containers/auth.json")),
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}

/// The host's apt sources: path and text of each file, none on a host without apt.
pub(crate) fn apt_sources() -> Vec<(String, String)> {
    let parts = fs_err::read_dir("/etc/apt/sources.list.d").into_iter().flatten().flatten();
    let parts = parts.map(|entry| entry.path());
    let mut paths: Vec<PathBuf> = [PathBuf::from("/etc/apt/sources.list")].into_iter().chain(parts).collect();
    paths.sort();
    paths
        .into_iter()
        .filter_map(|path| Some((path.display().to_string(), fs_err::read_to_string(&path).ok()?)))
        .collect()
}
