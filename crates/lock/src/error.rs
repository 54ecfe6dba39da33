use imagewright_debian::{DebianError, DebianName, FetchError};
use imagewright_layer::LayerError;
use imagewright_oci::{ImageReference, ManifestError, Platform};
use imagewright_pypa::{PackageName, PythonMinor, PythonVersion, TargetError};
use imagewright_registry::RegistryError;
use imagewright_spec::LocalImage;
use imagewright_store::StoreError;
use thiserror::Error;

use crate::archive::{PythonMirror, Triple};
use crate::download::DownloadError;
use crate::local::LocalImageError;
use crate::python::PythonError;
use crate::upgrade::{upgradable, upgradable_by_apt};
use crate::uv::UvError;
use crate::wheel_build::{BuilderFailure, SourceError};

/// Why a recipe could not be locked.
#[derive(Debug, Error)]
pub enum LockError {
    /// `python_exec` names nothing.
    #[error("the base image has no Python at {path}")]
    NoSuchInterpreter {
        /// What was named.
        path: String,
        /// The interpreters there are.
        found: Vec<String>,
    },
    /// `python_exec` and `python_version` disagree.
    #[error("{path} of the base image is Python {is}, not {wanted}")]
    InterpreterMismatch {
        /// What was named.
        path: String,
        /// Its version.
        is: String,
        /// The version that was asked for.
        wanted: PythonVersion,
    },
    /// A lock that cannot be read.
    #[error("{place} is not a lock that imagewright wrote")]
    Malformed {
        /// File name or source.
        place: String,
        /// Where and why.
        #[source]
        source: serde_json::Error,
    },
    /// A lock of another version of imagewright.
    #[error("{place} is a lock of version {version}")]
    OtherVersion {
        /// File name or source.
        place: String,
        /// Its version.
        version: u32,
    },
    /// What is to be chosen anew is not pinned.
    #[error("the lock does not pin {name}, so it cannot be upgraded")]
    NotPinned {
        /// As it was named.
        name: PackageName,
        /// The packages that are pinned, sorted.
        pinned: Vec<PackageName>,
    },
    /// A package of the system that is to be chosen anew was not chosen before.
    #[error("the lock has no version of {name} that apt chose, so it cannot be upgraded")]
    NotChosen {
        /// As it was named.
        name: DebianName,
        /// The packages that apt chose, sorted.
        chosen: Vec<DebianName>,
    },
    /// Packages could not be resolved.
    #[error(transparent)]
    Python {
        /// Why.
        source: Box<PythonError>,
    },
    /// A project could not be had, or not be used.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// A project could not be built.
    #[error(transparent)]
    Builder {
        /// What the builder says.
        source: BuilderFailure,
    },
    /// The base image has no C library that wheels are made for.
    #[error("the C library of the base image could not be found out")]
    NoLibc,
    /// There are no wheels for the platform.
    #[error("packages cannot be chosen")]
    NoWheels {
        /// Why.
        #[source]
        source: TargetError,
    },
    /// Debian's archive or one of its packages failed.
    #[error(transparent)]
    Debian(#[from] DebianError),
    /// The mirror no longer has a package that the lock pins.
    #[error("{server} no longer has {name} {version}, which the lock pins")]
    PackageGone {
        /// The package.
        name: String,
        /// Its version.
        version: String,
        /// The mirror.
        server: String,
    },
    /// The compiler of bytecode cannot be had.
    #[error("there is no compiler for the bytecode of Python {minor}")]
    NoCompiler {
        /// What modules would be compiled for.
        minor: PythonMinor,
        /// Why.
        #[source]
        source: Box<LockError>,
    },
    /// uv could not be asked which interpreters there are.
    #[error("uv could not be asked which Python archives there are")]
    ArchiveListing {
        /// Why.
        #[source]
        source: Box<UvError>,
    },
    /// uv refused to say which interpreters there are.
    #[error("uv does not say which archives of Python there are: {answer}")]
    NoArchiveListing {
        /// What it said instead.
        answer: String,
    },
    /// What uv says of interpreters cannot be understood.
    #[error("uv's list of Python archives cannot be read")]
    ArchiveListingAnswer {
        /// Where and why.
        #[source]
        source: serde_json::Error,
    },
    /// No archive has the Python that is asked for.
    #[error("there is no Python {version}: uv knows no archive of it for {}", .triple.as_str())]
    NoArchive {
        /// What was asked for.
        version: PythonVersion,
        /// What its programs have to be for.
        triple: Triple,
        /// The newest of the same minor release.
        newest: Option<PythonVersion>,
        /// The minor releases that there are, when that one is none.
        minors: Vec<PythonMinor>,
    },
    /// The mirror does not say what an archive's bytes are.
    #[error("the mirror {mirror} has no checksum of {file_name}")]
    NoChecksum {
        /// The archive.
        file_name: String,
        /// The mirror.
        mirror: PythonMirror,
    },
    /// An archive of an interpreter, or the list of its release, cannot be had.
    #[error("the Python archive {file_name} cannot be had")]
    Archive {
        /// The file.
        file_name: String,
        /// Why.
        #[source]
        source: Box<DownloadError>,
    },
    /// There are no archives for the base's processor.
    #[error("there is no Python {version}: no archives of it are made for {platform}")]
    NoArchivePlatform {
        /// What was asked for.
        version: PythonVersion,
        /// What the image is for.
        platform: Platform,
    },
    /// A file could not be downloaded.
    #[error(transparent)]
    Download(#[from] DownloadError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The registry of the base image failed.
    #[error("the base image {reference} cannot be read")]
    Registry {
        /// As written, normalised.
        reference: ImageReference,
        /// Why.
        #[source]
        source: Box<RegistryError>,
    },
    /// The base image's manifest is none that can be read.
    #[error("the manifest of the base image {reference} cannot be read")]
    BaseManifest {
        /// As written, normalised.
        reference: ImageReference,
        /// Why.
        #[source]
        source: ManifestError,
    },
    /// An index that lists indexes.
    #[error("{reference} is an index of indexes")]
    NestedIndex {
        /// As written, normalised.
        reference: ImageReference,
    },
    /// The base image's configuration is none.
    #[error("the configuration of the base image {reference} cannot be read")]
    BaseConfig {
        /// As written, normalised.
        reference: ImageReference,
        /// Where and why.
        #[source]
        source: serde_json::Error,
    },
    /// A layer of the base image is broken.
    #[error("a layer of the base image {reference} cannot be read")]
    BaseLayer {
        /// As written, normalised.
        reference: ImageReference,
        /// Where and why.
        #[source]
        source: LayerError,
    },
    /// A base image on this machine cannot be used.
    #[error("the base image {image} cannot be used")]
    LocalBase {
        /// As the spec names it.
        image: LocalImage,
        /// Why.
        #[source]
        source: LocalImageError,
    },
    /// The base image does not exist.
    #[error("the base image {reference} does not exist")]
    NoBase {
        /// As written, normalised.
        reference: ImageReference,
    },
    /// The base image is not made for the platform.
    #[error("the base image {reference} is not there for {platform}")]
    NoBasePlatform {
        /// As written, normalised.
        reference: ImageReference,
        /// What was asked for.
        platform: Platform,
        /// What there is.
        found: Vec<Platform>,
    },
}

impl From<PythonError> for LockError {
    fn from(source: PythonError) -> Self {
        Self::Python { source: Box::new(source) }
    }
}

impl LockError {
    /// What a builder says.
    pub(crate) fn builder(source: BuilderFailure) -> Self {
        Self::Builder { source }
    }

    pub(crate) fn registry(reference: &ImageReference, source: RegistryError) -> Self {
        Self::Registry { reference: reference.clone(), source: Box::new(source) }
    }

    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        let listed = |items: &[String]| items.join(", ");
        match self {
            Self::NoSuchInterpreter { found, .. } if found.is_empty() => {
                Some("the base image has no Python; leave out `python_exec`, and one is added".to_owned())
            }
            Self::NoSuchInterpreter { found, .. } => Some(format!("it has {}", listed(found))),
            Self::InterpreterMismatch { .. } => {
                Some("leave out one of `python_exec` and `python_version`".to_owned())
            }
            Self::Malformed { .. } | Self::OtherVersion { .. } => {
                Some("make it anew with `imagewright lock`".to_owned())
            }
            Self::NotPinned { name, pinned } => Some(upgradable(name, pinned)),
            Self::NotChosen { name, chosen } => Some(upgradable_by_apt(name, chosen)),
            Self::Python { source } => source.hint(),
            Self::Source(source) => source.hint(),
            Self::Download(source) => source.hint(),
            Self::Store(source) => source.hint(),
            Self::Registry { source, .. } => source.hint(),
            Self::Debian(source) => offline_hint(source).or_else(|| source.hint()),
            Self::PackageGone { .. } => {
                Some("take its successor with `imagewright lock --upgrade debian`".to_owned())
            }
            Self::NoCompiler { .. } => Some("set `bytecode: false` in `builder_options`".to_owned()),
            Self::ArchiveListing { source } => source.hint(),
            Self::NoArchive { newest: Some(newest), .. } => Some(format!(
                "the newest of that minor release is {newest}; a newer uv may know newer ones, or name a base \
                 image with that Python"
            )),
            Self::NoArchive { minors, .. } if !minors.is_empty() => {
                let minors: Vec<String> = minors.iter().map(PythonMinor::to_string).collect();
                Some(format!(
                    "`python_version` may be one of {}; else name a base image with that Python",
                    listed(&minors)
                ))
            }
            Self::NoArchive { newest: None, .. } | Self::NoArchivePlatform { .. } => {
                Some("name a base image with that Python, or ask for another `python_version`".to_owned())
            }
            Self::NoChecksum { .. } => {
                Some(
                    "a mirror needs the `SHA256SUMS` of each release; `python_version` may name a release that \
                     it has, such as 3.12.4"
                        .to_owned(),
                )
            }
            Self::Archive { source, .. } if source.is_offline() => source.hint(),
            Self::Archive { .. } => Some(
                "name a mirror in `python-mirror` or UV_PYTHON_INSTALL_MIRROR, or a base image with that Python"
                    .to_owned(),
            ),
            Self::NoLibc => Some("wheels need a base with the GNU C library or musl".to_owned()),
            Self::Builder { .. }
            | Self::NoArchiveListing { .. }
            | Self::ArchiveListingAnswer { .. }
            | Self::NoWheels { .. }
            | Self::BaseManifest { .. }
            | Self::NestedIndex { .. }
            | Self::BaseConfig { .. }
            | Self::BaseLayer { .. } => None,
            Self::LocalBase { source, .. } => source.hint(),
            Self::NoBase { .. } => {
                Some("check `base_image`, and that you are logged in to its registry".to_owned())
            }
            Self::NoBasePlatform { found, .. } => {
                let found: Vec<String> = found.iter().map(Platform::to_string).collect();
                Some(format!("it is there for {}", listed(&found)))
            }
        }
    }
}

/// That no mirror helps where none may be asked.
fn offline_hint(error: &DebianError) -> Option<String> {
    let DebianError::Fetch { source: FetchError::Transfer { source }, .. } = error else { return None };
    source.downcast_ref::<DownloadError>().filter(|error| error.is_offline())?.hint()
}
