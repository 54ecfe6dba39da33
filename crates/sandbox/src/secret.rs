use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// A file that the command may read and nobody else sees: it is in memory as long as the run lasts. Where nothing can
/// be mounted it is in the scratch directory, and goes with that.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecretFile {
    /// Where it is seen in the image, absolute; what is there is hidden.
    pub target: PathBuf,
    /// What is in it.
    pub content: Vec<u8>,
}

impl fmt::Debug for SecretFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SecretFile").field("target", &self.target).finish_non_exhaustive()
    }
}
