use std::io;

use imagewright_layer::LayerError;
use imagewright_oci::Digest;
use imagewright_store::StoreError;
use thiserror::Error;

/// Why modules could not be compiled.
#[derive(Debug, Error)]
pub enum BytecodeError {
    /// The compiler does not start.
    #[error("the compiler {program} cannot be started")]
    Start {
        /// The program.
        program: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The compiler ended, or does not answer as it should.
    #[error("the compiler failed: {said}")]
    Failed {
        /// What it printed.
        said: String,
        /// What was seen of its end.
        #[source]
        source: io::Error,
    },
    /// Bytecode cannot be put aside until all of it is there.
    #[error("bytecode cannot be written to the store")]
    Scratch {
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Bytecode that was just kept is gone.
    #[error("the store lost the bytecode {blob}")]
    Lost {
        /// What it was kept as.
        blob: Digest,
    },
    /// A wheel's module cannot be read.
    #[error(transparent)]
    Layer(#[from] LayerError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl BytecodeError {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Start { .. } | Self::Failed { .. } => {
                Some("set `bytecode: false` in `builder_options` to do without".to_owned())
            }
            Self::Scratch { .. } => Some("see whether the disk is full".to_owned()),
            Self::Lost { .. } => Some("see whether something empties the store, and build again".to_owned()),
            Self::Layer(source) => source.hint(),
            Self::Store(source) => source.hint(),
        }
    }
}
