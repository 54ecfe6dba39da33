//! The noop builder: the base is the image, by its name; nothing is built, and nobody is asked.

use std::time::Instant;

use imagewright_oci::ImageReference;
use imagewright_spec::{BaseImage, ImageSpec};

use crate::BuildError;
use crate::existence::{Existence, There, unknown};
use crate::native::Machine;
use crate::report::{BuildReport, BuildStatus};

/// The image that a spec of the noop builder is.
pub(crate) fn base_reference(spec: &ImageSpec) -> Result<&ImageReference, BuildError> {
    match &spec.base_image {
        Some(BaseImage::Registry(reference)) => Ok(reference),
        _ => Err(BuildError::NoBaseName),
    }
}

/// Says what the image is. As flytekit's builder, it does not look whether it is there.
pub(crate) fn name_base(spec: &ImageSpec) -> Result<BuildReport, BuildError> {
    let started = Instant::now();
    Ok(BuildReport {
        image: base_reference(spec)?.to_string(),
        further_tags: Vec::new(),
        digest: None,
        status: BuildStatus::Named,
        changed: Vec::new(),
        platforms: spec.platforms.clone(),
        layers: Vec::new(),
        parts: Vec::new(),
        outputs: Vec::new(),
        bytes_uploaded: 0,
        bytes_downloaded: 0,
        requests: 0,
        seconds: started.elapsed().as_secs_f64(),
    })
}

impl Machine {
    /// Whether the base is there for the spec's platforms, which is asked when somebody asks.
    pub(crate) async fn base_exists(&self, spec: &ImageSpec) -> Result<Existence, BuildError> {
        let reference = base_reference(spec)?;
        let missing = |platforms| Ok(Existence::Missing { platforms });
        let Some(found) = self.client.head_manifest(reference).await.map_err(unknown(reference))? else {
            return missing(Vec::new());
        };
        let exists = Existence::Exists { digest: found.digest };
        if !spec.states_platforms {
            return Ok(exists);
        }
        let Some(there) = There::read(&self.client, reference, found.digest).await? else {
            return missing(Vec::new());
        };
        there.lacks(&spec.platforms).map_or(Ok(exists), missing)
    }
}
