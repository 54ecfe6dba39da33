//! Settings: from variables, else the project's `imagewright.toml`, else the user's, else the machine.
//!
//! What is in force and where it came from are kept together: `doctor` prints both.

mod error;
mod file;
pub(crate) mod keys;
mod unknown;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use imagewright_debian::Mirrors;
use imagewright_lock::PythonMirror;
use imagewright_pypa::{PythonMinor, PythonVersion};
use imagewright_registry::Mirror;

use crate::environment::{Environment, apt_sources};
use crate::failure::Failure;
pub(crate) use error::ConfigurationError;
use file::{ConfigurationFile, Owner, Wire};
use keys::Key;
pub(crate) use unknown::{UnknownVariable, unknown_variables};

/// The name of a configuration file.
const FILE_NAME: &str = "imagewright.toml";
/// uv's variable for the same mirror.
const UV_MIRROR: &str = "UV_PYTHON_INSTALL_MIRROR";
/// The Python of an image when nobody names one.
const FALLBACK_PYTHON: PythonVersion = PythonVersion { minor: PythonMinor(13), patch: None };

/// Everything that can be set.
#[derive(Debug)]
pub(crate) struct Configuration {
    pub(crate) python: Setting<PythonVersion>,
    pub(crate) store: Setting<PathBuf>,
    pub(crate) uv: Option<Setting<PathBuf>>,
    pub(crate) python_program: Option<Setting<PathBuf>>,
    pub(crate) threads: Setting<NonZeroUsize>,
    pub(crate) debian: Setting<Mirrors>,
    pub(crate) python_mirror: Setting<PythonMirror>,
    pub(crate) attach_lock: Setting<bool>,
    pub(crate) docker_arguments: Option<Setting<Vec<String>>>,
    pub(crate) plain_http: Option<Setting<BTreeSet<String>>>,
    pub(crate) https: Option<Setting<BTreeSet<String>>>,
    pub(crate) mirrors: Option<Setting<BTreeMap<String, Vec<Mirror>>>>,
    /// The files that were read, the most important first.
    pub(crate) files: Vec<PathBuf>,
}

/// A value, and where it came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Setting<T> {
    pub(crate) value: T,
    pub(crate) source: Source,
}

/// Where a setting came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    Variable(&'static str),
    File(PathBuf),
    /// What this machine says, such as its apt sources.
    Machine(&'static str),
    Default,
}

impl Configuration {
    /// Reads the files and variables that are in force.
    pub(crate) fn load(environment: &Environment) -> Result<Self, Failure> {
        let user = environment.config_home().map(|folder| folder.join("imagewright").join(FILE_NAME));
        let mut files = Vec::new();
        if let Some(path) = project_file(&environment.directory).filter(|path| Some(path) != user.as_ref()) {
            files.push(read(&path, Owner::Project { user_file: user.as_deref() })?);
        }
        if let Some(path) = user.filter(|path| path.is_file()) {
            files.push(read(&path, Owner::User)?);
        }
        Ok(Self::of(&Sources { environment, files: &files })?)
    }

    fn of(sources: &Sources<'_>) -> Result<Self, ConfigurationError> {
        let environment = sources.environment;
        Ok(Self {
            python: sources
                .parsed(&keys::PYTHON, |wire| wire.python.clone())?
                .unwrap_or_else(|| Setting::default_of(FALLBACK_PYTHON)),
            store: sources
                .path(&keys::STORE, |wire| wire.store.clone())
                .unwrap_or_else(|| Setting::default_of(environment.default_store())),
            uv: sources.path(&keys::UV, |wire| wire.uv.clone()),
            python_program: sources.path(&keys::PYTHON_PROGRAM, |wire| wire.python_program.clone()),
            threads: sources
                .typed(&keys::THREADS, |wire| wire.threads.map(|threads| threads.to_string()))?
                .unwrap_or_else(|| {
                    let value = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
                    Setting { value, source: Source::Machine("its processors") }
                }),
            debian: debian(sources)?,
            python_mirror: python_mirror(sources)?,
            attach_lock: sources
                .typed(&keys::ATTACH_LOCK, |wire| wire.attach_lock.map(|attach| attach.to_string()))?
                .unwrap_or_else(|| Setting::default_of(true)),
            docker_arguments: docker_arguments(sources)?,
            plain_http: sources.list(&keys::PLAIN_HTTP, |wire| wire.registries.plain_http.clone()),
            https: sources.list(&keys::HTTPS, |wire| wire.registries.https.clone()),
            mirrors: mirrors(sources)?,
            files: sources.files.iter().map(|file| file.path.clone()).collect(),
        })
    }
}

