//! How what a spec executes is kept apart from the machine.

use std::path::{Path, PathBuf};

use imagewright_sandbox::{Mode, Sandbox, SandboxError};

/// How commands are isolated.
#[derive(Clone, Debug)]
pub struct SandboxChoice {
    /// The program that is the sandbox's helper.
    pub helper: PathBuf,
    /// The mode to use, instead of the best that works.
    pub mode: Option<Mode>,
}

impl SandboxChoice {
    /// The sandbox that is to be used here; `scratch` is an empty directory on the file system that commands write to.
    pub fn find(&self, scratch: &Path) -> Result<Sandbox, SandboxError> {
        match self.mode {
            Some(mode) => Sandbox::forced(mode, &self.helper, scratch),
            None => Sandbox::first(&self.helper, scratch),
        }
    }
}
