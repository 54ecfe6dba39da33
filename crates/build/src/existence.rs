//! Whether an image exists: yes, no, or stale; what cannot be found out is an error, never a guess (design D10).

use imagewright_oci::{
    Descriptor, Digest, ImageConfig, ImageIndex, ImageManifest, ImageReference, Manifest, Platform,
};
use imagewright_registry::{Client, RegistryError};
use imagewright_spec::{Declared, Outcome, as_locked};
use imagewright_store::{Store, TagRecord};
use serde::Serialize;

use crate::BuildError;
use crate::found::stored;
use crate::fulfilment::unfulfilled;
use crate::image::{BASE_NAME, LAYER_KEY, provenance_of_labels};
use crate::native::GivenLock;
use crate::provenance::Provenance;

/// The answer for one image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "answer", rename_all = "snake_case")]
pub enum Existence {
    /// It is there, from these inputs.
    Exists {
        /// The manifest or index under the tag.
        digest: Digest,
    },
    /// There is nothing under the tag.
    Missing {
        /// What is there for other platforms, if something is.
        platforms: Vec<Platform>,
    },
    /// The tag is there, but made from other inputs.
    Stale {
        /// The manifest or index under the tag.
        digest: Digest,
        /// The inputs that differ, by the name the user knows.
        changed: Vec<String>,
    },
}

/// What is under a tag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AtTag {
    /// Whether it is the image.
    pub(crate) existence: Existence,
    /// What it was made from, when it says so.
    pub(crate) origin: Option<Provenance>,
}

/// What an image must have been made from to be what is asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wanted<'a> {
    pub(crate) declared: &'a Declared,
    /// The lock that covers the spec, when there is one.
    pub(crate) lock: Option<&'a GivenLock>,
}

/// What a registry has under a digest.
#[derive(Debug)]
pub(crate) enum There {
    /// An image, with its configuration.
    Image { manifest: Box<ImageManifest>, config: Box<ImageConfig> },
    /// Images for several platforms.
    Index(ImageIndex),
}

impl There {
    pub(crate) async fn read(
        client: &Client,
        reference: &ImageReference,
        digest: Digest,
    ) -> Result<Option<Self>, BuildError> {
        let pinned = reference.with_digest(digest);
        let Some(fetched) = client.get_manifest(&pinned).await.map_err(unknown(reference))? else {
            return Ok(None);
        };
        let manifest = Manifest::parse(&fetched.descriptor.media_type, &fetched.bytes)
            .map_err(|source| BuildError::ForeignManifest { reference: reference.clone(), source })?;
        let manifest = match manifest {
            Manifest::Index(index) => return Ok(Some(Self::Index(index))),
            Manifest::Image(manifest) => manifest,
        };
        let bytes = client.fetch_bytes(reference, &manifest.config).await.map_err(unknown(reference))?;
        let config = serde_json::from_slice(&bytes)
            .map_err(|source| BuildError::ForeignConfig { reference: reference.clone(), source })?;
        Ok(Some(Self::Image { manifest, config }))
    }

    /// The platforms that it is for, where those are not all that are wanted.
    pub(crate) fn lacks(&self, platforms: &[Platform]) -> Option<Vec<Platform>> {
        match self {
            Self::Image { config, .. } => {
                let is_it = matches!(platforms, [wanted] if wanted.accepts(&config.platform));
                (!is_it).then(|| vec![config.platform.clone()])
            }
            Self::Index(index) => {
                let is_it = platforms.iter().all(|wanted| index.for_platform(wanted).is_some());
                (!is_it).then(|| index.platforms())
            }
        }
    }
}

/// The registry did not say what is under a tag.
pub(crate) fn unknown(reference: &ImageReference) -> impl Fn(RegistryError) -> BuildError + '_ {
    |source| BuildError::UnknownExistence { reference: reference.clone(), source: Box::new(source) }
}

/// Asks the registry for `reference`: one HEAD, and one GET of the manifest if this machine did not push it.
pub(crate) async fn at_tag(
    client: &Client,
    store: &Store,
    reference: &ImageReference,
    platforms: &[Platform],
    wanted: Wanted<'_>,
) -> Result<AtTag, BuildError> {
    let Some(descriptor) = client.head_manifest(reference).await.map_err(unknown(reference))? else {
        return Ok(AtTag::missing(Vec::new()));
    };
    let recorded = store.tag(reference, platforms)?.filter(|record| record.manifest == descriptor.digest);
    // What another version wrote down in another way is asked for again.
    if let Some(Ok(origin)) = recorded.as_ref().map(Provenance::recorded) {
        return Ok(wanted.at_tag(descriptor.digest, origin.as_ref()));
    }
    let Some(there) = There::read(client, reference, descriptor.digest).await? else {
        return Ok(AtTag::missing(Vec::new()));
    };
    if let Some(others) = there.lacks(platforms) {
        return Ok(AtTag::missing(others));
    }
    let foreign = |source| BuildError::ForeignAnnotation { reference: reference.clone(), source };
    let origin = match there {
        There::Image { manifest, config } => match Provenance::of(&manifest.annotations).map_err(foreign)? {
            Some(origin) => Some(origin),
            None => {
                provenance_of_labels(&config.config.labels.unwrap_or_default(), reference).map_err(foreign)?
            }
        },
        There::Index(index) => Provenance::of(&index.annotations).map_err(foreign)?,
    };
    // An image that says nothing was made by another builder from the same tag, which is all there is to ask.
    let answer = wanted.at_tag(descriptor.digest, origin.as_ref());
    if let Existence::Exists { digest } = &answer.existence {
        remember(store, reference, platforms, *digest, wanted.declared.digest, origin.as_ref())?;
    }
    Ok(answer)
}

