use std::collections::BTreeMap;
use std::path::PathBuf;

use imagewright_oci::Digest;
use imagewright_pypa::PackageName;
use imagewright_store::{ScratchDirectory, Store};

use super::{BuiltWheel, SourceError, WheelBuild};
use crate::LockError;
use crate::python::{ChosenPackage, WheelSource};

/// The wheels that were built for one resolution, as files with the names of wheels.
#[derive(Debug)]
pub(super) struct Wheels {
    scratch: ScratchDirectory,
    builds: BTreeMap<Digest, WheelBuild>,
    names: Vec<PackageName>,
}

/// What a built wheel is for the resolver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// What a requirement names.
    Direct,
    /// A file that an index might have.
    Index,
}

impl Wheels {
    pub(super) fn new(store: &Store) -> Result<Self, LockError> {
        Ok(Self { scratch: store.scratch_directory()?, builds: BTreeMap::new(), names: Vec::new() })
    }

    /// Puts a wheel of the store where the resolver finds it.
    pub(super) fn add(
        &mut self,
        store: &Store,
        place: Place,
        wheel: &BuiltWheel,
        build: WheelBuild,
    ) -> Result<PathBuf, LockError> {
        let folder = self.folder(place);
        let path = folder.join(wheel.filename.as_str());
        let files = |source| SourceError::Files { source_name: build.source.to_string(), source };
        let lost = || std::io::Error::new(std::io::ErrorKind::NotFound, "the wheel vanished from the store");
        let artifact = store.artifact(&wheel.sha256)?.ok_or_else(lost).map_err(files)?;
        fs_err::create_dir_all(&folder).map_err(files)?;
        fs_err::copy(artifact.path, &path).map_err(files)?;
        self.builds.insert(wheel.sha256, build);
        self.names.push(wheel.filename.name().clone());
        Ok(path)
    }

    /// The folder that stands beside the indexes, when there is something in it.
    pub(super) fn index(&self) -> Option<String> {
        let folder = self.folder(Place::Index);
        folder.is_dir().then(|| folder.display().to_string())
    }

    /// The distributions that were built.
    pub(super) fn names(&self) -> &[PackageName] {
        &self.names
    }

    /// The same choice, with what the wheel was built from instead of where it lies now.
    pub(super) fn told(&self, package: ChosenPackage) -> ChosenPackage {
        let is_ours =
            matches!(&package.source, WheelSource::Path(path) if path.starts_with(self.scratch.path()));
        let build = package.sha256.filter(|_| is_ours).and_then(|digest| self.builds.get(&digest));
        match build {
            Some(build) => ChosenPackage { source: WheelSource::Built(Box::new(build.clone())), ..package },
            None => package,
        }
    }

    fn folder(&self, place: Place) -> PathBuf {
        self.scratch.path().join(match place {
            Place::Direct => "direct",
            Place::Index => "index",
        })
    }
}
