use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// What the resolver may know of this machine: libraries read no environment, so the caller hands it in.
#[derive(Clone, Debug, Default)]
pub struct Host {
    variables: BTreeMap<String, String>,
    working_directory: PathBuf,
    /// Secrets of a build, by where they are in its container.
    placed: BTreeMap<PathBuf, PathBuf>,
}

/// Where pip, uv and curl look for passwords in the container of a build, whose user is root.
const NETRC: &str = "/root/.netrc";

impl Host {
    /// The environment variables of this process and the directory that relative paths start from.
    pub fn new(variables: BTreeMap<String, String>, working_directory: PathBuf) -> Self {
        Self { variables, working_directory, placed: BTreeMap::new() }
    }

    /// The machine with the secrets of a build: variables, and files by their paths in the build's container, each with
    /// where it is here. What reads settings at those paths there reads these.
    #[must_use]
    pub fn with_secrets(mut self, variables: &[(String, String)], files: &[(PathBuf, PathBuf)]) -> Self {
        self.variables.extend(variables.iter().cloned());
        self.placed.extend(files.iter().cloned());
        let path_of = |path: &str| self.placed.get(Path::new(path)).map(|path| path.display().to_string());
        self.variables.extend(path_of(NETRC).map(|path| ("NETRC".to_owned(), path)));
        self
    }

    /// The secret of a build that its container has at one of these paths, in their order.
    pub(crate) fn placed<'a>(&'a self, paths: &'a [&str]) -> impl Iterator<Item = PathBuf> + 'a {
        paths.iter().filter_map(|path| self.placed.get(Path::new(path))).cloned()
    }

    /// The value of a variable; an empty one counts as unset, as uv and pip have it.
    pub fn variable(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// All variables.
    pub fn variables(&self) -> &BTreeMap<String, String> {
        &self.variables
    }

    /// A path as the user means it: below the working directory unless it is absolute, `~/` being home.
    pub fn absolute(&self, path: impl AsRef<Path>) -> PathBuf {
        let path = path.as_ref();
        match path.strip_prefix("~") {
            Ok(below) => self.home().map_or_else(|| path.to_owned(), |home| home.join(below)),
            Err(_) => self.working_directory.join(path),
        }
    }

    /// The directory that relative paths start from.
    pub fn working_directory(&self) -> &Path {
        &self.working_directory
    }

    /// The user's home directory.
    pub fn home(&self) -> Option<PathBuf> {
        self.variable("HOME").map(PathBuf::from)
    }

    /// The user's configuration directory.
    pub fn config_home(&self) -> Option<PathBuf> {
        self.variable("XDG_CONFIG_HOME")
            .map(PathBuf::from)
            .or_else(|| self.home().map(|home| home.join(".config")))
    }

    /// The machine's configuration directories, the most important first.
    pub fn config_directories(&self) -> Vec<PathBuf> {
        self.variable("XDG_CONFIG_DIRS").unwrap_or("/etc/xdg").split(':').map(PathBuf::from).collect()
    }

    /// The directories of `PATH`.
    pub fn path(&self) -> Vec<PathBuf> {
        let text = self.variable("PATH").unwrap_or_default();
        text.split(':').filter(|part| !part.is_empty()).map(|part| self.absolute(part)).collect()
    }

    /// The variables for a program that must not be led astray by settings meant for another use of it.
    ///
    /// Proxies, certificates, `HOME`, credentials and whatever a keyring helper needs stay.
    pub(crate) fn without_tool_settings(&self) -> BTreeMap<String, String> {
        let is_setting = |name: &str| {
            (name.starts_with("UV_") && !is_connection_setting(name))
                || [
                    "VIRTUAL_ENV",
                    "CONDA_PREFIX",
                    "CONDA_DEFAULT_ENV",
                    "RUST_LOG",
                    "PYTHONPATH",
                    "PYTHONHOME",
                ]
                .contains(&name)
        };
        self.variables
            .iter()
            .filter(|(name, _)| !is_setting(name))
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect()
    }
}

/// Whether a variable of uv says how to reach an index and not what to resolve.
fn is_connection_setting(name: &str) -> bool {
    let exact = [
        "UV_HTTP_TIMEOUT",
        "UV_REQUEST_TIMEOUT",
        "UV_HTTP_CONNECT_TIMEOUT",
        "UV_HTTP_RETRIES",
        "UV_HTTP_PROXY",
        "UV_HTTPS_PROXY",
        "UV_NO_PROXY",
        "UV_CONCURRENT_DOWNLOADS",
        "UV_KEYRING_PROVIDER",
        "UV_INSECURE_HOST",
        "UV_NATIVE_TLS",
        "UV_SYSTEM_CERTS",
        "UV_INDEX_STRATEGY",
        "UV_EXCLUDE_NEWER",
        "UV_CREDENTIALS_DIR",
        "UV_OFFLINE",
    ];
    exact.contains(&name)
        || (name.starts_with("UV_INDEX_") && (name.ends_with("_USERNAME") || name.ends_with("_PASSWORD")))
}
