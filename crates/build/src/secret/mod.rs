//! What a build is trusted with: `pip_secret_mounts`.
//!
//! Secrets are read before any work and kept in memory. What resolves and downloads sees them where pip, uv and curl
//! look for them; what runs in the image sees them where the spec says. They are in no key, no layer and no message.

pub(crate) mod mask;

use std::io;
use std::path::{Path, PathBuf};

use imagewright_lock::uv::{Host, PrivateFile};
use imagewright_sandbox::SecretFile;
use imagewright_spec::{ImageSpec, SecretMount, SecretSource, SecretTarget};
use thiserror::Error;

use crate::secret::mask::Mask;

/// Why a secret cannot be had.
#[derive(Debug, Error)]
pub enum SecretError {
    /// Its file is not there.
    #[error("pip_secret_mounts[{index}]: there is no file {}", path.display())]
    NoFile {
        /// Which secret.
        index: usize,
        /// Where it was looked for.
        path: PathBuf,
    },
    /// Its file cannot be read.
    #[error("pip_secret_mounts[{index}]: cannot read {}", path.display())]
    Unreadable {
        /// Which secret.
        index: usize,
        /// Where it is.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// Its variable is not set.
    #[error("pip_secret_mounts[{index}]: the variable {name} is not set")]
    NoVariable {
        /// Which secret.
        index: usize,
        /// The variable.
        name: String,
    },
    /// No variable can hold it.
    #[error("pip_secret_mounts[{index}]: what is in {} is no text, which a variable has to be", path.display())]
    NotText {
        /// Which secret.
        index: usize,
        /// Its file.
        path: PathBuf,
    },
    /// It cannot be kept in memory.
    #[error("secrets cannot be kept in memory")]
    Memory {
        /// Why not.
        #[source]
        source: io::Error,
    },
}

impl SecretError {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::NoFile { .. } => {
                "make the file, or take it out of the spec; paths are relative to the working directory"
            }
            Self::NoVariable { .. } => "set it where imagewright is started, or take it out of the spec",
            Self::NotText { .. } => "put it into a file: write a path instead of `env:`",
            Self::Unreadable { .. } => "it has to be a file, and readable for who starts imagewright",
            Self::Memory { .. } => return None,
        };
        Some(hint.to_owned())
    }
}

/// The secrets of a spec.
#[derive(Debug, Default)]
pub(crate) struct Secrets {
    files: Vec<SecretFile>,
    variables: Vec<(String, String)>,
    /// Where each file is on this machine.
    places: Vec<(PathBuf, PathBuf)>,
    mask: Mask,
    /// Keeps the files that are variables on this machine.
    memory: Vec<PrivateFile>,
}

impl Secrets {
    /// Reads them.
    pub(crate) fn read(spec: &ImageSpec, host: &Host) -> Result<Self, SecretError> {
        let mut secrets = Self::default();
        for (index, SecretMount { source, target }) in spec.pip_secret_mounts.iter().enumerate() {
            let (content, path) = match source {
                SecretSource::File { path } => {
                    let path = host.absolute(path);
                    (content(index, &path)?, Some(path))
                }
                SecretSource::Variable { name } => (variable(index, name, host)?.as_bytes().to_vec(), None),
            };
            match target {
                SecretTarget::File { path: target } => secrets.add_file(target, content, path)?,
                SecretTarget::Variable { name } => {
                    let path = path.unwrap_or_default();
                    let text = text(content).ok_or(SecretError::NotText { index, path })?;
                    secrets.variables.push((name.clone(), text));
                }
            }
        }
        let files = secrets.files.iter().filter_map(|file| str::from_utf8(&file.content).ok());
        let variables = secrets.variables.iter().map(|(_, value)| value.as_str());
        secrets.mask = Mask::of(files.chain(variables));
        Ok(secrets)
    }

    fn add_file(&mut self, target: &str, content: Vec<u8>, path: Option<PathBuf>) -> Result<(), SecretError> {
        let path = if let Some(path) = path {
            path
        } else {
            let file = PrivateFile::new(&content).map_err(|source| SecretError::Memory { source })?;
            let path = file.path().to_owned();
            self.memory.push(file);
            path
        };
        self.places.push((target.into(), path));
        self.files.push(SecretFile { target: target.into(), content });
        Ok(())
    }

    /// The machine as that which resolves and downloads sees it.
    pub(crate) fn host(&self, host: &Host) -> Host {
        host.clone().with_secrets(&self.variables, &self.places)
    }

    /// What a command in the image sees as files.
    pub(crate) fn files(&self) -> &[SecretFile] {
        &self.files
    }

    /// What it has in its environment, as `NAME=value`.
    pub(crate) fn variables(&self) -> impl Iterator<Item = String> {
        self.variables.iter().map(|(name, value)| format!("{name}={value}"))
    }

    /// What of them may not be told.
    pub(crate) fn mask(&self) -> &Mask {
        &self.mask
    }
}

fn content(index: usize, path: &Path) -> Result<Vec<u8>, SecretError> {
    match fs_err::read(path) {
        Err(source) if source.kind() == io::ErrorKind::NotFound => {
            Err(SecretError::NoFile { index, path: path.to_owned() })
        }
        read => read.map_err(|source| SecretError::Unreadable { index, path: path.to_owned(), source }),
    }
}

fn variable<'a>(index: usize, name: &str, host: &'a Host) -> Result<&'a str, SecretError> {
    host.variable(name).ok_or_else(|| SecretError::NoVariable { index, name: name.to_owned() })
}

/// What a shell's `$(cat FILE)` is.
fn text(content: Vec<u8>) -> Option<String> {
    let text = String::from_utf8(content).ok().filter(|text| !text.contains('\0'))?;
    Some(text.trim_end_matches(['\n', '\r']).to_owned())
}
