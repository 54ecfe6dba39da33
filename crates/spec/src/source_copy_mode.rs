/// Which files of the source root are copied: flytekit's `CopyFileDetection`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SourceCopyMode {
    /// Those of the modules that the Python process has loaded.
    LoadedModules,
    /// All, except what `.gitignore` and `.dockerignore` name.
    All,
    /// None.
    #[default]
    NoCopy,
}

impl SourceCopyMode {
    /// By flytekit's name of it, with or without the class, or by the word of `pyflyte --copy`; in any case.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        match text.strip_prefix("CopyFileDetection.").unwrap_or(text).to_ascii_uppercase().as_str() {
            "LOADED_MODULES" | "AUTO" => Some(Self::LoadedModules),
            "ALL" => Some(Self::All),
            "NO_COPY" | "NONE" => Some(Self::NoCopy),
            _ => None,
        }
    }

    /// flytekit's name of it.
    pub fn name(self) -> &'static str {
        match self {
            Self::LoadedModules => "LOADED_MODULES",
            Self::All => "ALL",
            Self::NoCopy => "NO_COPY",
        }
    }

    /// flytekit's number of it.
    pub(crate) fn value(self) -> u8 {
        match self {
            Self::LoadedModules => 1,
            Self::All => 2,
            Self::NoCopy => 3,
        }
    }
}
