//! Whether an image exists: yes, no, or stale; what cannot be found out is an error, never a guess (design D10).

use std::collections::BTreeMap;
use std::io::Read as _;

use imagewright_oci::{Annotations, Digest, ImageManifest, ImageReference, Manifest, Platform};
use imagewright_registry::Client;
use imagewright_spec::Declared;
use imagewright_store::{Store, TagRecord};
use serde::{Deserialize, Serialize};

use crate::BuildError;
use crate::image::{DECLARED, INPUTS, LAYER_KEY, LOCK};

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

/// What an image must have been made from to be what is asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wanted<'a> {
    pub(crate) declared: &'a Declared,
    /// The lock that covers the spec, when there is one: its place and its digest.
    pub(crate) lock: Option<(&'a str, Digest)>,
}

/// What an image says it was made from.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Origin {
    declared: Option<Digest>,
    inputs: BTreeMap<String, Digest>,
    lock: Option<Digest>,
}

/// Asks the registry for `reference`: one HEAD, and one GET of the manifest if this machine did not push it.
pub(crate) async fn existence(
    client: &Client,
    store: &Store,
    reference: &ImageReference,
    platforms: &[Platform],
    wanted: Wanted<'_>,
) -> Result<Existence, BuildError> {
    let unknown =
        |source| BuildError::UnknownExistence { reference: reference.clone(), source: Box::new(source) };
    let Some(descriptor) = client.head_manifest(reference).await.map_err(unknown)? else {
        return Ok(Existence::Missing { platforms: Vec::new() });
    };
    let recorded = store.tag(reference, platforms)?.filter(|record| record.manifest == descriptor.digest);
    if let Some(record) = recorded {
        return Ok(wanted.compare(record.manifest, &Origin::recorded(&record)));
    }
    let pinned = reference.with_digest(descriptor.digest);
    let Some(fetched) = client.get_manifest(&pinned).await.map_err(unknown)? else {
        return Ok(Existence::Missing { platforms: Vec::new() });
    };
    let manifest = Manifest::parse(&fetched.descriptor.media_type, &fetched.bytes)
        .map_err(|source| BuildError::ForeignManifest { reference: reference.clone(), source })?;
    let annotations = match manifest {
        Manifest::Image(manifest) => {
            let bytes = client.fetch_bytes(reference, &manifest.config).await.map_err(unknown)?;
            let has: Platform = serde_json::from_slice(&bytes)
                .map_err(|source| BuildError::ForeignConfig { reference: reference.clone(), source })?;
            if !matches!(platforms, [wanted] if wanted.accepts(&has)) {
                return Ok(Existence::Missing { platforms: vec![has] });
            }
            manifest.annotations
        }
        Manifest::Index(index) => {
            if !platforms.iter().all(|wanted| index.for_platform(wanted).is_some()) {
                return Ok(Existence::Missing { platforms: index.platforms() });
            }
            index.annotations
        }
    };
    // An image without our annotations was made by another builder from the same tag, which is all there is to ask.
    let origin = Origin::annotated(&annotations);
    let answer = wanted.compare(descriptor.digest, &origin);
    if let Existence::Exists { digest } = &answer {
        record(store, reference, platforms, *digest, wanted.declared, origin.lock)?;
    }
    Ok(answer)
}

/// Whether the store has the image: for a spec without a registry, and for builds that are not pushed.
pub(crate) fn local_existence(
    store: &Store,
    reference: &ImageReference,
    platforms: &[Platform],
    wanted: Wanted<'_>,
) -> Result<Existence, BuildError> {
    let missing = Existence::Missing { platforms: Vec::new() };
    let Some(record) = store.tag(reference, platforms)? else { return Ok(missing) };
    let Some(mut blob) = store.blob(&record.manifest)? else { return Ok(missing) };
    let mut manifest = Vec::new();
    blob.read_to_end(&mut manifest).map_err(BuildError::artifact)?;
    let manifest: ImageManifest = serde_json::from_slice(&manifest)
        .map_err(|source| BuildError::ForeignConfig { reference: reference.clone(), source })?;
    let ours = manifest.layers.iter().filter(|layer| layer.annotations.contains_key(LAYER_KEY));
    for descriptor in ours.chain([&manifest.config]) {
        if store.blob(&descriptor.digest)?.is_none() {
            return Ok(missing);
        }
    }
    Ok(wanted.compare(record.manifest, &Origin::recorded(&record)))
}

/// Remembers what is under a tag, so that the next question costs one request.
pub(crate) fn record(
    store: &Store,
    reference: &ImageReference,
    platforms: &[Platform],
    manifest: Digest,
    declared: &Declared,
    lock: Option<Digest>,
) -> Result<(), BuildError> {
    let origin = Origin { declared: Some(declared.digest), inputs: declared.inputs.clone(), lock };
    let inputs = serde_json::to_value(&origin).expect("digests serialise");
    let record = TagRecord { manifest, declared: declared.digest, inputs };
    Ok(store.put_tag(reference, platforms, &record)?)
}

impl Wanted<'_> {
    /// Another lock makes another image, so one that does not fit is stale like any other input.
    fn compare(&self, digest: Digest, has: &Origin) -> Existence {
        let mut different = Vec::new();
        if has.declared.is_some_and(|declared| declared != self.declared.digest) {
            different = changed(&self.declared.inputs, &has.inputs);
        }
        if let (Some((place, wanted)), Some(lock)) = (self.lock, has.lock)
            && wanted != lock
        {
            different.push(place.to_owned());
        }
        if different.is_empty() {
            Existence::Exists { digest }
        } else {
            Existence::Stale { digest, changed: different }
        }
    }
}

impl Origin {
    /// What the store remembers. A record of another version says less, and what it does not say is not compared.
    fn recorded(record: &TagRecord) -> Self {
        let origin: Self = serde_json::from_value(record.inputs.clone()).unwrap_or_default();
        Self { declared: Some(record.declared), ..origin }
    }

    fn annotated(annotations: &Annotations) -> Self {
        let digest = |name| annotations.get(name).and_then(|text: &String| text.parse().ok());
        let inputs = annotations.get(INPUTS).and_then(|text| serde_json::from_str(text).ok());
        Self { declared: digest(DECLARED), inputs: inputs.unwrap_or_default(), lock: digest(LOCK) }
    }
}

/// The names whose digests differ, or that only one side has.
fn changed(now: &BTreeMap<String, Digest>, then: &BTreeMap<String, Digest>) -> Vec<String> {
    let mut names: Vec<String> =
        now.keys().chain(then.keys()).filter(|name| now.get(*name) != then.get(*name)).cloned().collect();
    names.sort();
    names.dedup();
    names
}
