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
}

impl PlanError {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::TooManyLayers { .. } => Some("start from a base image with fewer layers".to_owned()),
        }
    }
}
