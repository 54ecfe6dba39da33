//! Layers of installed wheels (design D1, D4, D5).

use std::sync::Arc;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use imagewright_layer::{InstallScheme, InstalledWheel, Wheel, splice_wheels};
use imagewright_lock::facts::{Installed, roots};
use imagewright_lock::python::LockedPackage;
use imagewright_plan::{LayerDefinition, WheelGroup};
use imagewright_store::{Abandoned, ArtifactFile, Flag, LayerRecord};

use super::{Producer, layer_facts};
use crate::BuildError;
use crate::blocking::blocking;
use crate::bytecode::{Compiler, Merged};
use crate::workplace::Memory;

/// How many wheels of a layer are fetched at once; the downloads bound what is really on its way.
const FETCHES: usize = 8;

impl Producer {
    pub(super) async fn wheels(
        &self,
        definition: &LayerDefinition,
        group: &WheelGroup,
    ) -> Result<LayerRecord, BuildError> {
        let fetched = group.packages.iter().map(|package| self.fetch(package));
        let fetched = stream::iter(fetched).buffered(FETCHES).try_collect::<Vec<ArtifactFile>>();
        let (artifacts, compiler) = tokio::try_join!(fetched, self.compiler_of(group.compiler.as_ref()))?;
        let _share = self.workplace.memory.take(Memory::WHEELS).await;
        let abandoned = Abandoned::default();
        let compiler = compiler.map(|compiler| (compiler, abandoned.flag()));
        let (producer, definition, group) = (self.clone(), definition.clone(), group.clone());
        blocking(move || producer.splice(&definition, &group, artifacts, compiler)).await
    }

    async fn fetch(&self, package: &LockedPackage) -> Result<ArtifactFile, BuildError> {
        let file_name = package.filename.as_str();
        Ok(self.downloads.wheel(&package.source, file_name, Some(package.sha256)).await?)
    }

    fn splice(
        &self,
        definition: &LayerDefinition,
        group: &WheelGroup,
        artifacts: Vec<ArtifactFile>,
        compiler: Option<(Compiler, Flag)>,
    ) -> Result<LayerRecord, BuildError> {
        let scheme = InstallScheme::virtual_environment(group.prefix.trim_start_matches('/'), group.minor)?;
        let opened = group.packages.iter().zip(artifacts);
        let installed = opened
            .map(|(package, artifact)| {
                let wheel = Wheel::open(artifact.digest, Arc::new(artifact.file), &package.filename)?;
                wheel.install(&scheme)
            })
            .collect::<Result<Vec<InstalledWheel>, _>>()?;
        let bytecode = match compiler {
            Some((compiler, flag)) => Some(self.bytecode(&compiler, &flag, &installed, &scheme)?),
            None => None,
        };
        let mut staging = self.store.begin_layer()?;
        let unverified =
            splice_wheels(&installed, bytecode.into_iter().flatten(), &self.options(), &mut staging)?;
        let layer = unverified.verify(&staging.reader()?, &installed)?;
        let described = group.packages.iter().zip(&installed);
        let described: Vec<Installed> =
            described.map(|(package, wheel)| describe(package, wheel, &scheme)).collect();
        Ok(staging.commit(&definition.key, &layer, &layer_facts(definition, &described))?)
    }

    fn bytecode(
        &self,
        compiler: &Compiler,
        flag: &Flag,
        installed: &[InstalledWheel],
        scheme: &InstallScheme,
    ) -> Result<Merged, BuildError> {
        let kept = installed.iter().map(|wheel| compiler.bytecode(&self.store, wheel, scheme, flag));
        Ok(Merged::new(kept.collect::<Result<Vec<_>, _>>()?))
    }
}

fn describe(package: &LockedPackage, wheel: &InstalledWheel, scheme: &InstallScheme) -> Installed {
    let site = scheme.site_packages.as_str();
    let files: Vec<String> = wheel.files().iter().map(|file| file.path.to_string()).collect();
    let metadata = files
        .iter()
        .filter_map(|path| path.strip_suffix("/METADATA"))
        .filter_map(|path| path.strip_prefix(site)?.strip_prefix('/'))
        .find(|directory| directory.ends_with(".dist-info"));
    Installed {
        name: package.name.clone(),
        version: package.version.to_string(),
        site: site.to_owned(),
        metadata: metadata.unwrap_or_default().to_owned(),
        roots: roots(site, &files),
    }
}