/// Whether the store has the image: for a spec without a registry, and for builds that are not pushed.
pub(crate) fn at_local_tag(
    store: &Store,
    reference: &ImageReference,
    platforms: &[Platform],
    wanted: Wanted<'_>,
) -> Result<AtTag, BuildError> {
    let missing = AtTag::missing(Vec::new());
    let Some(record) = store.tag(reference, platforms)? else { return Ok(missing) };
    let Some(manifest) = stored(store, record.manifest)? else { return Ok(missing) };
    let manifest = Manifest::parse_untyped(&manifest)
        .map_err(|source| BuildError::StoredManifest { reference: reference.clone(), source })?;
    let annotations = match &manifest {
        Manifest::Image(manifest) => &manifest.annotations,
        Manifest::Index(index) => &index.annotations,
    };
    let origin = match Provenance::recorded(&record) {
        Ok(Some(origin)) => Some(origin),
        Ok(None) | Err(_) => Provenance::of(annotations)
            .map_err(|source| BuildError::ForeignAnnotation { reference: reference.clone(), source })?,
    };
    let is_whole = match &manifest {
        Manifest::Image(manifest) => is_whole(store, manifest)?,
        Manifest::Index(index) => has_parts(store, index, platforms)?,
    };
    Ok(if is_whole { wanted.at_tag(record.manifest, origin.as_ref()) } else { missing })
}

/// Whether the store has all of an image but what is in a registry: the layers of a base are, if that is in one.
fn is_whole(store: &Store, manifest: &ImageManifest) -> Result<bool, BuildError> {
    let is_elsewhere = manifest.annotations.contains_key(BASE_NAME);
    let is_ours = |layer: &&Descriptor| !is_elsewhere || layer.annotations.contains_key(LAYER_KEY);
    let ours = manifest.layers.iter().filter(is_ours);
    for descriptor in ours.chain([&manifest.config]) {
        if store.blob(&descriptor.digest)?.is_none() {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Whether the store has the images of all these platforms.
fn has_parts(store: &Store, index: &ImageIndex, platforms: &[Platform]) -> Result<bool, BuildError> {
    for platform in platforms {
        let Some(entry) = index.for_platform(platform) else { return Ok(false) };
        match stored(store, entry.digest)?.map(|bytes| Manifest::parse_untyped(&bytes)) {
            Some(Ok(Manifest::Image(manifest))) if is_whole(store, &manifest)? => {}
            _ => return Ok(false),
        }
    }
    Ok(true)
}

/// Remembers what is under a tag, so that the next question costs one request: what it says of itself, or that it says
/// nothing. An index is remembered for each of its platforms besides: who asks for the tag alone asks for one.
pub(crate) fn remember(
    store: &Store,
    reference: &ImageReference,
    platforms: &[Platform],
    manifest: Digest,
    asked: Digest,
    origin: Option<&Provenance>,
) -> Result<(), BuildError> {
    let inputs = serde_json::to_value(origin).expect("digests serialise");
    let declared = origin.map_or(asked, |origin| origin.declared);
    let record = TagRecord { manifest, declared, inputs };
    if let [_, _, ..] = platforms {
        for platform in platforms {
            store.put_tag(reference, std::slice::from_ref(platform), &record)?;
        }
    }
    Ok(store.put_tag(reference, platforms, &record)?)
}

impl AtTag {
    pub(crate) fn missing(platforms: Vec<Platform>) -> Self {
        Self { existence: Existence::Missing { platforms }, origin: None }
    }
}

impl Wanted<'_> {
    pub(crate) fn at_tag(&self, digest: Digest, has: Option<&Provenance>) -> AtTag {
        AtTag { existence: self.compare(digest, has), origin: has.cloned() }
    }

    /// Another lock makes another image, so one that does not fit is stale like any other input. One that fits says in
    /// which version front ends get what they ask for.
    fn compare(&self, digest: Digest, has: Option<&Provenance>) -> Existence {
        let Some(has) = has else { return Existence::Exists { digest } };
        let different = match (self.lock, has.lock) {
            (Some(given), Some(lock)) if lock.are_of(&given.lock) => {
                unfulfilled(self.declared, has, &as_locked(&has.inputs, |_| Some(Outcome::There)))
            }
            (given, lock) => {
                let mut different = unfulfilled(self.declared, has, &has.inputs);
                different.extend(given.filter(|_| lock.is_some()).map(|given| given.place.clone()));
                different
            }
        };
        if different.is_empty() {
            Existence::Exists { digest }
        } else {
            Existence::Stale { digest, changed: different }
        }
    }
}