/// The nearest file, from the working directory upwards.
fn project_file(directory: &Path) -> Option<PathBuf> {
    directory.ancestors().map(|folder| folder.join(FILE_NAME)).find(|path| path.is_file())
}

fn read(path: &Path, owner: Owner<'_>) -> Result<ConfigurationFile, Failure> {
    Ok(ConfigurationFile::parse(path, &fs_err::read_to_string(path)?, owner)?)
}

/// Where settings come from, in their order.
struct Sources<'a> {
    environment: &'a Environment,
    files: &'a [ConfigurationFile],
}

impl Sources<'_> {
    fn variable<'a>(&'a self, key: &Key) -> Option<(&'static str, &'a str)> {
        let name = key.variable?;
        Some((name, self.environment.get(name)?))
    }

    /// The first file that has a setting.
    fn in_file<T>(&self, take: impl Fn(&Wire) -> Option<T>) -> Option<Setting<T>> {
        self.files.iter().find_map(|file| {
            Some(Setting { value: take(&file.wire)?, source: Source::File(file.path.clone()) })
        })
    }

    fn text(&self, key: &Key, take: impl Fn(&Wire) -> Option<String>) -> Option<Setting<String>> {
        match self.variable(key) {
            Some((name, text)) => Some(Setting { value: text.to_owned(), source: Source::Variable(name) }),
            None => self.in_file(take),
        }
    }

    fn path(&self, key: &Key, take: impl Fn(&Wire) -> Option<PathBuf>) -> Option<Setting<PathBuf>> {
        match self.variable(key) {
            Some((name, text)) => {
                let value = self.environment.directory.join(text);
                Some(Setting { value, source: Source::Variable(name) })
            }
            None => self.in_file(take),
        }
    }

    fn list(
        &self,
        key: &Key,
        take: impl Fn(&Wire) -> Option<Vec<String>>,
    ) -> Option<Setting<BTreeSet<String>>> {
        match self.variable(key) {
            Some((name, text)) => {
                let words = text.split(',').map(str::trim).filter(|word| !word.is_empty());
                Some(Setting { value: words.map(str::to_owned).collect(), source: Source::Variable(name) })
            }
            None => self.in_file(|wire| Some(take(wire)?.into_iter().collect())),
        }
    }

    fn parsed<T: FromStr<Err: fmt::Display>>(
        &self,
        key: &Key,
        take: impl Fn(&Wire) -> Option<String>,
    ) -> Result<Option<Setting<T>>, ConfigurationError> {
        self.text(key, take).map(|setting| setting.parse(key)).transpose()
    }

    /// The same, for what the file has as another type than text.
    fn typed<T: FromStr>(
        &self,
        key: &Key,
        take: impl Fn(&Wire) -> Option<String>,
    ) -> Result<Option<Setting<T>>, ConfigurationError> {
        let Some(named) = self.text(key, take) else { return Ok(None) };
        match named.value.parse() {
            Ok(value) => Ok(Some(Setting { value, source: named.source })),
            Err(_) => Err(named.wrong(key, &format!("{} is expected", key.takes))),
        }
    }
}

impl<T> Setting<T> {
    fn default_of(value: T) -> Self {
        Self { value, source: Source::Default }
    }
}

impl Setting<String> {
    fn parse<T: FromStr<Err: fmt::Display>>(self, key: &Key) -> Result<Setting<T>, ConfigurationError> {
        match self.value.parse() {
            Ok(value) => Ok(Setting { value, source: self.source }),
            Err(error) => Err(self.wrong(key, &error)),
        }
    }

