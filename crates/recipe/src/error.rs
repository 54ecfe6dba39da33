use imagewright_spec::SpecError;
use thiserror::Error;

/// Why a spec cannot be lowered.
#[derive(Debug, Error)]
pub enum RecipeError {
    /// Fields that the native builder does not do.
    #[error("the native builder does not do all that the spec asks for")]
    Unsupported {
        /// Which, and what to do instead.
        #[source]
        source: SpecError,
    },
}

impl RecipeError {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Unsupported { source } => source.hint(),
        }
    }
}
