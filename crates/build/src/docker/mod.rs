//! The docker builder: what the lock pins, installed by Docker (design D15).
//!
//! Up to the plan it is the native builder; then the plan is written down as a Dockerfile, and Docker builds it. So the
//! image has the same packages, environment, user, working directory and entry point.

mod client;
mod context;
mod dockerfile;
mod error;
mod login;
mod pylock;
mod system;

use std::collections::BTreeMap;
use std::path::Path;

use imagewright_lock::Lock;
use imagewright_oci::{Annotations, Digest, ImageReference, Platform};
use imagewright_spec::BuilderName;

pub use context::{BuildSecret, DockerContext};
pub use error::DockerError;

use crate::BuildError;
use crate::event::Stage;
use crate::existence::{AtTag, Wanted};
use crate::image::provenance_of_labels;
use crate::job::{Inputs, Job};
use crate::last_build::LastBuild;
use crate::native::{BuildRequest, Machine};
use client::{Build, Frontend, inspect};
use login::Login;

impl Machine {
    /// The Dockerfile of a spec, whatever its builder; with `folder`, written there with all that it needs.
    pub async fn dockerfile(
        &self,
        request: &BuildRequest,
        folder: Option<&Path>,
    ) -> Result<DockerContext, BuildError> {
        let job = Job::new(self, request)?;
        let platform = job.only_platform()?;
        let made_from = job.made_from().await?;
        let job = &job.clone().over_base(false).await?;
        let inputs = job.inputs()?;
        let lock = job.lock(&inputs, made_from).await?;
        let planned = job.plan(&inputs, platform, &lock).await?;
        let context = job.context(&inputs, &lock, &planned)?;
        if let Some(folder) = folder {
            fs_err::create_dir_all(folder).map_err(context::unwritten)?;
            job.restore_wheels(&inputs, &planned.plan, &lock, &planned.lock.packages).await?;
            job.write_context(&context, &inputs, &lock, folder).await?;
        }
        Ok(context)
    }
}

impl Job<'_> {
    /// Docker, if it is the builder. That it is not there is said before there is any work.
    pub(crate) async fn docker(&self) -> Result<Option<Frontend>, DockerError> {
        match self.request.spec.builder {
            BuilderName::Docker => {
                self.only_platform()?;
                if self.request.offline {
                    return Err(DockerError::Offline);
                }
                Frontend::find().await.map(Some)
            }
            _ => Ok(None),
        }
    }

    /// The platform, if there is but one.
    fn only_platform(&self) -> Result<&Platform, DockerError> {
        match &self.recipe.platforms[..] {
            [platform] => Ok(platform),
            several => Err(DockerError::SeveralPlatforms { platforms: several.to_vec() }),
        }
    }

    /// Builds with Docker, and pushes what is to be pushed; the digest of the manifest, or of the configuration when the
    /// image is in Docker alone.
    pub(crate) async fn build_with_docker(
        &self,
        docker: Frontend,
        inputs: &Inputs,
        lock: &Lock,
    ) -> Result<Digest, BuildError> {
        let (machine, request) = (self.machine, self.request);
        let platform = self.only_platform()?;
        let planned = self.plan(inputs, platform, lock).await?;
        self.warn_of_unset(&planned.plan);
        let context = self.context(inputs, lock, &planned)?;
        let scratch = machine.store.scratch_directory()?;
        self.restore_wheels(inputs, &planned.plan, lock, &planned.lock.packages).await?;
        self.write_context(&context, inputs, lock, scratch.path()).await?;
        let login = Login::of(&request.spec, &machine.host, &machine.store)?;
        machine.reporter.started(Stage::Docker, self.target.to_string());
        let names: Vec<&ImageReference> = [&self.target].into_iter().chain(&self.further_tags).collect();
        let build = Build {
            folder: scratch.path(),
            names: &names,
            platform,
            secrets: &context.secrets,
            mask: inputs.secrets.mask(),
            configuration: login.as_ref().map(Login::folder),
            no_cache: request.no_cache,
            push: request.push,
            further: &machine.docker_arguments,
        };
        docker.build(&build, &machine.reporter).await?;
        let digest = self.digest_of_docker().await?;
        if request.push {
            self.remember(&self.target, digest, Some(&self.provenance(lock)))?;
        }
        LastBuild::new(lock, &[planned.plan]).record(&machine.store, &self.target)?;
        Ok(digest)
    }

    /// Whether the image is Docker's, and nowhere else.
    pub(crate) fn is_for_docker_alone(&self) -> bool {
        self.request.spec.builder == BuilderName::Docker && !self.request.push
    }

    /// Sets the further tags of the request on an image that Docker has.
    pub(crate) async fn tag_in_docker(&self) -> Result<(), BuildError> {
        for tag in &self.further_tags {
            client::tag(&self.target, tag).await?;
        }
        Ok(())
    }

    /// What the image is known by, now that it is there.
    async fn digest_of_docker(&self) -> Result<Digest, BuildError> {
        if self.request.push {
            let found = self.machine.client.head_manifest(&self.target).await?;
            let missing = || BuildError::NoImage { reference: self.target.clone() };
            return Ok(found.ok_or_else(missing)?.digest);
        }
        let said = inspect(&self.target, "{{.Id}}").await?;
        said.as_deref().map_or_else(|| Err(self.not_understood("nothing")), |id| self.image_id(id))
    }

    /// What Docker has under the tag, of an image that is pushed nowhere.
    pub(crate) async fn at_tag_in_docker(&self, wanted: Wanted<'_>) -> Result<AtTag, BuildError> {
        let said = inspect(&self.target, "{{.Id}} {{json .Config.Labels}}").await?;
        let Some(said) = said else { return Ok(AtTag::missing(Vec::new())) };
        let (id, labels) = said.split_once(' ').unwrap_or((&said, "null"));
        let digest = self.image_id(id)?;
        let labels: Option<BTreeMap<String, String>> =
            serde_json::from_str(labels).map_err(|_| self.not_understood(labels))?;
        let labels: Annotations = labels.unwrap_or_default().into_iter().collect();
        let origin = provenance_of_labels(&labels, &self.target)
            .map_err(|source| BuildError::ForeignAnnotation { reference: self.target.clone(), source })?;
        Ok(wanted.at_tag(digest, origin.as_ref()))
    }

    /// That the image is where nothing else can read it.
    pub(crate) fn only_in_docker(&self, wanted: &'static str) -> DockerError {
        DockerError::OnlyInDocker { image: self.name.clone(), wanted }
    }

    fn image_id(&self, said: &str) -> Result<Digest, BuildError> {
        said.parse().map_err(|_| self.not_understood(said))
    }

    fn not_understood(&self, said: &str) -> BuildError {
        DockerError::Inspection { image: self.target.to_string(), said: said.to_owned() }.into()
    }
}
