use std::path::PathBuf;

/// Options of the native builder: `builder_options` in the spec.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuilderOptions {
    /// Whether the image has compiled Python beside its sources; on by default, as in flytekit.
    pub bytecode: bool,
    /// Whether each of the `commands` is a layer of its own (`commands: separate`), not all one (`joined`).
    pub separate_commands: bool,
    /// What is copied besides `copy`, and how.
    pub copy: Vec<CopyOptions>,
}

/// A file or folder to copy, and how: one entry of `copy` in `builder_options`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CopyOptions {
    /// On this machine; relative, below the working directory.
    pub source: PathBuf,
    /// In the image: its own path, or with a slash at the end the folder that a file is put into. Without a leading
    /// slash it is below `/root`; without any, it is the path of the source.
    pub destination: Option<String>,
    /// `user`, `user:group`, by name or number; without one it is the user of tasks.
    pub owner: Option<String>,
    /// Permissions of its files; folders may be searched by whoever may read them.
    pub mode: Option<u32>,
}

impl Default for BuilderOptions {
    fn default() -> Self {
        Self { bytecode: true, separate_commands: false, copy: Vec::new() }
    }
}
