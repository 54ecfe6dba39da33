use futures_util::StreamExt as _;
use imagewright_oci::{Descriptor, Digest, ImageReference};

use super::push::{Pushed, Supply};
use super::upload::{Chunks, ReadError};
use crate::client::Client;
use crate::error::RegistryError;

/// A blob in another repository.
struct Remote<'a> {
    client: &'a Client,
    repository: &'a ImageReference,
    descriptor: &'a Descriptor,
}

impl Supply for Remote<'_> {
    fn digest(&self) -> Digest {
        self.descriptor.digest
    }

    fn size(&self) -> u64 {
        self.descriptor.size
    }

    async fn open(&self) -> Result<Chunks, ReadError> {
        let stream = self.client.fetch_blob(self.repository, self.descriptor).await;
        let chunks = stream.map_err(ReadError::Remote)?.into_stream();
        Ok(Box::pin(chunks.map(|chunk| chunk.map_err(ReadError::Remote))))
    }
}

impl Client {
    /// Sees to it that the repository `to` has a blob of the repository `from`.
    ///
    /// On one registry it is mounted. Between two, and where mounts are refused, the bytes stream through this
    /// process without touching the disk; bytes with a wrong digest are never committed.
    pub async fn copy_blob(
        &self,
        from: &ImageReference,
        to: &ImageReference,
        descriptor: &Descriptor,
    ) -> Result<Pushed, RegistryError> {
        let (from, to) = (from.name_only(), to.name_only());
        if from == to && self.has_blob(&to, descriptor.digest).await? {
            return Ok(Pushed::Present);
        }
        let supply = Remote { client: self, repository: &from, descriptor };
        self.deliver(&to, &supply, std::slice::from_ref(&from)).await
    }
}
