//! The compiler of bytecode, unpacked once into the store (design D5).

use std::path::PathBuf;

use imagewright_lock::CompilerLock;
use imagewright_oci::Digest;

use super::Producer;
use crate::BuildError;
use crate::blocking::{blocking, lease};
use crate::bytecode::Compiler;

impl Producer {
    /// The compiler of a lock, ready to be started.
    pub(super) async fn compiler(&self, lock: &CompilerLock) -> Result<Compiler, BuildError> {
        let root_id = lock.root_id();
        let root = match self.store.root(&root_id)? {
            Some(root) => root,
            None => self.unpack_compiler(lock, root_id).await?,
        };
        let command = lock.at(&root).command();
        Ok(Compiler { command, identity: lock.identity.clone(), threads: self.threads })
    }

    async fn unpack_compiler(&self, lock: &CompilerLock, root_id: Digest) -> Result<PathBuf, BuildError> {
        let _lease = lease(&self.store, root_id).await?;
        if let Some(root) = self.store.root(&root_id)? {
            return Ok(root);
        }
        let files = self.debian_files(&lock.packages.packages).await?;
        let (producer, lock) = (self.clone(), lock.clone());
        blocking(move || {
            let unpacked = producer.unpack(&lock.packages.packages, &files)?;
            let packages = unpacked.into_iter().map(|(_, package)| package).collect();
            let staging = producer.store.begin_root(&root_id)?;
            lock.at(staging.path()).unpack(packages)?;
            Ok(staging.commit()?)
        })
        .await
    }
}
