//! A registry by the OCI distribution specification, in memory, with fault injection.
//!
//! It runs on a thread of its own, so that tests of blocking programs can use it, and ends when it is dropped. It is
//! strict where registries are: a manifest's blobs must be there, a digest must fit, a token must cover the request.

mod api;
mod fault;
mod rules;
mod serve;
mod state;
mod token;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use imagewright_oci::{Digest, MediaType};

pub use fault::{Effect, Fault};
pub use rules::{Login, Rules};
pub use state::Request;

use crate::server::Server;
use state::{State, Stored};

/// A running registry.
#[derive(Debug)]
pub struct TestRegistry {
    server: Server,
    state: Arc<Mutex<State>>,
}

impl TestRegistry {
    /// A registry that anyone may use, without faults, on a free port of this machine.
    pub fn start() -> Self {
        Self::start_with(Rules::default())
    }

    /// A registry by other rules.
    pub fn start_with(rules: Rules) -> Self {
        let state = Arc::new(Mutex::new(State::new(rules)));
        let shared = Arc::clone(&state);
        let server = Server::start(move |request| {
            let state = Arc::clone(&shared);
            async move { serve::handle(&state, request).await }
        });
        Self { server, state }
    }

    /// `127.0.0.1:<port>`, the registry part of a reference.
    pub fn host(&self) -> String {
        self.server.host()
    }

    /// Adds a fault; faults are looked at in the order they were added.
    pub fn inject(&self, fault: Fault) {
        self.lock().faults.push(fault);
    }

    /// Removes all faults.
    pub fn heal(&self) {
        self.lock().faults.clear();
    }

    /// Changes the rules of the running registry.
    pub fn set_rules(&self, rules: Rules) {
        self.lock().rules = rules;
    }

    /// The requests so far, those that met a fault included.
    pub fn requests(&self) -> Vec<Request> {
        self.lock().requests.clone()
    }

    /// Forgets the requests so far.
    pub fn forget_requests(&self) {
        self.lock().requests.clear();
    }

    /// Puts a blob into a repository without a request.
    pub fn put_blob(&self, repository: &str, bytes: impl Into<Bytes>) -> Digest {
        self.lock().put_blob(repository, bytes.into())
    }

    /// The bytes of a blob, if the repository has it.
    pub fn blob(&self, repository: &str, digest: Digest) -> Option<Bytes> {
        self.lock().blob(repository, digest)
    }

    /// Puts a manifest under a tag or digest without a request.
    pub fn put_manifest(
        &self,
        repository: &str,
        name: &str,
        media_type: &MediaType,
        bytes: impl Into<Bytes>,
    ) -> Digest {
        let (media_type, bytes) = (media_type.as_str().to_owned(), bytes.into());
        let digest = Digest::of(&bytes);
        self.lock().put_manifest(repository, name, Stored { media_type, digest, bytes });
        digest
    }

    /// Changes the stored bytes of a blob, so that they no longer have its digest.
    pub fn damage_blob(&self, digest: Digest) {
        self.lock().damage_blob(digest);
    }

    /// Takes a blob out of all repositories.
    pub fn delete_blob(&self, digest: Digest) {
        self.lock().delete_blob(digest);
    }

    /// Forgets a repository; what other repositories have of it stays.
    pub fn delete_repository(&self, repository: &str) {
        self.lock().delete_repository(repository);
    }

    /// The digest under a tag.
    pub fn tag(&self, repository: &str, tag: &str) -> Option<Digest> {
        self.lock().tag(repository, tag)
    }

    /// The bytes of a manifest.
    pub fn manifest(&self, repository: &str, digest: Digest) -> Option<Bytes> {
        self.lock().manifest(repository, &digest.to_string()).map(|manifest| manifest.bytes)
    }

    /// The tags of a repository.
    pub fn tags(&self, repository: &str) -> BTreeSet<String> {
        self.lock().tags(repository)
    }

    /// The bytes of every blob and every manifest that it keeps.
    pub fn contents(&self) -> Vec<Bytes> {
        self.lock().contents()
    }

    /// Upload sessions that were opened and neither completed nor cancelled.
    pub fn open_sessions(&self) -> usize {
        self.lock().sessions.len()
    }

    /// The most requests of a method that were under way at once, since this was asked last.
    pub fn most_at_once(&self, method: &str) -> usize {
        self.lock().most_at_once(method)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().expect("no handler panics")
    }
}
