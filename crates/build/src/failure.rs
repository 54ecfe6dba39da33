//! What kind of failure an error is (design D12).
//!
//! The rule: it is the machine's when this machine or its store failed, whatever was being done; the network's when
//! what was to come did not come, or came as something else than it was signed or pinned as; one of resolution when it
//! came as it was pinned and is of no use.

use std::error::Error;
use std::io;

use imagewright_debian::{DebProblem, DebianError, FetchError};
use imagewright_layer::{LayerError, WheelProblem, ZipProblem};
use imagewright_lock::python::PythonErrorKind;
use imagewright_lock::{DownloadError, LockError, SourceError};
use imagewright_registry::RegistryError;
use imagewright_sandbox::SandboxError;
use imagewright_store::StoreError;

use crate::BuildError;
use crate::bytecode::BytecodeError;
use crate::docker::DockerError;
use crate::sink::SinkError;

/// What kind of failure it is, which decides the exit code (design D12).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailureKind {
    /// The user's spec or arguments.
    Usage,
    /// Packages cannot be resolved, or not be installed.
    Resolution,
    /// Network or registry.
    Network,
    /// A step in the image.
    Step,
    /// The machine: a full disk, a read-only store.
    Machine,
    /// A bug of ours.
    Internal,
}

impl BuildError {
    /// What kind of failure it is.
    pub fn kind(&self) -> FailureKind {
        match self {
            Self::Uv(source) if source.is_of_disk() => FailureKind::Machine,
            Self::Uv(source) if source.is_of_network() => FailureKind::Network,
            Self::Spec(_)
            | Self::Uv(_)
            | Self::Recipe(_)
            | Self::Plan(_)
            | Self::Copy(_)
            | Self::Secret(_)
            | Self::Reference(_)
            | Self::NotCovered { .. }
            | Self::AptOpen { .. }
            | Self::NoLock
            | Self::ForeignPlatform { .. }
            | Self::NoBaseName
            | Self::OwnBase { .. }
            | Self::NothingBuilt
            | Self::NoShell { .. }
            | Self::NothingFailed { .. }
            | Self::NoPlatform { .. } => FailureKind::Usage,
            Self::BaseFailed { kind, .. } => *kind,
            Self::AptGone { .. } | Self::OtherWheel { .. } => FailureKind::Resolution,
            Self::Lock(source) => lock_kind(source),
            Self::Layer(source) | Self::Bytecode(BytecodeError::Layer(source)) => layer_kind(source),
            Self::Download(source) => download_kind(source),
            Self::Debian(source) => debian_kind(source),
            Self::Store(source) | Self::Bytecode(BytecodeError::Store(source)) => store_kind(source),
            Self::Registry(source) => registry_kind(source),
            Self::UnknownExistence { source, .. } => registry_kind(source),
            Self::ForeignManifest { .. }
            | Self::ForeignConfig { .. }
            | Self::ForeignAnnotation { .. }
            | Self::NoImage { .. }
            | Self::NoImagePlatform { .. } => FailureKind::Network,
            Self::Step { .. } | Self::Apt { .. } | Self::WheelBuild { .. } => FailureKind::Step,
            Self::Sandbox(source) | Self::NoSandbox { source, .. } => sandbox_kind(source),
            Self::Sink(source) => sink_kind(source),
            Self::Docker(source) => docker_kind(source),
            Self::LayerLost { .. }
            | Self::LayerUnreadable { .. }
            | Self::NotMended { .. }
            | Self::StoredManifest { .. }
            | Self::Owner { .. }
            | Self::Artifact { .. }
            | Self::AptFiles { .. }
            | Self::AptChoice { .. }
            | Self::BuildFiles { .. }
            | Self::Bytecode(_) => FailureKind::Machine,
        }
    }
}

