//! Pins a base image by digest and learns what must be known of it (design D6).

use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use imagewright_layer::{LayerEntryKind, LayerError, read_layer};
use imagewright_oci::{Digest, ImageConfig, ImageManifest, ImageReference, Manifest, MediaType, Platform};
use imagewright_registry::Client;
use imagewright_spec::LocalImage;
use imagewright_store::{DocumentKind, Store};
use serde::{Deserialize, Serialize};

use crate::LockError;
use crate::base_image::{BaseImage, BaseOrigin};
use crate::base_source::BaseSource;
use crate::facts::{BaseFacts, Node, NodeKind, Tree, wanted};
use crate::lease::lease;
use crate::local::{LocalImageError, OpenedImage};

/// The manifest annotation with the facts of an image that imagewright made, as JSON.
pub const FACTS_ANNOTATION: &str = "io.imagewright.facts";

/// Manifest and configuration of a base, by the manifest's digest.
const DOCUMENT: DocumentKind = DocumentKind("base-image");
/// The manifest of a platform, by the digest of what a tag led to and the platform.
const CHOICE: DocumentKind = DocumentKind("base-choice");

/// What the store keeps of a base.
#[derive(Serialize, Deserialize)]
struct BaseDocument {
    manifest: ImageManifest,
    config: ImageConfig,
}

/// Pins `reference` for `platform` and reads its facts: from the store, from the annotation of an image of ours,
/// else by streaming its layers once. A known base costs one request, and none when it is pinned already.
///
/// `homes` are the repositories that may have it and its layers; see [`crate::locked_base`].
pub async fn load_base(
    client: &Client,
    store: &Store,
    reference: &ImageReference,
    platform: &Platform,
    pinned: Option<Digest>,
    homes: &[ImageReference],
) -> Result<BaseImage, LockError> {
    let source = BaseSource { client, store, reference, homes };
    let digest = match pinned.or(reference.digest()) {
        Some(digest) => digest,
        None => resolve(client, reference).await?,
    };
    let digest = choose_platform(source, platform, digest).await?;
    let document = document(source, digest).await?;
    check_platform(reference, platform, &document.config)?;
    let facts = match known_facts(store, digest, &document.manifest)? {
        Some(facts) => facts,
        None => facts_read_once(source, digest, &document).await?,
    };
    let BaseDocument { manifest, config } = document;
    let origin = BaseOrigin::Registry { reference: reference.clone(), digest };
    Ok(BaseImage { homes: homes.to_vec(), ..BaseImage::new(origin, manifest, config, facts) })
}

/// Finds an image on this machine for `platform` and reads its facts, as [`load_base`] does. Its path is relative
/// to `directory`.
pub(crate) async fn load_local_base(
    store: &Store,
    wanted: &LocalImage,
    directory: &Path,
    platform: &Platform,
    pinned: Option<Digest>,
) -> Result<BaseImage, LockError> {
    let failed = |source| LockError::LocalBase { image: wanted.clone(), source };
    let (image, directory, platform) = (wanted.clone(), directory.to_owned(), platform.clone());
    let opening =
        tokio::task::spawn_blocking(move || OpenedImage::open(&image, &directory, &platform, pinned));
    let image = Arc::new(opening.await.expect("reading an archive does not panic").map_err(failed)?);
    let facts = if let Some(facts) = known_facts(store, image.digest, &image.manifest)? {
        facts
    } else {
        let reading = tokio::task::spawn_blocking({
            let image = Arc::clone(&image);
            move || local_facts(&image)
        });
        let facts = reading.await.expect("reading a layer does not panic").map_err(failed)?;
        store.put_facts(&image.digest, &facts)?;
        facts
    };
    let (manifest, config) = (image.manifest.clone(), image.config.clone());
    Ok(BaseImage::new(BaseOrigin::Local(image), manifest, config, facts))
}

fn local_facts(image: &OpenedImage) -> Result<BaseFacts, LocalImageError> {
    let mut tree = Tree::default();
    for layer in &image.manifest.layers {
        let digest = layer.digest;
        let unreadable = |source| LocalImageError::Layer { digest, source };
        let reader = image.layer(digest)?;
        tree = apply_layer(tree, reader, &layer.media_type.to_oci()).map_err(unreadable)?;
    }
    Ok(BaseFacts::from_tree(&tree, image.config.config.env_value("PATH").unwrap_or_default()))
}

async fn resolve(client: &Client, reference: &ImageReference) -> Result<Digest, LockError> {
    let found =
        client.resolve_manifest(reference).await.map_err(|source| LockError::registry(reference, source))?;
    let descriptor = found.ok_or_else(|| LockError::NoBase { reference: reference.clone() })?;
    Ok(descriptor.digest)
}

/// The manifest of the platform, when `digest` is that of an index.
async fn choose_platform(
    source: BaseSource<'_>,
    platform: &Platform,
    digest: Digest,
) -> Result<Digest, LockError> {
    let key = Digest::of(format!("{digest} {platform}").as_bytes());
    if let Some(chosen) = source.store.document(CHOICE, &key)? {
        return Ok(chosen);
    }
    let chosen = match source.manifest(digest).await? {
        Manifest::Image(_) => digest,
        Manifest::Index(index) => {
            let entry = index.for_platform(platform).ok_or_else(|| LockError::NoBasePlatform {
                reference: source.reference.clone(),
                platform: platform.clone(),
                found: index.platforms(),
            })?;
            entry.digest
        }
    };
    source.store.put_document(CHOICE, &key, &chosen)?;
    Ok(chosen)
}

