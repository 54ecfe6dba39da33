//! What an image says about itself: everything here is in its manifest and configuration.

pub(crate) mod contents;
pub(crate) mod files;

use imagewright_oci::{Annotations, Descriptor, DiffId, Digest, MediaType, Platform};
use serde::Serialize;

use crate::BuildError;
use crate::found::{FoundImage, FoundIndex};
use crate::image::{BASE_DIGEST, BASE_NAME, LAYER_KEY, LAYER_KIND, LAYER_PACKAGES, LAYER_TITLE};
use crate::provenance::{AnnotationError, Provenance, annotation};

/// An image, described: the object that `inspect --json` prints.
#[derive(Clone, Debug, Serialize)]
pub struct Inspection {
    /// What it was asked for by, as the user writes it.
    pub image: String,
    /// The index that it was found in, when its name is that of images for several platforms.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub index: Option<InspectedIndex>,
    /// The digest of its manifest.
    pub digest: Digest,
    /// What it is for.
    pub platform: Platform,
    /// When it was made, in RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created: Option<String>,
    /// Compressed bytes of all layers.
    pub size: u64,
    /// How a container of it starts.
    pub config: InspectedConfig,
    /// What it was made from, if imagewright made it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provenance: Option<Provenance>,
    /// The image that it was built on, if it says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub base: Option<InspectedBase>,
    /// Its layers, lowest first.
    pub layers: Vec<InspectedLayer>,
}

/// The images of several platforms under one name.
#[derive(Clone, Debug, Serialize)]
pub struct InspectedIndex {
    /// Its digest.
    pub digest: Digest,
    /// What it lists.
    pub images: Vec<InspectedPart>,
}

/// An image that an index lists.
#[derive(Clone, Debug, Serialize)]
pub struct InspectedPart {
    /// What it is for.
    pub platform: Platform,
    /// The digest of its manifest.
    pub digest: Digest,
}

/// How a container of an image starts.
#[derive(Clone, Debug, Serialize)]
pub struct InspectedConfig {
    /// Who runs in it; root when empty.
    pub user: String,
    /// Where a command starts.
    pub working_dir: String,
    /// What every command is an argument of.
    pub entrypoint: Vec<String>,
    /// The default command.
    pub cmd: Vec<String>,
    /// `NAME=value`, in order.
    pub env: Vec<String>,
}

/// What an image was built on.
#[derive(Clone, Debug, Serialize)]
pub struct InspectedBase {
    /// Its name, as it was written.
    pub name: String,
    /// The digest of its manifest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
}

/// A layer of an image.
#[derive(Clone, Debug, Serialize)]
pub struct InspectedLayer {
    /// The digest of its bytes.
    pub digest: Digest,
    /// The digest of its tar stream.
    pub diff_id: DiffId,
    /// Compressed bytes.
    pub size: u64,
    /// Its encoding.
    pub media_type: MediaType,
    /// What it holds or what made it, for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// What it is for, if imagewright made it: in the plan's words, of whatever version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// What it was made from, if imagewright made it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// The packages in it, as `name version`, if imagewright made it.
    pub packages: Vec<String>,
}

impl Inspection {
    /// Describes `image`, which the user knows by `name`.
    pub fn of(image: &FoundImage, name: String) -> Result<Self, BuildError> {
        let reference = &image.reference;
        let unreadable = |source| BuildError::ForeignAnnotation { reference: reference.clone(), source };
        let annotations = &image.manifest.annotations;
        let container = &image.config.config;
        // Entries without a layer only changed the configuration.
        let history = image.config.history.iter().filter(|entry| entry.empty_layer != Some(true));
        let made_by = history.map(|entry| entry.created_by.as_deref()).chain(std::iter::repeat(None));
        let layers = image.layers().zip(made_by).map(|((layer, id), by)| describe(layer, id, by));
        Ok(Self {
            image: name,
            index: image.index.as_ref().map(of_index),
            digest: image.digest,
            platform: image.config.platform.clone(),
            created: image.config.created.clone(),
            size: image.manifest.layers.iter().map(|layer| layer.size).sum(),
            config: InspectedConfig {
                user: container.user.clone().unwrap_or_default(),
                working_dir: container.working_dir.clone().unwrap_or_default(),
                entrypoint: container.entrypoint.clone().unwrap_or_default(),
                cmd: container.cmd.clone().unwrap_or_default(),
                env: container.env.clone().unwrap_or_default(),
            },
            provenance: Provenance::of(annotations).map_err(unreadable)?,
            base: base(annotations),
            layers: layers.collect::<Result<_, _>>().map_err(unreadable)?,
        })
    }
}

fn of_index(found: &FoundIndex) -> InspectedIndex {
    let part = |entry: &Descriptor| {
        let platform = entry.platform.clone().filter(|platform| platform.os != "unknown")?;
        Some(InspectedPart { platform, digest: entry.digest })
    };
    InspectedIndex { digest: found.digest, images: found.index.manifests.iter().filter_map(part).collect() }
}

fn base(annotations: &Annotations) -> Option<InspectedBase> {
    let name = annotations.get(BASE_NAME)?.clone();
    Some(InspectedBase { name, digest: annotations.get(BASE_DIGEST).cloned() })
}

fn describe(
    layer: &Descriptor,
    diff_id: DiffId,
    made_by: Option<&str>,
) -> Result<InspectedLayer, AnnotationError> {
    let written = |name| layer.annotations.get(name).map(String::as_str);
    let packages = annotation(&layer.annotations, LAYER_PACKAGES, |text| serde_json::from_str(text))?;
    Ok(InspectedLayer {
        digest: layer.digest,
        diff_id,
        size: layer.size,
        media_type: layer.media_type.clone(),
        title: written(LAYER_TITLE).or(made_by).map(str::to_owned),
        kind: written(LAYER_KIND).map(str::to_owned),
        key: written(LAYER_KEY).map(str::to_owned),
        packages: packages.unwrap_or_default(),
    })
}