fn lock_kind(error: &LockError) -> FailureKind {
    match error {
        LockError::Python { source } => match source.kind() {
            PythonErrorKind::Input => FailureKind::Usage,
            PythonErrorKind::Unresolvable => FailureKind::Resolution,
            PythonErrorKind::Network => FailureKind::Network,
            PythonErrorKind::Machine => FailureKind::Machine,
            PythonErrorKind::Defect => FailureKind::Internal,
        },
        LockError::NoWheels { .. }
        | LockError::NoLibc
        | LockError::NoArchive { .. }
        | LockError::NoArchivePlatform { .. } => FailureKind::Resolution,
        LockError::Source(source) => source_kind(source),
        LockError::Builder { .. } => FailureKind::Step,
        LockError::NoCompiler { source, .. } => lock_kind(source),
        LockError::Download(source) => download_kind(source),
        LockError::Archive { source, .. } => download_kind(source),
        LockError::Debian(source) => debian_kind(source),
        LockError::Store(source) => store_kind(source),
        LockError::ArchiveListing { .. }
        | LockError::NoArchiveListing { .. }
        | LockError::ArchiveListingAnswer { .. } => FailureKind::Machine,
        LockError::PackageGone { .. }
        | LockError::NoChecksum { .. }
        | LockError::Registry { .. }
        | LockError::NoBase { .. }
        | LockError::NoBasePlatform { .. }
        | LockError::BaseManifest { .. }
        | LockError::NestedIndex { .. }
        | LockError::BaseConfig { .. }
        | LockError::BaseLayer { .. } => FailureKind::Network,
        LockError::LocalBase { .. }
        | LockError::NoSuchInterpreter { .. }
        | LockError::InterpreterMismatch { .. }
        | LockError::NotPinned { .. }
        | LockError::NotChosen { .. }
        | LockError::Malformed { .. }
        | LockError::OtherVersion { .. } => FailureKind::Usage,
    }
}

fn source_kind(error: &SourceError) -> FailureKind {
    match error {
        SourceError::Git { .. } | SourceError::GitTime { .. } | SourceError::Offline { .. } => {
            FailureKind::Network
        }
        SourceError::Folder(_)
        | SourceError::NoRevision { .. }
        | SourceError::NoGit { .. }
        | SourceError::Unsteady { .. } => FailureKind::Usage,
        SourceError::Files { .. } => FailureKind::Machine,
        SourceError::Changed { .. }
        | SourceError::HashMismatch { .. }
        | SourceError::Archive { .. }
        | SourceError::NoProject { .. }
        | SourceError::NoSubdirectory { .. }
        | SourceError::Project { .. }
        | SourceError::OtherName { .. }
        | SourceError::Circle { .. } => FailureKind::Resolution,
    }
}

/// Files that come in are checked against their digests before they are read, so a wheel or an archive that breaks
/// its format is what was chosen: choosing another one helps, trying again does not.
fn layer_kind(error: &LayerError) -> FailureKind {
    match error {
        LayerError::Wheel { problem: WheelProblem::Zip { source: ZipProblem::Read { source } }, .. }
        | LayerError::Content { source, .. }
        | LayerError::Archive { source, .. } => content_kind(source),
        LayerError::Write { .. }
        | LayerError::Bytecode { .. }
        | LayerError::Read { .. }
        | LayerError::Damaged { .. } => FailureKind::Machine,
        // A layer of a base, as its registry describes it.
        LayerError::UnknownMediaType { .. } => FailureKind::Network,
        LayerError::ContentSize { .. } | LayerError::Order { .. } | LayerError::Path { .. } => {
            FailureKind::Internal
        }
        _ => FailureKind::Resolution,
    }
}

/// The archive is signed, and its packages are pinned by their hashes. What does not fit was altered or is in the
/// middle of an update: that is the mirror's, as another one helps. A package that has its hash and cannot be
/// unpacked is like a wheel that is refused.
fn debian_kind(error: &DebianError) -> FailureKind {
    match error {
        DebianError::Deb { problem: DebProblem::Read(source), .. } => content_kind(source),
        DebianError::Open { .. }
        | DebianError::Write { .. }
        | DebianError::Deb { problem: DebProblem::Spool { .. }, .. } => FailureKind::Machine,
        DebianError::UnknownSuite { .. }
        | DebianError::Platform { .. }
        | DebianError::PackageName { .. }
        | DebianError::MirrorUrl { .. } => FailureKind::Usage,
        DebianError::Unsatisfiable { .. }
        | DebianError::Conflict { .. }
        | DebianError::NoPython { .. }
        | DebianError::PathTwice { .. }
        | DebianError::PackageText { .. }
        | DebianError::Certificate { .. }
        | DebianError::Deb { .. } => FailureKind::Resolution,
        DebianError::Fetch { source: FetchError::Transfer { source }, .. } => {
            source.downcast_ref().map_or(FailureKind::Network, download_kind)
        }
        _ => FailureKind::Network,
    }
}

