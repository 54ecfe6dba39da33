//! Layers of an assembled base (design D6).

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::path::PathBuf;

use futures_util::{FutureExt as _, StreamExt as _, TryStreamExt as _, stream};
use imagewright_debian::{
    DebianPackage, PackageRecord, Spool, UnpackedPackage, database_layer, package_layer, unpack_packages,
};
use imagewright_lock::debian_artifact;
use imagewright_oci::Digest;
use imagewright_plan::{DebianGroup, LayerDefinition};
use imagewright_store::LayerRecord;

use super::Producer;
use crate::BuildError;
use crate::blocking::blocking;
use crate::workplace::Memory;

/// How many packages are fetched at once; the downloads bound what is really on its way.
const FETCHES: usize = 16;

/// Where package files are, by digest.
pub(super) type Files = BTreeMap<Digest, PathBuf>;

impl Producer {
    pub(super) async fn debian(
        &self,
        definition: &LayerDefinition,
        group: &DebianGroup,
    ) -> Result<LayerRecord, BuildError> {
        let files = self.debian_files(&group.packages).await?;
        let _share = self.workplace.memory.take(Memory::PACKAGES).await;
        let (producer, group, definition) = (self.clone(), group.clone(), definition.clone());
        blocking(move || {
            let unpacked = producer.unpack(&group.packages, &files)?;
            let entries = package_layer(group.suite, group.architecture, unpacked)?;
            producer.commit_tree(&definition, entries)
        })
        .await
    }

    pub(super) async fn debian_database(
        &self,
        definition: &LayerDefinition,
        packages: &[DebianPackage],
    ) -> Result<LayerRecord, BuildError> {
        let files = self.debian_files(packages).await?;
        let (producer, packages, definition) = (self.clone(), packages.to_vec(), definition.clone());
        blocking(move || {
            let records = packages.iter().map(|package| {
                let mut file = fs_err::File::open(&files[&package.sha256]).map_err(BuildError::artifact)?;
                Ok(PackageRecord::read(package, &mut file)?)
            });
            let entries = database_layer(records.collect::<Result<_, BuildError>>()?);
            producer.commit_tree(&definition, entries)
        })
        .await
    }

    /// The files of packages: all of them before the first is unpacked.
    pub(super) async fn debian_files(&self, packages: &[DebianPackage]) -> Result<Files, BuildError> {
        let fetched: Vec<_> = packages.iter().map(|package| self.debian_file(package).boxed()).collect();
        stream::iter(fetched).buffer_unordered(FETCHES).try_collect().await
    }

    async fn debian_file(&self, package: &DebianPackage) -> Result<(Digest, PathBuf), BuildError> {
        let artifact = debian_artifact(&self.downloads, &self.mirrors, package).await?;
        Ok((artifact.digest, artifact.path))
    }

    /// Takes packages apart, in their order.
    pub(super) fn unpack<'a>(
        &self,
        packages: &'a [DebianPackage],
        files: &Files,
    ) -> Result<Vec<(&'a DebianPackage, UnpackedPackage)>, BuildError> {
        let open = |package: &DebianPackage| -> io::Result<Box<dyn Read>> {
            Ok(Box::new(fs_err::File::open(&files[&package.sha256])?))
        };
        let packages: Vec<&DebianPackage> = packages.iter().collect();
        let spool = Spool::new(self.store.scratch_file()?);
        Ok(unpack_packages(&packages, &open, &spool, self.threads.get())?)
    }
}