    fn wrong(&self, key: &Key, because: &dyn fmt::Display) -> ConfigurationError {
        let place = match &self.source {
            Source::Variable(name) => (*name).to_owned(),
            Source::File(path) => format!("`{}` in {}", key.name, path.display()),
            Source::Machine(_) | Source::Default => format!("`{}`", key.name),
        };
        // Before an `@` there may be a password.
        let value = self.value.rsplit_once('@').map_or(self.value.as_str(), |(_, shown)| shown);
        ConfigurationError::Value { place, value: value.to_owned(), because: because.to_string() }
    }
}

/// What is added to the command line of `docker build`.
fn docker_arguments(sources: &Sources<'_>) -> Result<Option<Setting<Vec<String>>>, ConfigurationError> {
    let key = &keys::DOCKER_ARGUMENTS;
    let Some((name, text)) = sources.variable(key) else {
        return Ok(sources.in_file(|wire| wire.docker.build_arguments.clone()));
    };
    let source = Source::Variable(name);
    let Some(value) = shlex::split(text) else {
        let written = Setting { value: text.to_owned(), source };
        return Err(written.wrong(key, &"a quote in it is not closed"));
    };
    Ok(Some(Setting { value, source }))
}

/// Debian's mirror: the one that was named, else the host's own, else Debian's.
fn debian(sources: &Sources<'_>) -> Result<Setting<Mirrors>, ConfigurationError> {
    let security = sources.text(&keys::DEBIAN_SECURITY_MIRROR, |wire| wire.debian_security_mirror.clone());
    let archive = sources.text(&keys::DEBIAN_MIRROR, |wire| wire.debian_mirror.clone());
    if let Some(archive) = archive {
        let text = security.as_ref().map(|setting| setting.value.as_str());
        return match (Mirrors::new(&archive.value, text), security) {
            (Ok(value), _) => Ok(Setting { value, source: archive.source }),
            (Err(error), Some(security)) if Mirrors::new(&archive.value, None).is_ok() => {
                Err(security.wrong(&keys::DEBIAN_SECURITY_MIRROR, &error))
            }
            (Err(error), _) => Err(archive.wrong(&keys::DEBIAN_MIRROR, &error)),
        };
    }
    let files = apt_sources();
    let files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
    Ok(match Mirrors::from_apt_sources(&files) {
        Some(value) => Setting { value, source: Source::Machine("its apt sources") },
        None => Setting::default_of(Mirrors::debian()),
    })
}

/// Where archives of interpreters are: the mirror that was named, to us or to uv, else the project's releases.
fn python_mirror(sources: &Sources<'_>) -> Result<Setting<PythonMirror>, ConfigurationError> {
    let named = sources.text(&keys::PYTHON_MIRROR, |wire| wire.python_mirror.clone());
    let of_uv = || {
        let value = sources.environment.get(UV_MIRROR)?.to_owned();
        Some(Setting { value, source: Source::Variable(UV_MIRROR) })
    };
    let Some(named) = named.or_else(of_uv) else {
        return Ok(Setting::default_of(PythonMirror::official()));
    };
    match PythonMirror::new(&named.value) {
        Ok(value) => Ok(Setting { value, source: named.source }),
        Err(error) => Err(named.wrong(&keys::PYTHON_MIRROR, &error)),
    }
}

type RegistryMirrors = BTreeMap<String, Vec<Mirror>>;

fn mirrors(sources: &Sources<'_>) -> Result<Option<Setting<RegistryMirrors>>, ConfigurationError> {
    let Some(Setting { value, source }) = sources.in_file(|wire| wire.registries.mirrors.clone()) else {
        return Ok(None);
    };
    let parse = |text: String| {
        let written = Setting { value: text, source: source.clone() };
        Ok(written.parse(&keys::MIRRORS)?.value)
    };
    let parsed = value.into_iter().map(|(registry, texts)| {
        Ok((registry, texts.into_iter().map(parse).collect::<Result<Vec<Mirror>, ConfigurationError>>()?))
    });
    let value = parsed.collect::<Result<RegistryMirrors, ConfigurationError>>()?;
    Ok(Some(Setting { value, source }))
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Variable(name) => f.write_str(name),
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Machine(what) => write!(f, "this machine: {what}"),
            Self::Default => f.write_str("default"),
        }
    }
}

#[cfg(test)]
mod tests;
