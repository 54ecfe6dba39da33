use std::collections::{BTreeMap, BTreeSet};

use bytes::{Bytes, BytesMut};
use imagewright_oci::{Descriptor, Digest, ImageManifest, MediaType};

use super::fault::{Effect, Fault};
use super::rules::Rules;

/// A request as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// `GET`, ...
    pub method: String,
    /// Path and query.
    pub path: String,
    /// The `Authorization` header.
    pub authorization: Option<String>,
    /// The `Content-Length` header.
    pub content_length: Option<u64>,
    /// The `Content-Range` or `Range` header.
    pub range: Option<String>,
}

#[derive(Debug)]
pub(super) struct State {
    pub(super) rules: Rules,
    pub(super) faults: Vec<Fault>,
    pub(super) requests: Vec<Request>,
    pub(super) sessions: BTreeMap<u64, BytesMut>,
    /// Rights by token.
    pub(super) tokens: BTreeMap<String, BTreeSet<String>>,
    /// By method: requests under way, and the most there were.
    under_way: BTreeMap<String, (usize, usize)>,
    next: u64,
    repositories: BTreeMap<String, Repository>,
    blobs: BTreeMap<Digest, Bytes>,
}

#[derive(Debug, Default)]
struct Repository {
    blobs: BTreeSet<Digest>,
    manifests: BTreeMap<Digest, Stored>,
    tags: BTreeMap<String, Digest>,
}

/// A manifest as it was pushed.
#[derive(Clone, Debug)]
pub(super) struct Stored {
    pub(super) media_type: String,
    pub(super) digest: Digest,
    pub(super) bytes: Bytes,
}

impl State {
    pub(super) fn new(rules: Rules) -> Self {
        Self {
            rules,
            faults: Vec::new(),
            requests: Vec::new(),
            sessions: BTreeMap::new(),
            tokens: BTreeMap::new(),
            under_way: BTreeMap::new(),
            next: 0,
            repositories: BTreeMap::new(),
            blobs: BTreeMap::new(),
        }
    }

    /// A number that was not given before.
    pub(super) fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    pub(super) fn begin(&mut self, method: &str) {
        let (now, most) = self.under_way.entry(method.to_owned()).or_default();
        *now += 1;
        *most = (*most).max(*now);
    }

    pub(super) fn end(&mut self, method: &str) {
        self.under_way.entry(method.to_owned()).or_default().0 -= 1;
    }

    /// The most requests of a method that were under way at once, since this was asked last.
    pub(super) fn most_at_once(&mut self, method: &str) -> usize {
        let (now, most) = self.under_way.entry(method.to_owned()).or_default();
        std::mem::replace(most, *now)
    }

    /// The first fault that a request meets.
    pub(super) fn fault(&mut self, method: &str, path: &str) -> Option<Effect> {
        self.faults.iter_mut().find_map(|fault| fault.meet(method, path))
    }

    pub(super) fn has_repository(&self, repository: &str) -> bool {
        self.repositories.contains_key(repository)
    }

    pub(super) fn put_blob(&mut self, repository: &str, bytes: Bytes) -> Digest {
        let digest = Digest::of(&bytes);
        self.blobs.insert(digest, bytes);
        self.repositories.entry(repository.to_owned()).or_default().blobs.insert(digest);
        digest
    }

    pub(super) fn blob(&self, repository: &str, digest: Digest) -> Option<Bytes> {
        let has = self.repositories.get(repository).is_some_and(|known| known.blobs.contains(&digest));
        has.then(|| self.blobs.get(&digest).cloned()).flatten()
    }

    pub(super) fn mount(&mut self, repository: &str, digest: Digest, from: &str) -> bool {
        let has = self.blob(from, digest).is_some();
        if has {
            self.repositories.entry(repository.to_owned()).or_default().blobs.insert(digest);
        }
        has
    }

    pub(super) fn damage_blob(&mut self, digest: Digest) {
        if let Some(bytes) = self.blobs.get_mut(&digest) {
            let mut damaged = bytes.to_vec();
            damaged.iter_mut().take(1).for_each(|byte| *byte = !*byte);
            *bytes = damaged.into();
        }
    }

    pub(super) fn delete_repository(&mut self, repository: &str) {
        self.repositories.remove(repository);
    }

    pub(super) fn delete_blob(&mut self, digest: Digest) {
        self.blobs.remove(&digest);
        self.repositories.values_mut().for_each(|repository| {
            repository.blobs.remove(&digest);
        });
    }

    pub(super) fn tag(&self, repository: &str, tag: &str) -> Option<Digest> {
        self.repositories.get(repository)?.tags.get(tag).copied()
    }

    pub(super) fn tags(&self, repository: &str) -> BTreeSet<String> {
        self.repositories
            .get(repository)
            .map(|known| known.tags.keys().cloned().collect())
            .unwrap_or_default()
    }

    /// The manifest at a tag or digest.
    pub(super) fn manifest(&self, repository: &str, name: &str) -> Option<Stored> {
        let known = self.repositories.get(repository)?;
        let digest = known.tags.get(name).copied().or_else(|| name.parse().ok())?;
        known.manifests.get(&digest).cloned()
    }

    pub(super) fn put_manifest(&mut self, repository: &str, name: &str, stored: Stored) {
        let known = self.repositories.entry(repository.to_owned()).or_default();
        if name.parse::<Digest>().is_err() {
            known.tags.insert(name.to_owned(), stored.digest);
        }
        known.manifests.insert(stored.digest, stored);
    }

    /// The bytes of every blob and every manifest.
    pub(super) fn contents(&self) -> Vec<Bytes> {
        let manifests = self.repositories.values().flat_map(|repository| repository.manifests.values());
        self.blobs.values().cloned().chain(manifests.map(|stored| stored.bytes.clone())).collect()
    }

    /// Blobs and manifests that a manifest names and its repository lacks.
    pub(super) fn missing(&self, repository: &str, named: &[Digest]) -> Vec<Digest> {
        let has = |digest: &Digest| {
            self.blob(repository, *digest).is_some()
                || self.repositories.get(repository).is_some_and(|known| known.manifests.contains_key(digest))
        };
        named.iter().filter(|digest| !has(digest)).copied().collect()
    }

    /// Descriptors of the manifests whose subject is `subject`.
    pub(super) fn referrers(&self, repository: &str, subject: Digest) -> Vec<Descriptor> {
        let manifests = self.repositories.get(repository).map(|known| known.manifests.values());
        let describe = |stored: &Stored| {
            let manifest: ImageManifest = serde_json::from_slice(&stored.bytes).ok()?;
            manifest.subject.filter(|of| of.digest == subject)?;
            let mut descriptor = Descriptor::of(MediaType::from(stored.media_type.as_str()), &stored.bytes);
            descriptor.artifact_type = manifest.artifact_type;
            descriptor.annotations = manifest.annotations;
            Some(descriptor)
        };
        manifests.into_iter().flatten().filter_map(describe).collect()
    }
}
