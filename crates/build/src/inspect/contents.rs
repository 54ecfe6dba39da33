//! What is in an image, as far as two images are compared: its packages and how a container of it starts.

use std::collections::BTreeMap;

use imagewright_layer::{LayerEntryKind, LayerError, read_layer};
use imagewright_lock::facts::BaseFacts;
use imagewright_lock::{FACTS_ANNOTATION, load_base};
use imagewright_oci::{Descriptor, Platform};
use serde::Serialize;

use crate::BuildError;
use crate::blocking::blocking;
use crate::found::FoundImage;
use crate::native::Machine;

/// What of an image is compared.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ImageContents {
    /// Distributions of Python, by name; several versions where several environments have one.
    pub python: BTreeMap<String, String>,
    /// Debian's packages, by name.
    pub debian: BTreeMap<String, String>,
    /// Variables, by name.
    pub environment: BTreeMap<String, String>,
    /// Labels, but for those that say where the image came from.
    pub labels: BTreeMap<String, String>,
    /// User, working directory, entry point and command, by these names; what is not set is not there.
    pub start: BTreeMap<String, String>,
    /// Compressed bytes of all layers, which two images of the same contents need not share.
    pub size: u64,
    /// How many layers there are.
    pub layers: usize,
}

/// What dpkg knows.
const STATUS: &str = "var/lib/dpkg/status";

impl Machine {
    /// Reads what is in an image. Layers are read only for what its annotations do not say.
    pub async fn contents(&self, image: &FoundImage) -> Result<ImageContents, BuildError> {
        let facts = self.facts(image, &image.config.platform).await?;
        let mut python = BTreeMap::<String, String>::new();
        for installed in &facts.installed {
            let versions = python.entry(installed.name.to_string()).or_default();
            if !versions.split(", ").any(|version| version == installed.version) {
                let separator = if versions.is_empty() { "" } else { ", " };
                *versions = format!("{versions}{separator}{}", installed.version);
            }
        }
        let container = &image.config.config;
        let variables = container.env.iter().flatten();
        let variables = variables.map(|entry| entry.split_once('=').unwrap_or((entry, "")));
        let owned = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        let labels = container.labels.iter().flatten();
        let is_origin = |name: &str| {
            name.starts_with("io.imagewright.") || name.starts_with("org.opencontainers.image.base.")
        };
        let words = |words: &Option<Vec<String>>| {
            words.as_ref().filter(|words| !words.is_empty()).map(|words| format!("{words:?}"))
        };
        let start = [
            ("user", container.user.clone()),
            ("workdir", container.working_dir.clone()),
            ("entrypoint", words(&container.entrypoint)),
            ("command", words(&container.cmd)),
        ];
        let start = start.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
        Ok(ImageContents {
            python,
            debian: self.debian_packages(image).await?,
            environment: variables.map(owned).collect(),
            labels: labels
                .filter(|(name, _)| !is_origin(name))
                .map(|(name, value)| (name.clone(), value.clone()))
                .collect(),
            start: start.filter(|(_, value)| !value.is_empty()).collect(),
            size: image.manifest.layers.iter().map(|layer| layer.size).sum(),
            layers: image.manifest.layers.len(),
        })
    }

    /// The facts of an image: ours has them with it, those of others are read off their layers.
    async fn facts(&self, image: &FoundImage, platform: &Platform) -> Result<BaseFacts, BuildError> {
        let annotated = image.manifest.annotations.get(FACTS_ANNOTATION);
        let annotated = annotated.and_then(|text| serde_json::from_str::<BaseFacts>(text).ok());
        if let Some(facts) = annotated.filter(|facts| facts.version == BaseFacts::VERSION) {
            return Ok(facts);
        }
        let (client, store, reference) = (&self.client, &self.store, &image.reference);
        let homes: Vec<_> = [reference].into_iter().chain(&image.bases).cloned().collect();
        Ok(load_base(client, store, reference, platform, Some(image.digest), &homes).await?.facts)
    }

    /// What the uppermost layer with dpkg's status says in it.
    async fn debian_packages(&self, image: &FoundImage) -> Result<BTreeMap<String, String>, BuildError> {
        for layer in image.manifest.layers.iter().rev() {
            if let Some(status) = self.status_in(image, layer).await? {
                return Ok(installed(&status));
            }
        }
        Ok(BTreeMap::new())
    }

    async fn status_in(&self, image: &FoundImage, layer: &Descriptor) -> Result<Option<String>, BuildError> {
        let blob = self.layer_bytes(&image.repositories_with(layer), layer).await?;
        let media_type = layer.media_type.to_oci();
        blocking(move || {
            let mut status = None;
            read_layer(blob, &media_type.clone(), |entry, content| {
                if entry.path.to_str() == Some(STATUS) && matches!(entry.kind, LayerEntryKind::File { .. }) {
                    let mut bytes = Vec::new();
                    let media_type = media_type.clone();
                    let failed = |source| LayerError::Archive { media_type, source };
                    content.read_to_end(&mut bytes).map_err(failed)?;
                    status = Some(String::from_utf8_lossy(&bytes).into_owned());
                }
                Ok::<(), LayerError>(())
            })?;
            Ok(status)
        })
        .await
    }
}

/// The packages of a status file that are there, be they configured or only unpacked.
fn installed(status: &str) -> BTreeMap<String, String> {
    let paragraphs = status.split("\n\n");
    let packages = paragraphs.filter_map(|paragraph| {
        let field = |name: &str| paragraph.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
        let is_there = field("Status:")?
            .split_whitespace()
            .last()
            .is_some_and(|state| !matches!(state, "not-installed" | "config-files"));
        is_there.then_some(())?;
        Some((field("Package:")?.to_owned(), field("Version:")?.to_owned()))
    });
    packages.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_that_are_gone_are_not_told() {
        let status = "Package: bash\nStatus: install ok unpacked\nVersion: 5.2\n\n\
                      Package: old\nStatus: deinstall ok config-files\nVersion: 1\n\n\
                      Package: curl\nVersion: 8\nStatus: install ok installed\n";
        let found: Vec<(String, String)> = installed(status).into_iter().collect();
        let expected = [("bash", "5.2"), ("curl", "8")];
        assert_eq!(found, expected.map(|(name, version)| (name.to_owned(), version.to_owned())));
    }
}
