//! A base that another spec makes: it is built first, as an image of its own.

use std::path::Path;

use imagewright_lock::python::Refresh;
use imagewright_lock::{BaseLock, BuiltBase, Upgrade};
use imagewright_oci::{Digest, ImageReference};
use imagewright_spec::{BaseImage, BuilderName, ImageSpec};

use crate::BuildError;
use crate::job::Job;
use crate::native::{BuildRequest, GivenLock};

impl<'a> Job<'a> {
    /// The same job with its base built, when that is a spec; pushed if `push` and it has a registry.
    ///
    /// A lock that is kept to pins the base: while what it pins is there, nothing is built.
    pub(crate) async fn over_base(self, push: bool) -> Result<Job<'a>, BuildError> {
        let Some(BaseImage::Spec(spec)) = &self.request.spec.base_image else { return Ok(self) };
        if self.is_base_pinned().await? {
            return Ok(self);
        }
        let reference = spec.image_name(&self.request.directory)?;
        let request = self.base_request(spec, &reference, push);
        // Boxed, because a base may have a base.
        let make = Box::pin(async {
            if request.push {
                let report = self.machine.build(&request).await?;
                return Ok(report.digest.expect("the native builder knows what it made"));
            }
            Ok(self.machine.obtain(&request).await?.root_digest())
        });
        let digest = self.machine.workplace.bases.once(&request, &reference, make).await?;
        Ok(Self { built_base: Some(BuiltBase { reference, digest }), ..self })
    }

    fn base_request(&self, spec: &ImageSpec, reference: &ImageReference, push: bool) -> BuildRequest {
        let upgrade = match self.request.upgrade {
            Upgrade::Everything => Upgrade::Everything,
            // A package that is named may be none of the base's.
            _ => Upgrade::Nothing,
        };
        let mut base = spec.clone();
        // What it is built with does not change what it is called, and this builder can take it from the store.
        base.builder = BuilderName::Native;
        // It is for what it says, which its name covers, and for what the image over it is for; what it does not say
        // nobody wants of it.
        if !spec.states_platforms {
            base.platforms.clear();
        }
        // What others of this command want it for is part of it from the start.
        let announced = self.machine.workplace.bases.wanted_for(reference);
        for wanted in announced.iter().chain(&self.recipe.platforms) {
            if !base.platforms.iter().any(|has| wanted.accepts(has)) {
                base.platforms.push(wanted.clone());
            }
        }
        BuildRequest {
            spec: base,
            // What is asked for besides is the upper image's.
            with: Vec::new(),
            client: None,
            id: None,
            push: push && spec.registry.is_some(),
            further_tags: Vec::new(),
            sinks: Vec::new(),
            force: false,
            lock: None,
            frozen: false,
            upgrade,
            ..self.request.clone()
        }
    }

    /// Whether the base needs no look, because the given lock is kept to and what it pins is there.
    async fn is_base_pinned(&self) -> Result<bool, BuildError> {
        let request = self.request;
        if request.frozen {
            return Ok(true);
        }
        let Some(GivenLock { lock, .. }) = &request.lock else { return Ok(false) };
        let (wanted, platforms) = (self.locked_inputs(), &self.recipe.platforms);
        let is_kept = request.upgrade == Upgrade::Nothing && request.refresh == Refresh::WhenOld;
        if !is_kept || !lock.with_sources(&wanted).uncovered(&wanted, platforms).is_empty() {
            return Ok(false);
        }
        for pinned in platforms.iter().filter_map(|platform| lock.platform(platform)) {
            if let BaseLock::Image { reference, digest } = &pinned.base
                && !self.has_base(reference, *digest).await?
            {
                return Ok(false);
            }
        }
        Ok(true)
    }

    async fn has_base(&self, reference: &ImageReference, digest: Digest) -> Result<bool, BuildError> {
        if self.machine.store.blob(&digest)?.is_some() {
            return Ok(true);
        }
        if !self.homes.contains(reference) {
            return Ok(false);
        }
        Ok(self.machine.client.head_manifest(&reference.with_digest(digest)).await?.is_some())
    }
}

/// The repositories that may have the base of a spec and its layers, the likeliest first: a nested spec that has a
/// registry has all of them there once it is pushed, and one that has none only those of its own base.
///
/// An image that goes by the name of what it is made on top of is refused: each would take the other's tag.
pub(crate) fn homes(
    spec: &ImageSpec,
    target: &ImageReference,
    directory: &Path,
) -> Result<Vec<ImageReference>, BuildError> {
    let mut homes = Vec::new();
    let mut names = vec![target.clone()];
    let mut name = |image: ImageReference| {
        if names.contains(&image) {
            return Err(BuildError::OwnBase { image });
        }
        names.push(image);
        Ok(())
    };
    let mut next = &spec.base_image;
    while let Some(base) = next {
        next = &None;
        match base {
            BaseImage::Registry(reference) => {
                name(reference.clone())?;
                homes.push(reference.clone());
            }
            BaseImage::Spec(base) => {
                let image = base.image_name(directory)?;
                name(image.clone())?;
                if base.registry.is_some() {
                    homes.push(image);
                }
                next = &base.base_image;
            }
            BaseImage::Local(_) => {}
        }
    }
    Ok(homes)
}