fn registry_kind(error: &RegistryError) -> FailureKind {
    match error {
        RegistryError::Source { .. } => FailureKind::Machine,
        _ => FailureKind::Network,
    }
}

fn sandbox_kind(error: &SandboxError) -> FailureKind {
    match error {
        SandboxError::UnknownMode { .. }
        | SandboxError::ModeUnavailable { .. }
        | SandboxError::NoSuchUser { .. }
        | SandboxError::WorkingDirectory { .. }
        | SandboxError::NoCommand => FailureKind::Usage,
        _ => FailureKind::Machine,
    }
}

fn sink_kind(error: &SinkError) -> FailureKind {
    match error {
        SinkError::Write { .. } | SinkError::Engine { .. } => FailureKind::Machine,
        SinkError::Target { .. }
        | SinkError::NotALayout { .. }
        | SinkError::LayoutIndex { .. }
        | SinkError::OnePlatform { .. }
        | SinkError::NoProgram { .. } => FailureKind::Usage,
    }
}

fn docker_kind(error: &DockerError) -> FailureKind {
    match error {
        DockerError::Build { .. } => FailureKind::Step,
        DockerError::Push { .. } => FailureKind::Network,
        DockerError::NoEngine { .. }
        | DockerError::Start { .. }
        | DockerError::Inspection { .. }
        | DockerError::Context { .. } => FailureKind::Machine,
        DockerError::NoProgram
        | DockerError::SeveralPlatforms { .. }
        | DockerError::Offline
        | DockerError::Unwritable { .. }
        | DockerError::LocalBase { .. }
        | DockerError::Login { .. }
        | DockerError::OnlyInDocker { .. } => FailureKind::Usage,
    }
}

fn download_kind(error: &DownloadError) -> FailureKind {
    match error {
        DownloadError::Store(source) => store_kind(source),
        _ => FailureKind::Network,
    }
}

fn store_kind(error: &StoreError) -> FailureKind {
    match error {
        // What came is something else: whoever sent it, it was not this machine.
        StoreError::Mismatch { .. } => FailureKind::Network,
        _ => FailureKind::Machine,
    }
}

/// Why a content could not be read: the machine does not do it, or the content is not what its format asks for.
fn content_kind(error: &io::Error) -> FailureKind {
    if is_of_machine(error) { FailureKind::Machine } else { FailureKind::Resolution }
}

