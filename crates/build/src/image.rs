//! The image's own documents: configuration and manifest, canonical and reproducible (design D10, D11).

use imagewright_layer::LayerKey;
use imagewright_lock::facts::Installed;
use imagewright_lock::{BaseOrigin, FACTS_ANNOTATION};
use imagewright_oci::{
    Annotations, Descriptor, DiffId, Digest, History, ImageConfig, ImageIndex, ImageManifest, ImageReference,
    MediaType, RootFs, canonical_json,
};
use imagewright_plan::{LayerKind, Plan};

use crate::provenance::{AnnotationError, Provenance};

/// Digest of the spec and of every local file it reaches.
pub const DECLARED: &str = "io.imagewright.declared";
/// The digests that [`DECLARED`] covers, by the name the user knows, as a JSON object.
pub const INPUTS: &str = "io.imagewright.inputs";
/// Digest of the lock.
pub const LOCK: &str = "io.imagewright.lock";
/// Digest of the lock as it was before anything executed; absent when that is all of it.
pub const UNSETTLED_LOCK: &str = "io.imagewright.lock.unsettled";
/// On a layer: its key, so that another machine finds the layer by what it is made of.
pub const LAYER_KEY: &str = "io.imagewright.layer.key";
/// On a layer: its diff id, so that a hit needs no configuration.
pub const LAYER_DIFF_ID: &str = "io.imagewright.layer.diff-id";
/// On a layer: what it holds, for people.
pub const LAYER_TITLE: &str = "io.imagewright.layer.title";
/// On a layer: what kind of layer it is, in the plan's words.
pub const LAYER_KIND: &str = "io.imagewright.layer.kind";
/// On a layer: the packages in it, as a JSON array of `name version`; absent if there are none.
pub const LAYER_PACKAGES: &str = "io.imagewright.layer.packages";
/// The image that the labels are of: a foreign image over one of ours has the labels of its base too.
const IMAGE: &str = "io.imagewright.image";
/// The base's name, as the OCI image specification defines it.
pub(crate) const BASE_NAME: &str = "org.opencontainers.image.base.name";
/// The base's digest, as the OCI image specification defines it.
pub(crate) const BASE_DIGEST: &str = "org.opencontainers.image.base.digest";

/// A layer of ours, as it is in the image.
#[derive(Clone, Debug)]
pub(crate) struct FinishedLayer {
    /// What it was made from.
    pub(crate) key: LayerKey,
    /// What it holds, for people.
    pub(crate) title: String,
    /// Its digest.
    pub(crate) digest: Digest,
    /// The digest of its tar stream.
    pub(crate) diff_id: DiffId,
    /// Compressed bytes.
    pub(crate) size: u64,
    /// Its encoding.
    pub(crate) media_type: MediaType,
    /// The distributions in it.
    pub(crate) installed: Vec<Installed>,
    /// What it is for.
    pub(crate) kind: LayerKind,
    /// The packages in it, as `name version`: distributions, or those of the system.
    pub(crate) packages: Vec<String>,
}

/// The documents of an image for one platform.
#[derive(Clone, Debug)]
pub(crate) struct Image {
    /// The configuration's bytes.
    pub(crate) config: Vec<u8>,
    /// The manifest's bytes.
    pub(crate) manifest: Vec<u8>,
    /// The manifest's descriptor, with its platform.
    pub(crate) descriptor: Descriptor,
}

/// Puts an image together from its plan and finished layers.
pub(crate) fn assemble(plan: &Plan, layers: &[FinishedLayer], provenance: &Provenance) -> Image {
    let mut annotations = annotations(plan, provenance);
    let config = configuration(plan, layers, &annotations).to_bytes();
    // What a command has changed, only its layer says: who builds on the image reads the layers.
    if plan.layers.iter().all(|layer| layer.execution().is_none()) {
        annotations.insert(FACTS_ANNOTATION.to_owned(), facts(plan, layers));
    }
    let config_descriptor = Descriptor::of(MediaType::OciConfig, &config);
    let base = plan.base.layers.iter().map(|layer| layer.descriptor.clone());
    let layers: Vec<Descriptor> = base.chain(layers.iter().map(layer_descriptor)).collect();
    let manifest = ImageManifest::new(config_descriptor, layers, annotations).to_bytes();
    let descriptor = Descriptor {
        platform: Some(plan.platform.clone()),
        ..Descriptor::of(MediaType::OciManifest, &manifest)
    };
    Image { config, manifest, descriptor }
}

