//! The lock of an image, attached to it in its registry, so that a machine without the store of the last build keeps
//! to what that pinned (design D10).
//!
//! It is an artifact whose subject is what is under the image's tag, a manifest or an index, and its one blob is the lock's canonical form. The image
//! names the digest of that form in its annotations: so whoever has the image needs no list of what refers to it,
//! and what somebody else attaches is never read.

use bytes::Bytes;
use imagewright_lock::{Lock, LockError};
use imagewright_oci::{Descriptor, Digest, EMPTY_JSON, ImageManifest, MediaType};
use imagewright_registry::RegistryError;

use crate::BuildError;
use crate::existence::AtTag;
use crate::job::Job;
use crate::push::{MemoryBlob, Pusher};

/// The type of the artifact, and of its blob.
pub const LOCK_TYPE: &str = "application/vnd.imagewright.lock.v1+json";

/// The largest lock that is read, in bytes; one of a hundred wheels over Debian has 100 KiB.
const MOST_BYTES: usize = 8 << 20;

impl Pusher<'_> {
    /// Sends what an attached lock is made of; the image that it refers to need not be there yet.
    pub(crate) async fn send_lock(&self, lock: &Lock) -> Result<Descriptor, RegistryError> {
        let bytes = Bytes::from(lock.to_bytes());
        let descriptor = Descriptor::of(LOCK_TYPE.into(), &bytes);
        let (lock, empty) = (MemoryBlob(bytes), MemoryBlob(Bytes::from_static(EMPTY_JSON)));
        let (pushed, _) = tokio::try_join!(
            self.client.push_blob(self.target, &lock, &[]),
            self.client.push_blob(self.target, &empty, &[]),
        )?;
        self.report("lock", descriptor.digest, pushed);
        Ok(descriptor)
    }

    /// Attaches the lock that was sent to an image that is there, and complete without it: a registry that does not
    /// take the lock is told of, and nothing more.
    pub(crate) async fn attach(&self, image: &Descriptor, sent: Result<Descriptor, RegistryError>) {
        let attached = async {
            let Descriptor { media_type, digest, size, .. } = image;
            let subject = Descriptor::new(media_type.clone(), *digest, *size);
            let manifest = ImageManifest::attached(LOCK_TYPE, sent?, subject).to_bytes();
            self.client.put_manifest(&self.target.name_only(), &MediaType::OciManifest, manifest.into()).await
        };
        if let Err(error) = attached.await {
            let hint =
                "the image is complete without it; where a registry takes none, set `attach-lock = false`";
            self.reporter.warn(
                format!("the lock could not be attached to {}: {error}", self.target),
                Some(hint.to_owned()),
            );
        }
    }
}

impl Job<'_> {
    /// The digest of the lock that the image at the tag was made from, for who does not ask whether that exists.
    pub(crate) async fn made_from(&self) -> Result<Option<Digest>, BuildError> {
        if !self.may_keep_to_attached() {
            return Ok(None);
        }
        match self.at_tag(true).await {
            Ok(AtTag { origin, .. }) => Ok(origin.and_then(|origin| origin.lock).map(|lock| lock.whole)),
            Err(error @ BuildError::UnknownExistence { .. }) => {
                self.machine.reporter.warn(format!("{error}; its lock is not kept to"), error.hint());
                Ok(None)
            }
            // What is at the tag is not ours.
            Err(
                BuildError::ForeignManifest { .. }
                | BuildError::ForeignConfig { .. }
                | BuildError::ForeignAnnotation { .. },
            ) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The lock with this digest, when it is in the image's repository. One that is of no use is told of.
    pub(crate) async fn attached_lock(&self, digest: Digest) -> Option<Lock> {
        if !self.may_keep_to_attached() {
            return None;
        }
        let place = format!("the lock attached to {}", self.name);
        let found = self.machine.client.find_blob(&self.target, digest, MOST_BYTES).await;
        let (because, hint) = match found.map(|bytes| bytes.map(|bytes| read(&bytes, &place))) {
            Ok(None) => return None,
            Ok(Some(Ok(lock))) => return Some(lock),
            Ok(Some(Err(error))) => (error.to_string(), None),
            Err(error) => (format!("{place} cannot be read: {error}"), error.hint()),
        };
        self.machine.reporter.warn(format!("{because}; it is not kept to"), hint);
        None
    }

    /// Whether there can be an attached lock that would be kept to.
    fn may_keep_to_attached(&self) -> bool {
        let request = self.request;
        self.prefers_earlier() && request.push && !request.offline && request.lock.is_none()
    }
}

fn read(bytes: &[u8], place: &str) -> Result<Lock, LockError> {
    // What is no UTF-8 is no lock either, and is refused as such.
    Lock::parse(&String::from_utf8_lossy(bytes), place)
}
