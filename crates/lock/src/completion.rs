//! What an index leaves open of the wheels that were chosen: their digests and sizes.

use futures_util::{StreamExt as _, TryStreamExt as _, stream};

use crate::LockError;
use crate::download::{Downloads, Wanted};
use crate::python::{ChosenPackage, LockedPackage, WheelSource};

/// How many answers about sizes are waited for at once.
const SIZES_AT_ONCE: usize = 16;

/// Pins every wheel by what it is, and downloads those whose digest or size no one states.
///
/// Here every wheel is held against the hashes that the user allows, whoever said what its digest is.
pub async fn complete(
    downloads: &Downloads,
    packages: Vec<ChosenPackage>,
) -> Result<Vec<LockedPackage>, LockError> {
    let completed = packages.into_iter().map(|package| complete_one(downloads, package));
    stream::iter(completed).buffered(SIZES_AT_ONCE).try_collect().await
}

async fn complete_one(downloads: &Downloads, package: ChosenPackage) -> Result<LockedPackage, LockError> {
    let file_name = package.filename.as_str();
    let size = match (&package.source, package.sha256, package.size) {
        (WheelSource::Url(url), Some(digest), None) => {
            downloads.size(&Wanted { url, file_name, digest: Some(digest) }).await?
        }
        (_, _, stated) => stated,
    };
    if let (Some(sha256), Some(size)) = (package.sha256, size) {
        return Ok(package.pinned(sha256, size)?);
    }
    let artifact = downloads.wheel(&package.source, file_name, package.sha256).await?;
    Ok(package.pinned(artifact.digest, artifact.size)?)
}