/// Whether a call of the operating system failed, however deep below. Decoders make errors of their own.
fn is_of_machine(error: &(dyn Error + 'static)) -> bool {
    if error.is::<StoreError>() || is_of_disk(error) {
        return true;
    }
    match error.downcast_ref::<io::Error>() {
        // The source of such an error is that of the one inside, which would be passed over.
        Some(error) if error.raw_os_error().is_none() => {
            error.get_ref().is_some_and(|inside| is_of_machine(inside))
        }
        Some(_) => true,
        None => error.source().is_some_and(is_of_machine),
    }
}

/// Whether a disk is full or read-only. An error that names its path has the kind, and not the system's error.
fn is_of_disk(error: &(dyn Error + 'static)) -> bool {
    use io::ErrorKind::{QuotaExceeded, ReadOnlyFilesystem, StorageFull};
    let error = error.downcast_ref::<io::Error>();
    error.is_some_and(|it| matches!(it.kind(), StorageFull | QuotaExceeded | ReadOnlyFilesystem))
}

/// What to do when the disk is why something failed, whatever that thing says of itself.
pub(crate) fn disk_hint(error: &(dyn Error + 'static)) -> Option<String> {
    const HINT: &str = "free some space, run `imagewright cache prune`, or set IMAGEWRIGHT_STORE to a directory that can \
                        be written and has room";
    let mut next = Some(error);
    while let Some(error) = next {
        if is_of_disk(error) {
            return Some(HINT.to_owned());
        }
        next = error.source();
    }
    None
}

#[cfg(test)]
mod tests {
    use std::io::ErrorKind;

    use imagewright_lock::uv::UvError;
    use imagewright_oci::Digest;

    use super::*;

    const FULL: i32 = 28;

    fn full() -> io::Error {
        let inside = io::Error::from_raw_os_error(FULL);
        io::Error::new(inside.kind(), io::Error::other(inside))
    }

    /// As the store's writers make it: the path is told, the system's own error is not.
    fn full_at_path() -> io::Error {
        io::Error::new(
            ErrorKind::StorageFull,
            "failed to write to `/store/staging/1`: No space left on device",
        )
    }

    fn broken() -> io::Error {
        io::Error::new(ErrorKind::InvalidData, "corrupt deflate stream")
    }

    fn mismatch() -> StoreError {
        let (expected, actual) = (Digest::of(b"a"), Digest::of(b"b"));
        StoreError::Mismatch { name: "numpy".to_owned(), expected, actual }
    }

    #[track_caller]
    fn check(error: impl Into<BuildError>, expected: FailureKind) {
        let error = error.into();
        assert_eq!(error.kind(), expected, "{error}");
    }

    fn wheel(problem: WheelProblem) -> LayerError {
        LayerError::Wheel { wheel: "numpy.whl".to_owned(), problem }
    }

    fn content(source: io::Error) -> LayerError {
        LayerError::Content { path: "usr/bin/python3".to_owned(), source }
    }

    fn package(problem: DebProblem) -> DebianError {
        DebianError::Deb { package: "bash".parse().unwrap(), problem }
    }

    fn fetch(source: impl Error + Send + Sync + 'static) -> DebianError {
        let url = Box::new("http://mirror.test/InRelease".parse().unwrap());
        DebianError::Fetch { url, source: FetchError::Transfer { source: Box::new(source) } }
    }

    #[test]
    fn a_full_disk_is_the_machines_wherever_it_shows() {
        check(LayerError::Write { source: full() }, FailureKind::Machine);
        check(content(full()), FailureKind::Machine);
        check(wheel(ZipProblem::Read { source: full() }.into()), FailureKind::Machine);
        check(DebianError::Write { source: full() }, FailureKind::Machine);
        check(package(DebProblem::Read(full())), FailureKind::Machine);
        check(package(DebProblem::Read(full_at_path())), FailureKind::Machine);
        check(content(full_at_path()), FailureKind::Machine);
        let store = || StoreError::ReadOnly { path: "/store".into(), source: None };
        check(content(io::Error::other(store())), FailureKind::Machine);
        check(fetch(DownloadError::Store(store())), FailureKind::Machine);
        let attempts = vec!["`pip`: OSError: [Errno 28] No space left on device: 'uv'".to_owned()];
        let requirement = "uv".to_owned();
        check(UvError::Missing { attempts, requirement, is_unreachable: false }, FailureKind::Machine);
        check(LockError::Debian(DebianError::Write { source: full() }), FailureKind::Machine);
    }

    #[test]
    fn a_full_disk_is_not_advised_as_damage() {
        let advice = |error: DebianError| BuildError::from(error).hint().unwrap();
        assert!(advice(package(DebProblem::Read(full_at_path()))).starts_with("free some space"));
        assert!(advice(package(DebProblem::Read(broken()))).contains("may be damaged"));
    }

    #[test]
    fn what_came_as_pinned_and_is_of_no_use_is_resolution() {
        check(wheel(WheelProblem::MissingFile { file: "RECORD".to_owned() }), FailureKind::Resolution);
        check(wheel(ZipProblem::Read { source: broken() }.into()), FailureKind::Resolution);
        check(
            BytecodeError::Layer(wheel(ZipProblem::Read { source: broken() }.into())),
            FailureKind::Resolution,
        );
        check(content(broken()), FailureKind::Resolution);
        check(package(DebProblem::Read(broken())), FailureKind::Resolution);
        check(package(DebProblem::Archive), FailureKind::Resolution);
    }

    #[test]
    fn what_did_not_come_or_was_altered_is_network() {
        check(fetch(io::Error::from_raw_os_error(111)), FailureKind::Network);
        check(fetch(DownloadError::Store(mismatch())), FailureKind::Network);
        check(mismatch(), FailureKind::Network);
        let (expected, found) = (Digest::of(b"a"), Digest::of(b"b"));
        check(DebianError::WrongDigest { what: "main".to_owned(), expected, found }, FailureKind::Network);
    }
}
