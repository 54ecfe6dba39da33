use std::path::PathBuf;

use imagewright_oci::{ImageReference, Platform};
use imagewright_pypa::PythonVersion;
use indexmap::IndexMap;

use crate::identity::Identity;
use crate::{BuilderConfig, BuilderOptions, LocalImage, ProjectLock, SecretMount, SourceCopyMode};

/// Which image a task needs: flytekit's `ImageSpec`, valid and with its defaults filled in.
///
/// Made by [`load`](crate::load), [`parse_yaml`](crate::parse_yaml) and [`parse_json`](crate::parse_json), and
/// not changed afterwards: what the command line overrides is given to these. Empty texts and lists are what
/// unset ones are, except the entry point; only [`id`](ImageSpec::id) tells them apart, as flytekit does.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct ImageSpec {
    /// Name of the image, without registry and tag; lower case.
    pub name: String,
    /// Python of the image.
    pub python_version: Option<PythonVersion>,
    /// Which builder makes it.
    pub builder: BuilderName,
    /// Folder whose files are copied to `/root`.
    pub source_root: Option<PathBuf>,
    /// Environment variables, as written and in order.
    pub env: IndexMap<String, String>,
    /// Registry and path in it; lower case.
    pub registry: Option<String>,
    /// Python packages, as requirements.
    pub packages: Vec<String>,
    /// Conda packages.
    pub conda_packages: Vec<String>,
    /// Conda channels.
    pub conda_channels: Vec<String>,
    /// A requirements file, or the lock of a project.
    pub requirements: Option<PathBuf>,
    /// Debian packages.
    pub apt_packages: Vec<String>,
    /// CUDA release, which no builder of ours takes.
    pub cuda: Option<String>,
    /// cuDNN release, which no builder of ours takes.
    pub cudnn: Option<String>,
    /// What the image is made on top of.
    pub base_image: Option<BaseImage>,
    /// Platforms, all of Linux, without duplicates and never empty.
    pub platforms: Vec<Platform>,
    /// Whether these were written, and are not the default.
    pub states_platforms: bool,
    /// Package index instead of the default one.
    pub pip_index: Option<String>,
    /// Further package indexes.
    pub pip_extra_index_url: Vec<String>,
    /// Secrets that are there while something is resolved, installed or run.
    pub pip_secret_mounts: Vec<SecretMount>,
    /// Further arguments of the installation, as one text.
    pub pip_extra_args: Option<String>,
    /// Docker configuration file with the credentials to use.
    pub registry_config: Option<PathBuf>,
    /// Entry point; the empty one removes that of the base.
    pub entrypoint: Option<Vec<String>>,
    /// Commands that run in the image.
    pub commands: Vec<String>,
    /// Python format of the tag.
    pub tag_format: Option<String>,
    /// Which files of the source root are copied.
    pub source_copy_mode: SourceCopyMode,
    /// The files of the modules that the caller's Python has loaded, where a caller said which.
    pub loaded_modules: Option<Vec<PathBuf>>,
    /// Files and folders to copy to `/root`; relative, below the working directory.
    pub copy: Vec<PathBuf>,
    /// Python of the base that the packages are for.
    pub python_exec: Option<String>,
    /// Packages that are installed when a container starts.
    pub runtime_packages: Vec<String>,
    /// Options of the native builder.
    pub builder_options: BuilderOptions,
    /// Images that the docker builder takes its tools from.
    pub builder_config: BuilderConfig,
    /// What flytekit hashes; kept apart, because it is finer than what the fields above tell apart.
    pub(crate) identity: Identity,
}

impl ImageSpec {
    /// This spec, and those that make its base, and the base of that, the uppermost first.
    pub fn with_bases(&self) -> impl Iterator<Item = &Self> {
        std::iter::successors(Some(self), |spec| match &spec.base_image {
            Some(BaseImage::Spec(base)) => Some(&**base),
            _ => None,
        })
    }

    /// The same, and the specs that make its base, where these files are what `LOADED_MODULES` copies.
    #[must_use]
    pub fn with_loaded_modules(self, modules: Vec<PathBuf>) -> Self {
        let base_image = match self.base_image {
            Some(BaseImage::Spec(base)) => {
                Some(BaseImage::Spec(Box::new(base.with_loaded_modules(modules.clone()))))
            }
            other => other,
        };
        Self { base_image, loaded_modules: Some(modules), ..self }
    }

    /// Whether anything of the source root is copied.
    pub fn copies_source_root(&self) -> bool {
        self.source_root.is_some() && self.source_copy_mode != SourceCopyMode::NoCopy
    }

    /// The lock of a project that the requirements are, which is installed as locked.
    pub fn project_lock(&self) -> Option<ProjectLock> {
        ProjectLock::of(self.requirements.as_ref()?)
    }
}

/// Which builder makes an image (design D15).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum BuilderName {
    /// imagewright itself; also what flytekit calls `default`.
    #[default]
    Native,
    /// A Dockerfile and `docker build`.
    Docker,
    /// `build.envd` and envd.
    Envd,
    /// Nothing is built: the base image is the image.
    Noop,
    /// A build in the cluster.
    Remote,
}

/// What an image is made on top of.
#[derive(Clone, Debug, PartialEq)]
pub enum BaseImage {
    /// An image in a registry.
    Registry(ImageReference),
    /// An image in a folder or archive of this machine.
    Local(LocalImage),
    /// The image of another spec.
    Spec(Box<ImageSpec>),
}

/// What of a machine a spec's defaults depend on. Which machine it is, the caller says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HostArchitecture {
    /// 64-bit ARM: the default platform becomes `linux/arm64` when the registry is `localhost:…`.
    Arm64,
    /// Any other: the default platform is always `linux/amd64`.
    #[default]
    Other,
}

/// What the command line puts in the place of what the spec says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Overrides {
    /// Instead of `name`.
    pub name: Option<String>,
    /// Instead of `registry`.
    pub registry: Option<String>,
    /// Instead of `platform`; may be several, with commas.
    pub platform: Option<String>,
    /// Instead of `builder`.
    pub builder: Option<String>,
}

/// What a spec depends on beside its text.
#[derive(Clone, Debug, Default)]
pub struct ParseOptions {
    /// Of the machine that flytekit would run on.
    pub host: HostArchitecture,
    /// Of the command line.
    pub overrides: Overrides,
}
