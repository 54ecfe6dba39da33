use std::error::Error;
use std::fmt;
use std::path::PathBuf;

use futures_util::future::LocalBoxFuture;
use imagewright_oci::{Digest, Platform};
use imagewright_pypa::WheelFilename;

use super::WheelBuild;
use crate::base_image::BaseImage;
use crate::document::PlatformLock;

/// Where projects are built: the image without any of its Python packages.
#[derive(Clone, Copy, Debug)]
pub struct BuildRoot<'a> {
    /// What the image is for.
    pub platform: &'a Platform,
    /// What is pinned of it so far.
    pub lock: &'a PlatformLock,
    /// What it is above.
    pub base: &'a BaseImage,
}

/// A wheel that was built; it is an artifact of the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuiltWheel {
    /// As the project's build backend called it.
    pub filename: WheelFilename,
    /// Of the wheel.
    pub sha256: Digest,
    /// In bytes.
    pub size: u64,
}

/// Why a builder failed.
pub type BuilderFailure = Box<dyn Error + Send + Sync>;

/// Runs a project's build backend (PEP 517), which is code that was downloaded: in a sandbox, and never here.
pub trait WheelBuilder: fmt::Debug {
    /// The wheel, if it was built before from the same.
    fn known(&self, root: BuildRoot<'_>, build: &WheelBuild) -> Result<Option<BuiltWheel>, BuilderFailure>;

    /// What the backend asks for besides the requirements of `build`.
    fn requirements<'a>(
        &'a self,
        root: BuildRoot<'a>,
        build: &'a WheelBuild,
    ) -> LocalBoxFuture<'a, Result<Vec<String>, BuilderFailure>>;

    /// The wheel; one that was built before from the same is taken.
    fn wheel<'a>(
        &'a self,
        root: BuildRoot<'a>,
        build: &'a WheelBuild,
    ) -> LocalBoxFuture<'a, Result<BuiltWheel, BuilderFailure>>;

    /// A Python of the image's release that runs on this machine: its compiler, where it has one.
    fn python<'a>(
        &'a self,
        root: BuildRoot<'a>,
    ) -> LocalBoxFuture<'a, Result<Option<PathBuf>, BuilderFailure>>;
}
