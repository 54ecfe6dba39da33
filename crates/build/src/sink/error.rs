use std::io;
use std::path::PathBuf;

use imagewright_oci::Platform;
use thiserror::Error;

use super::engine::EngineError;

/// Why an image could not be brought to a sink.
#[derive(Debug, Error)]
pub enum SinkError {
    /// Nothing can be written there.
    #[error("{} cannot be written", path.display())]
    Target {
        /// Where.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A directory with other things in it.
    #[error("{} is neither empty nor an OCI image layout", path.display())]
    NotALayout {
        /// The directory.
        path: PathBuf,
    },
    /// The index of a layout that is there already.
    #[error("{} is no index of an OCI image layout", path.display())]
    LayoutIndex {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
    /// Writing failed.
    #[error("{sink} could not be written")]
    Write {
        /// The sink.
        sink: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// What takes one image, and there are several.
    #[error(
        "{sink} takes the image of one platform, and this one is for {}, none of them this machine's",
        platforms.iter().map(Platform::to_string).collect::<Vec<_>>().join(", ")
    )]
    OnePlatform {
        /// The sink.
        sink: String,
        /// What the image is for.
        platforms: Vec<Platform>,
    },
    /// The program that speaks with the engine is not there.
    #[error("there is no program `{program}` to load an image with")]
    NoProgram {
        /// Its name.
        program: &'static str,
    },
    /// The engine did not take the image.
    #[error("{engine} did not load the image")]
    Engine {
        /// Which engine.
        engine: String,
        /// Why.
        #[source]
        source: EngineError,
    },
}

impl SinkError {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Target { .. } => Some("name a file in a directory that is there".to_owned()),
            Self::NotALayout { .. } => Some("name another directory, or empty this one".to_owned()),
            Self::LayoutIndex { .. } => {
                Some("write to another directory; this layout was damaged before".to_owned())
            }
            Self::Write { source, .. } if source.kind() == io::ErrorKind::StorageFull => {
                Some("free some space; nothing that was there before was changed".to_owned())
            }
            Self::OnePlatform { .. } => {
                Some("name one with `--platform`; `oci:DIR` and `oci-archive:FILE` take all".to_owned())
            }
            Self::Write { .. } => None,
            Self::NoProgram { program } => Some(format!(
                "install `{program}`, or write a file with `--output docker-archive:FILE` and load that where the \
                 engine is"
            )),
            Self::Engine { source, .. } => source.hint(),
        }
    }
}