async fn document(source: BaseSource<'_>, digest: Digest) -> Result<BaseDocument, LockError> {
    if let Some(document) = source.store.document(DOCUMENT, &digest)? {
        return Ok(document);
    }
    let Manifest::Image(manifest) = source.manifest(digest).await? else {
        return Err(LockError::NestedIndex { reference: source.reference.clone() });
    };
    let config = serde_json::from_slice(&source.config(&manifest.config).await?)
        .map_err(|error| LockError::BaseConfig { reference: source.reference.clone(), source: error })?;
    let document = BaseDocument { manifest: *manifest, config };
    source.store.put_document(DOCUMENT, &digest, &document)?;
    Ok(document)
}

/// An image without an index is for one platform, which only its configuration says.
fn check_platform(
    reference: &ImageReference,
    platform: &Platform,
    config: &ImageConfig,
) -> Result<(), LockError> {
    if platform.accepts(&config.platform) {
        return Ok(());
    }
    let found = vec![config.platform.clone()];
    Err(LockError::NoBasePlatform { reference: reference.clone(), platform: platform.clone(), found })
}

fn known_facts(
    store: &Store,
    digest: Digest,
    manifest: &ImageManifest,
) -> Result<Option<BaseFacts>, LockError> {
    if let Some(facts) =
        store.facts::<BaseFacts>(&digest)?.filter(|facts| facts.version == BaseFacts::VERSION)
    {
        return Ok(Some(facts));
    }
    // Facts of another version, or written by somebody else, are read again from the layers.
    let annotated = manifest.annotations.get(FACTS_ANNOTATION);
    Ok(annotated
        .and_then(|text| serde_json::from_str::<BaseFacts>(text).ok())
        .filter(|facts| facts.version == BaseFacts::VERSION))
}

/// Reads the facts, or waits for who reads them.
async fn facts_read_once(
    source: BaseSource<'_>,
    digest: Digest,
    document: &BaseDocument,
) -> Result<BaseFacts, LockError> {
    let key = Digest::of(format!("facts of {digest}").as_bytes());
    let _lease = lease(source.store, key).await?;
    match known_facts(source.store, digest, &document.manifest)? {
        Some(facts) => Ok(facts),
        None => stream_facts(source, digest, document).await,
    }
}

async fn stream_facts(
    source: BaseSource<'_>,
    digest: Digest,
    document: &BaseDocument,
) -> Result<BaseFacts, LockError> {
    let mut tree = Tree::default();
    for descriptor in &document.manifest.layers {
        let reader = source.layer(descriptor).await?;
        let media_type = descriptor.media_type.to_oci();
        let applied = tokio::task::spawn_blocking(move || apply_layer(tree, reader, &media_type));
        let unread = |error| LockError::BaseLayer { reference: source.reference.clone(), source: error };
        tree = applied.await.expect("reading a layer does not panic").map_err(unread)?;
    }
    let facts = BaseFacts::from_tree(&tree, document.config.config.env_value("PATH").unwrap_or_default());
    source.store.put_facts(&digest, &facts)?;
    Ok(facts)
}

fn apply_layer(mut tree: Tree, reader: impl Read, media_type: &MediaType) -> Result<Tree, LayerError> {
    read_layer(reader, media_type, |entry, content| {
        // A path that is no UTF-8 is none of those that facts are read from.
        let Some(path) = entry.path.to_str().filter(|path| !path.is_empty()) else { return Ok(()) };
        let text = |path: &Path| path.to_string_lossy().into_owned();
        let kind = match &entry.kind {
            LayerEntryKind::Directory => NodeKind::Directory,
            LayerEntryKind::Symlink { target } => NodeKind::Symlink { target: text(target) },
            LayerEntryKind::File { size } => {
                NodeKind::File { content: wanted_content(path, *size, content, media_type)? }
            }
            LayerEntryKind::Hardlink { target } => {
                tree.link(path, &text(target));
                return Ok(());
            }
            LayerEntryKind::Whiteout => {
                tree.hide(path);
                return Ok(());
            }
            LayerEntryKind::Opaque => {
                tree.hide_below(path);
                return Ok(());
            }
            LayerEntryKind::Fifo
            | LayerEntryKind::CharacterDevice { .. }
            | LayerEntryKind::BlockDevice { .. } => NodeKind::Other,
        };
        tree.apply(path, Node { kind, mode: entry.mode, uid: entry.uid, gid: entry.gid });
        Ok(())
    })?;
    Ok(tree)
}

fn wanted_content(
    path: &str,
    size: u64,
    content: &mut dyn Read,
    media_type: &MediaType,
) -> Result<Option<Vec<u8>>, LayerError> {
    if !wanted(path, size) {
        return Ok(None);
    }
    let mut bytes = Vec::new();
    content.read_to_end(&mut bytes).map_err(|source| {
        let media_type = media_type.clone();
        LayerError::Archive { media_type, source }
    })?;
    Ok(Some(bytes))
}
