//! Layers of interpreters out of archives (design D7).

use imagewright_layer::{Bytecode, TreeEntry, TreePath, library_sources, read_interpreter};
use imagewright_lock::interpreter_artifact;
use imagewright_plan::{InterpreterGroup, LayerDefinition};
use imagewright_store::{ArtifactFile, LayerRecord};

use super::Producer;
use crate::BuildError;
use crate::blocking::blocking;
use crate::bytecode::Compiler;
use crate::workplace::Memory;

impl Producer {
    pub(super) async fn interpreter(
        &self,
        definition: &LayerDefinition,
        group: &InterpreterGroup,
    ) -> Result<LayerRecord, BuildError> {
        let artifact = interpreter_artifact(&self.downloads, &self.python_mirror, &group.archive).await?;
        let compiler = self.compiler_of(group.compiler.as_ref()).await?;
        let _share = self.workplace.memory.take(Memory::PACKAGES).await;
        let (producer, group, definition) = (self.clone(), group.clone(), definition.clone());
        blocking(move || {
            let entries = producer.entries(&group, artifact, compiler.as_ref())?;
            producer.commit_tree(&definition, entries)
        })
        .await
    }

    /// What the archive has, and the bytecode of its library: the image's user may not write any beside it.
    fn entries(
        &self,
        group: &InterpreterGroup,
        artifact: ArtifactFile,
        compiler: Option<&Compiler>,
    ) -> Result<Vec<TreeEntry>, BuildError> {
        let (prefix, minor) = (TreePath::new(&group.prefix)?, group.archive.version.minor);
        let mut entries = read_interpreter(artifact.file, &prefix, minor)?;
        let Some(compiler) = compiler else { return Ok(entries) };
        let sources = library_sources(&entries, &prefix, minor)?;
        let modules = compiler.library_bytecode(&self.store, &group.archive.sha256, &sources, minor)?;
        for module in modules {
            let Bytecode { path, content } = module.map_err(BuildError::artifact)?;
            entries.extend(path.parent().map(|folder| TreeEntry::directory(folder, 0o755)));
            entries.push(TreeEntry::file(path, 0o644, content));
        }
        Ok(entries)
    }
}
