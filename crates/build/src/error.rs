use imagewright_debian::DebianError;
use imagewright_layer::LayerError;
use imagewright_lock::uv::UvError;
use imagewright_lock::{DownloadError, LockError};
use imagewright_oci::{Digest, ImageReference, Platform, ReferenceError};
use imagewright_plan::PlanError;
use imagewright_recipe::RecipeError;
use imagewright_registry::RegistryError;
use imagewright_sandbox::{Exit, Network, NoEmulator, SandboxError};
use imagewright_spec::SpecError;
use imagewright_store::StoreError;
use thiserror::Error;

use crate::bytecode::BytecodeError;
use crate::docker::DockerError;
use crate::failure::{self, FailureKind};
use crate::produce::CopyError;
use crate::provenance::AnnotationError;
use crate::secret::SecretError;
use crate::sink::SinkError;

/// Why an image could not be made.
#[derive(Debug, Error)]
pub enum BuildError {
    /// The spec is wrong, or a file that it names.
    #[error(transparent)]
    Spec(#[from] SpecError),
    /// The spec asks for what cannot be done.
    #[error(transparent)]
    Recipe(#[from] RecipeError),
    /// Something could not be pinned.
    #[error(transparent)]
    Lock(LockError),
    /// uv is not to be had.
    #[error(transparent)]
    Uv(#[from] UvError),
    /// The lock cannot become an image.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// A layer could not be made.
    #[error(transparent)]
    Layer(#[from] LayerError),
    /// A file of the user's could not be copied.
    #[error(transparent)]
    Copy(#[from] CopyError),
    /// A secret is not to be had.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// Modules could not be compiled.
    #[error(transparent)]
    Bytecode(#[from] BytecodeError),
    /// A Debian package could not be read.
    #[error(transparent)]
    Debian(#[from] DebianError),
    /// An input could not be downloaded.
    #[error(transparent)]
    Download(#[from] DownloadError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A registry failed.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// A name that the command line gives is none.
    #[error(transparent)]
    Reference(#[from] ReferenceError),
    /// The lock was made from another spec, and may not be changed.
    #[error("{place} does not cover {}: the spec or its files changed since it was made", what.join(", "))]
    NotCovered {
        /// Where the lock is.
        place: String,
        /// What it does not cover: fields of the spec, files, platforms.
        what: Vec<String>,
    },
    /// Everything must be in the lock, and versions of the system's packages are not.
    #[error("{place} has no versions of the spec's apt_packages for {platform}")]
    AptOpen {
        /// Where the lock is.
        place: String,
        /// For what.
        platform: Platform,
    },
    /// Everything must be in the lock, and there is none.
    #[error("`--frozen` needs a lock, and there is none")]
    NoLock,
    /// The lock is not for this platform.
    #[error("the lock has nothing for {platform}")]
    NoPlatform {
        /// The platform.
        platform: Platform,
    },
    /// The tag could not be checked.
    #[error("whether {reference} exists is unknown")]
    UnknownExistence {
        /// What was asked for.
        reference: ImageReference,
        /// Why it is unknown.
        #[source]
        source: Box<RegistryError>,
    },
    /// What is under a tag is no image.
    #[error("what {reference} names is no image that can be read")]
    ForeignManifest {
        /// What was asked for.
        reference: ImageReference,
        /// Why.
        #[source]
        source: imagewright_oci::ManifestError,
    },
    /// What is under a tag has no readable configuration.
    #[error("the configuration of {reference} cannot be read")]
    ForeignConfig {
        /// What was asked for.
        reference: ImageReference,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
    /// What is under a tag is annotated in our name, and not as we do.
    #[error("what {reference} names says in an unknown way where it came from")]
    ForeignAnnotation {
        /// What was asked for.
        reference: ImageReference,
        /// What it says.
        #[source]
        source: AnnotationError,
    },
    /// What the store keeps as an image is none.
    #[error("what the store has as the manifest of {reference} is none")]
    StoredManifest {
        /// What was asked for.
        reference: ImageReference,
        /// Why.
        #[source]
        source: imagewright_oci::ManifestError,
    },
    /// An image that is neither in the store nor in its registry.
    #[error("there is no image {reference}, neither in the store nor in its registry")]
    NoImage {
        /// What was asked for.
        reference: ImageReference,
    },
    /// An image that is not made for the platform.
    #[error("{reference} is not there for {platform}")]
    NoImagePlatform {
        /// What was asked for.
        reference: ImageReference,
        /// The platform that was asked for.
        platform: Platform,
        /// What there is.
        found: Vec<Platform>,
    },
    /// A layer that was there a moment ago.
    #[error("the layer {digest} vanished from the store")]
    LayerLost {
        /// Which.
        digest: Digest,
    },
    /// A layer that is there cannot be read.
    #[error("the layer {digest} cannot be read")]
    LayerUnreadable {
        /// Which.
        digest: Digest,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// Layers that were damaged in the store, and cannot be had again.
    #[error("what was damaged in the store is removed ({}), and the image cannot be had without it", layers.join(", "))]
    NotMended {
        /// What the layers are called.
        layers: Vec<String>,
        /// Why they cannot be had.
        #[source]
        source: Box<BuildError>,
    },
    /// A layer could not be unpacked, or a command not be started.
    #[error(transparent)]
    Sandbox(#[from] SandboxError),
    /// The image cannot be brought to a sink.
    #[error(transparent)]
    Sink(#[from] SinkError),
    /// A command of the spec failed.
    #[error("{origin} failed with {exit}{}", told(last_lines))]
    Step {
        /// Where the spec asks for it.
        origin: String,
        /// How it ended.
        exit: Exit,
        /// The last lines that it wrote.
        last_lines: Vec<String>,
        /// What network it had.
        network: Network,
    },
    /// Packages of the system could not be installed.
    #[error("{origin}: apt-get cannot install {} and ended with {exit}{}", what(package.as_ref()), told(last_lines))]
    Apt {
        /// Where the spec asks for it.
        origin: String,
        /// The package that apt speaks of, if it is one of the spec's.
        package: Option<String>,
        /// The system whose apt does not know it, if that is why.
        unknown_in: Option<String>,
        /// How it ended.
        exit: Exit,
        /// The last lines that it wrote.
        last_lines: Vec<String>,
        /// What network it had.
        network: Network,
    },
    /// Versions that a lock pins are to be had no longer.
    #[error("{system} has {} no longer, and the store has not kept {}", packages.join(", "), if packages.len() == 1 { "it" } else { "them" })]
    AptGone {
        /// As `name=version`.
        packages: Vec<String>,
        /// The system whose archive had them.
        system: String,
    },
    /// An image without what starts a command.
    #[error("{origin}: the image has no {shell}, so no command can run in it")]
    NoShell {
        /// The field of the spec that asks for it.
        origin: String,
        /// What would have started it.
        shell: String,
    },
    /// A look at a failed step that there is not.
    #[error("no step{} has failed on this machine, or what it left is pruned", image.as_ref().map(|image| format!(" of {}", image.familiar())).unwrap_or_default())]
    NothingFailed {
        /// The image whose build is asked about.
        image: Option<ImageReference>,
    },
    /// What apt says that it would install cannot be understood.
    #[error("what apt chose cannot be understood")]
    AptChoice {
        /// What of it.
        #[source]
        source: DebianError,
    },
    /// What apt works with could not be read or written.
    #[error("the files that apt works with cannot be read or written")]
    AptFiles {
        /// Which, and why.
        #[source]
        source: std::io::Error,
    },
    /// A project without a wheel could not be built.
    #[error("{source_name} cannot be built: its backend ended with {exit}{}", told(last_lines))]
    WheelBuild {
        /// The source.
        source_name: String,
        /// How the backend ended.
        exit: Exit,
        /// The last lines that it wrote.
        last_lines: Vec<String>,
    },
    /// What a build works with could not be read or written.
    #[error("the files of the build of {source_name} cannot be read or written")]
    BuildFiles {
        /// The source.
        source_name: String,
        /// Which, and why.
        #[source]
        source: std::io::Error,
    },
    /// A wheel that was built again is not what it was.
    #[error("{filename}, built again from {source_name}, is {built} and not {pinned}, which the lock pins")]
    OtherWheel {
        /// The wheel.
        filename: String,
        /// The source.
        source_name: String,
        /// What it was.
        pinned: Digest,
        /// What it is.
        built: Digest,
    },
    /// No command can be run here, and the spec asks for one.
    #[error("{origin} needs a sandbox, and none works here")]
    NoSandbox {
        /// The field of the spec that asks for it.
        origin: String,
        /// Why.
        #[source]
        source: SandboxError,
    },
    /// Commands that this machine cannot execute.
    #[error("{} would have to run on {platform}, which this machine does not execute: {source}", fields.join(" and "))]
    ForeignPlatform {
        /// The fields of the spec that ask for it.
        fields: Vec<String>,
        /// What the image is for.
        platform: Platform,
        /// Why it cannot.
        source: NoEmulator,
    },
    /// Docker did not build the image.
    #[error(transparent)]
    Docker(#[from] DockerError),
    /// An image over one of the same name.
    #[error("base_image: {image} would be made on top of an image of the same name")]
    OwnBase {
        /// The name.
        image: ImageReference,
    },
    /// Another image of the same command is on top of it too, and its failure is told there.
    #[error("its base {image} could not be made")]
    BaseFailed {
        /// The base.
        image: ImageReference,
        /// Of that failure.
        kind: FailureKind,
    },
    /// The builder names the base, and there is none that has a name.
    #[error("the noop builder names the base image, and the spec has none that is in a registry")]
    NoBaseName,
    /// The builder makes no image of its own.
    #[error("the noop builder builds nothing: the base image is the image")]
    NothingBuilt,
    /// An input in the store cannot be opened.
    #[error("an input in the store cannot be opened")]
    Artifact {
        /// Which, and why.
        #[source]
        source: std::io::Error,
    },
    /// A user's number that layers cannot hold.
    #[error("the owner {id} of {path} is not a 32-bit number")]
    Owner {
        /// The path.
        path: String,
        /// The number.
        id: u64,
    },
}

/// A builder of wheels that the resolver has called says itself why it failed.
impl From<LockError> for BuildError {
    fn from(error: LockError) -> Self {
        match error {
            LockError::Builder { source } => match source.downcast::<Self>() {
                Ok(own) => *own,
                Err(source) => Self::Lock(LockError::Builder { source }),
            },
            other => Self::Lock(other),
        }
    }
}

impl BuildError {
    pub(crate) fn artifact(source: std::io::Error) -> Self {
        Self::Artifact { source }
    }

    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Spec(source) => source.hint(),
            Self::Recipe(source) => source.hint(),
            Self::Lock(source) => source.hint(),
            Self::Uv(source) => source.hint(),
            Self::Plan(source) => source.hint(),
            Self::Layer(source) => failure::disk_hint(source).or_else(|| source.hint()),
            Self::Copy(source) => source.hint(),
            Self::Secret(source) => source.hint(),
            Self::Bytecode(source) => source.hint(),
            Self::Debian(source) => failure::disk_hint(source).or_else(|| source.hint()),
            Self::Download(source) => source.hint(),
            Self::Store(source) => source.hint(),
            Self::Registry(source) => source.hint(),
            Self::UnknownExistence { source, .. } => source.hint(),
            Self::NotCovered { .. } | Self::NoLock | Self::NoPlatform { .. } => {
                Some("make it with `imagewright lock SPEC`; what an earlier lock pins stays".to_owned())
            }
            Self::StoredManifest { .. } => Some("build the image with `--force`".to_owned()),
            Self::ForeignManifest { .. } | Self::ForeignConfig { .. } | Self::ForeignAnnotation { .. } => {
                Some("delete the tag, or build with `--force`".to_owned())
            }
            Self::NoImage { .. } => {
                Some("build it, or check its name and your login to the registry".to_owned())
            }
            Self::NoImagePlatform { found, .. } => {
                let found: Vec<String> = found.iter().map(Platform::to_string).collect();
                Some(format!("it is there for {}", found.join(", ")))
            }
            Self::Sandbox(source) | Self::NoSandbox { source, .. } => source.hint(),
            Self::ForeignPlatform { fields, .. } => Some(format!(
                "install an emulator on this machine (Debian's and Ubuntu's `qemu-user-static`; where there is Docker, \
                 `docker run --privileged --rm tonistiigi/binfmt --install all`), build on a machine of that platform, \
                 or leave out {}",
                fields.join(" and ")
            )),
            Self::Sink(source) => source.hint(),
            Self::Docker(source) => source.hint(),
            Self::OwnBase { .. } => {
                Some("give one of them another `name`, or a `tag_format` with `{spec_hash}`".to_owned())
            }
            Self::NoBaseName => Some("write `base_image:` with the name of an image".to_owned()),
            Self::NothingBuilt => {
                Some("ask for the base image by its name, or set another `builder`".to_owned())
            }
            Self::LayerLost { .. } => Some("run the command again".to_owned()),
            Self::LayerUnreadable { .. } => {
                Some("`imagewright cache check` finds what is damaged".to_owned())
            }
            Self::NotMended { .. } => {
                Some("build the image again; what is still in the store is not made again".to_owned())
            }
            Self::Apt { .. }
            | Self::Step { .. }
            | Self::AptGone { .. }
            | Self::AptOpen { .. }
            | Self::NothingFailed { .. }
            | Self::NoShell { .. }
            | Self::WheelBuild { .. }
            | Self::OtherWheel { .. } => self.step_hint(),
            Self::BuildFiles { .. } | Self::AptFiles { .. } => Some(
                "`imagewright doctor` says where the store is: it has to have room, and to be writable"
                    .to_owned(),
            ),
            Self::AptChoice { .. } => Some(
                "install the packages with `commands: [apt-get update, apt-get install --yes …]`".to_owned(),
            ),
            Self::Reference(_) | Self::Artifact { .. } | Self::Owner { .. } | Self::BaseFailed { .. } => None,
        }
    }
}

fn what(package: Option<&String>) -> String {
    package.map_or_else(|| "the packages".to_owned(), |package| format!("`{package}`"))
}

/// What a command wrote last, below its failure.
fn told(last_lines: &[String]) -> String {
    match last_lines {
        [] => ", without a word".to_owned(),
        lines => format!(
            "; it wrote last:\n{}",
            lines.iter().map(|line| format!("    {line}")).collect::<Vec<_>>().join("\n")
        ),
    }
}
