//! The compiler of bytecode, unpacked once into the store (design D5).

use std::path::PathBuf;

use imagewright_debian::{DebianLock, write_entries};
use imagewright_layer::{TreePath, read_interpreter};
use imagewright_lock::{
    CompilerLock, CompilerSource, LockError, Triple, debian_compiler, interpreter_artifact,
};
use imagewright_oci::Digest;
use imagewright_pypa::PythonMinor;
use imagewright_store::ArtifactFile;

use super::Producer;
use crate::BuildError;
use crate::blocking::blocking;
use crate::bytecode::Compiler;
use imagewright_lock::lease;

impl Producer {
    /// The compiler of a lock that has one, ready to be started.
    pub(super) async fn compiler_of(
        &self,
        lock: Option<&CompilerLock>,
    ) -> Result<Option<Compiler>, BuildError> {
        let Some(lock) = lock else { return Ok(None) };
        let command = lock.command(&self.compiler_root(lock).await?);
        let (identity, pool) = (lock.identity.clone(), self.workplace.compilers.clone());
        Ok(Some(Compiler { command, identity, threads: self.threads, pool }))
    }

    /// Unpacks a compiler while packages are being resolved, if the store does not have it yet.
    ///
    /// What fails is asked for again when a layer needs it, and fails then.
    pub(crate) fn unpack_ahead(&self, lock: &CompilerLock) {
        let (producer, lock) = (self.clone(), lock.clone());
        drop(tokio::spawn(async move { producer.compiler_root(&lock).await }));
    }

    /// A file that starts the compiler of a lock, for programs that want the path of a Python.
    pub(crate) async fn compiler_program(&self, lock: &CompilerLock) -> Result<PathBuf, BuildError> {
        Ok(lock.program(&self.compiler_root(lock).await?))
    }

    async fn compiler_root(&self, lock: &CompilerLock) -> Result<PathBuf, BuildError> {
        let root_id = lock.root_id();
        match self.store.root(&root_id)? {
            Some(root) => Ok(root),
            None => self.unpack_compiler(lock, root_id).await,
        }
    }

    async fn unpack_compiler(&self, lock: &CompilerLock, root_id: Digest) -> Result<PathBuf, BuildError> {
        let _lease = lease(&self.store, root_id).await?;
        if let Some(root) = self.store.root(&root_id)? {
            return Ok(root);
        }
        match &lock.source {
            CompilerSource::Debian { packages } => self.unpack_debian_compiler(packages, root_id).await,
            CompilerSource::Archives { archives } => {
                let no_compiler =
                    |source| LockError::NoCompiler { minor: lock.minor, source: Box::new(source) };
                let triple = Triple::of_this_machine();
                let archive = archives.get(&triple).ok_or_else(|| {
                    let version = lock.minor.into();
                    no_compiler(LockError::NoArchive { version, triple, newest: None, minors: Vec::new() })
                })?;
                let artifact = interpreter_artifact(&self.downloads, &self.python_mirror, archive).await;
                self.unpack_archive_compiler(artifact.map_err(no_compiler)?, lock.minor, root_id).await
            }
        }
    }

    async fn unpack_debian_compiler(
        &self,
        packages: &DebianLock,
        root_id: Digest,
    ) -> Result<PathBuf, BuildError> {
        let files = self.debian_files(&packages.packages).await?;
        let (producer, lock) = (self.clone(), packages.clone());
        blocking(move || {
            let unpacked = producer.unpack(&lock.packages, &files)?;
            let packages = unpacked.into_iter().map(|(_, package)| package).collect();
            let staging = producer.store.begin_root(&root_id)?;
            debian_compiler(&lock, staging.path()).unpack(packages)?;
            Ok(staging.commit()?)
        })
        .await
    }

    async fn unpack_archive_compiler(
        &self,
        artifact: ArtifactFile,
        minor: PythonMinor,
        root_id: Digest,
    ) -> Result<PathBuf, BuildError> {
        let producer = self.clone();
        blocking(move || {
            let entries = read_interpreter(artifact.file, &TreePath::new("python")?, minor)?;
            let staging = producer.store.begin_root(&root_id)?;
            write_entries(staging.path(), entries).map_err(BuildError::artifact)?;
            Ok(staging.commit()?)
        })
        .await
    }
}
