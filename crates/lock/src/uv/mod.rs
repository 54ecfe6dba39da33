//! The uv program: found, or installed once with the machine's own pip, and asked what it can do.

mod capabilities;
mod error;
mod host;
mod install;
mod locate;
mod private_file;
mod process;

pub use capabilities::Capabilities;
pub use error::UvError;
pub use host::Host;
pub use locate::{UvSearch, find, locate};
pub use private_file::PrivateFile;
pub(crate) use process::{Finished, Invocation};

use std::path::{Path, PathBuf};

/// A uv that runs here and is new enough.
#[derive(Clone, Debug)]
pub struct Uv {
    executable: PathBuf,
    capabilities: Capabilities,
}

impl Uv {
    /// Where it is.
    pub fn executable(&self) -> &Path {
        &self.executable
    }

    /// Its version, the platforms it resolves for, and its default index.
    pub fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }
}
