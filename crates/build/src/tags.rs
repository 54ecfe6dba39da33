//! Further tags of an image, beside the one that its spec gives it.

use imagewright_oci::{Digest, ImageReference};

use crate::BuildError;
use crate::event::Stage;
use crate::job::Job;
use crate::provenance::Provenance;

impl Job<'_> {
    /// Sets the further tags of the request on the image, which is there. One that is set already costs one HEAD.
    pub(crate) async fn set_further_tags(
        &self,
        image: Digest,
        provenance: Option<&Provenance>,
    ) -> Result<(), BuildError> {
        if self.is_for_docker_alone() {
            return self.tag_in_docker().await;
        }
        for tag in &self.further_tags {
            if self.request.push {
                self.push_tag(image, tag).await?;
            }
            self.remember(tag, image, provenance)?;
        }
        Ok(())
    }

    async fn push_tag(&self, image: Digest, tag: &ImageReference) -> Result<(), BuildError> {
        let client = &self.machine.client;
        if client.head_manifest(tag).await?.is_some_and(|there| there.digest == image) {
            return Ok(());
        }
        self.machine.reporter.started(Stage::Push, tag.to_string());
        let pinned = self.target.with_digest(image);
        let there = client.get_manifest(&pinned).await?.ok_or(BuildError::NoImage { reference: pinned })?;
        client.put_manifest(tag, &there.descriptor.media_type, there.bytes).await?;
        Ok(())
    }
}