/// Lists the images of several platforms, in the order of these, and says of all where they came from.
pub(crate) fn index(images: &[&Image], provenance: &Provenance) -> (Descriptor, Vec<u8>) {
    let mut entries: Vec<Descriptor> = images.iter().map(|image| image.descriptor.clone()).collect();
    entries.sort_by(|a, b| a.platform.cmp(&b.platform));
    let bytes = ImageIndex::new(entries, provenance.annotations()).to_bytes();
    (Descriptor::of(MediaType::OciIndex, &bytes), bytes)
}

fn configuration(plan: &Plan, layers: &[FinishedLayer], annotations: &Annotations) -> ImageConfig {
    let created = rfc3339(plan.epoch);
    let base = &plan.base.config;
    let mut container = plan.container.clone();
    container.labels.get_or_insert_default().extend(annotations.clone());
    let base_diff_ids = plan.base.layers.iter().map(|layer| layer.diff_id);
    let history = layers.iter().map(|layer| History {
        created: Some(created.clone()),
        created_by: Some(format!("imagewright: {}", layer.title)),
        ..History::default()
    });
    ImageConfig {
        created: Some(created.clone()),
        platform: plan.platform.clone(),
        config: container,
        rootfs: RootFs {
            kind: "layers".to_owned(),
            diff_ids: base_diff_ids.chain(layers.iter().map(|layer| layer.diff_id)).collect(),
        },
        history: base_history(plan).into_iter().chain(history).collect(),
        // What Docker records of the container that a base was committed from says nothing of this image.
        extra: base
            .extra
            .iter()
            .filter(|(name, _)| !matches!(name.as_str(), "container" | "container_config" | "id" | "parent"))
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect(),
    }
}

/// The base's history, filled up so that every layer has an entry: engines count them against the layers.
fn base_history(plan: &Plan) -> Vec<History> {
    let mut history = plan.base.config.history.clone();
    let described = history.iter().filter(|entry| entry.empty_layer != Some(true)).count();
    history.extend((described..plan.base.layers.len()).map(|_| History::default()));
    history
}

fn annotations(plan: &Plan, provenance: &Provenance) -> Annotations {
    let mut annotations = provenance.annotations();
    if let Some(origin) = &plan.base.origin {
        annotations.insert(BASE_DIGEST.to_owned(), origin.digest().to_string());
        // What is on this machine has a path, which says nothing elsewhere.
        if let BaseOrigin::Registry { reference, .. } = origin {
            annotations.insert(BASE_NAME.to_owned(), reference.to_string());
        }
    }
    annotations
}

/// The annotations as labels, for an image whose builder writes no annotations.
pub(crate) fn labels(plan: &Plan, provenance: &Provenance, target: &ImageReference) -> Annotations {
    let mut labels = annotations(plan, provenance);
    labels.insert(IMAGE.to_owned(), target.to_string());
    labels
}

/// What the labels of an image say of where it came from; nothing if they are another image's.
pub(crate) fn provenance_of_labels(
    labels: &Annotations,
    image: &ImageReference,
) -> Result<Option<Provenance>, AnnotationError> {
    if labels.get(IMAGE).is_some_and(|of| *of == image.to_string()) {
        Provenance::of(labels)
    } else {
        Ok(None)
    }
}

/// What is known of the image, so that a spec over it reads none of its layers. Too long for a label.
fn facts(plan: &Plan, layers: &[FinishedLayer]) -> String {
    let mut facts = plan.facts.clone();
    facts.installed.extend(layers.iter().flat_map(|layer| layer.installed.clone()));
    facts.installed.sort_by(|a, b| (&a.site, &a.name).cmp(&(&b.site, &b.name)));
    String::from_utf8(canonical_json(&facts)).expect("JSON is UTF-8")
}

fn layer_descriptor(layer: &FinishedLayer) -> Descriptor {
    let mut annotations = Annotations::from([
        (LAYER_KEY.to_owned(), layer.key.to_string()),
        (LAYER_DIFF_ID.to_owned(), layer.diff_id.to_string()),
        (LAYER_TITLE.to_owned(), layer.title.clone()),
        (LAYER_KIND.to_owned(), layer.kind.name().to_owned()),
    ]);
    if !layer.packages.is_empty() {
        let packages = String::from_utf8(canonical_json(&layer.packages)).expect("JSON is UTF-8");
        annotations.insert(LAYER_PACKAGES.to_owned(), packages);
    }
    Descriptor { annotations, ..Descriptor::new(layer.media_type.clone(), layer.digest, layer.size) }
}

/// Seconds since 1970 in the notation of configurations, such as `1980-01-01T00:00:00Z`.
fn rfc3339(seconds: u64) -> String {
    let seconds = i64::try_from(seconds).unwrap_or(i64::MAX);
    jiff::Timestamp::from_second(seconds).unwrap_or(jiff::Timestamp::MAX).to_string()
}
