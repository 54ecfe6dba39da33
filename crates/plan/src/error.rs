use thiserror::Error;

/// Why a lock cannot become an image.
#[derive(Debug, Error)]
pub enum PlanError {
    /// Engines stop at 127 layers.
    #[error("the image would have {layers} layers, more than the {most} that every engine takes")]
    TooManyLayers {
        /// How many there would be.
        layers: usize,
        /// How many there may be.
        most: usize,
    },
    /// The lock does not have files that are to be copied.
    #[error("the lock has no files for {name}")]
    NoSource {
        /// The input.
        name: String,
    },
    /// A base that cannot install packages of the system.
    #[error("{origin}: the base image has no apt-get, it is {system}")]
    NoApt {
        /// The field of the spec that asks for it.
        origin: String,
        /// What the base is.
        system: String,
    },
    /// An option in the place of a package.
    #[error("{origin}: `{option}` is an option of apt-get, and no package")]
    AptOption {
        /// Where it was written.
        origin: String,
        /// What was written.
        option: String,
    },
    /// Files are to belong to somebody whom the image does not have.
    #[error("{origin}: the image has no {what} `{name}`")]
    NoSuchOwner {
        /// Where it was written.
        origin: String,
        /// `user` or `group`.
        what: &'static str,
        /// What was written.
        name: String,
    },
}

impl PlanError {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::TooManyLayers { .. } => Some("start from a base image with fewer layers".to_owned()),
            Self::NoSource { .. } => Some("make the lock anew with `imagewright lock SPEC`".to_owned()),
            Self::NoApt { .. } => {
                Some("start from Debian, Ubuntu or what follows them, or leave `base_image` out".to_owned())
            }
            Self::AptOption { .. } => {
                Some("what apt-get is to do besides is a matter of `commands`".to_owned())
            }
            Self::NoSuchOwner { .. } => Some("write a name that the base has, or a number".to_owned()),
        }
    }
}
