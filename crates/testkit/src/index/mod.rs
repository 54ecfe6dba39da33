//! A package index by PEP 503, 658, 691 and 700, in memory, which may lie about hashes.

mod pages;
mod serve;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use imagewright_oci::Digest;

use crate::server::Server;
use crate::tarball::tarball;
use crate::wheel::WheelBuilder;

/// A running index.
#[derive(Debug)]
pub struct TestIndex {
    server: Server,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    files: BTreeMap<String, IndexFile>,
    requests: Vec<String>,
    /// The `Authorization` header that is asked for.
    authorization: Option<String>,
    /// Whether JSON is given to who asks for it.
    is_plain: bool,
}

/// A file, and what its page says of it.
#[derive(Debug)]
struct IndexFile {
    bytes: Vec<u8>,
    sha256: Option<Digest>,
    metadata: Option<String>,
    requires_python: Option<String>,
}

impl TestIndex {
    /// An index without packages, on a free port of this machine.
    pub fn start() -> Self {
        let state = Arc::<Mutex<State>>::default();
        let shared = Arc::clone(&state);
        let server = Server::start(move |request| {
            let state = Arc::clone(&shared);
            async move { Ok(serve::handle(&mut state.lock().expect("no handler panics"), &request)) }
        });
        Self { server, state }
    }

    /// `127.0.0.1:<port>`.
    pub fn host(&self) -> String {
        self.server.host()
    }

    /// The URL for `pip_index`.
    pub fn url(&self) -> String {
        format!("http://{}/simple", self.host())
    }

    /// The URL of a file.
    pub fn file_url(&self, name: &str) -> String {
        format!("http://{}/files/{name}", self.host())
    }

    /// Adds a wheel, or puts it in the place of the one of that name.
    pub fn add(&self, wheel: &WheelBuilder) {
        self.add_lying(wheel, Digest::of(&wheel.bytes()));
    }

    /// Adds a wheel of which the page says another hash.
    pub fn add_lying(&self, wheel: &WheelBuilder, sha256: Digest) {
        let metadata = wheel.metadata_text();
        let requires_python = metadata.lines().find_map(|line| line.strip_prefix("Requires-Python: "));
        let file = IndexFile {
            bytes: wheel.bytes(),
            sha256: Some(sha256),
            requires_python: requires_python.map(str::to_owned),
            metadata: Some(metadata),
        };
        self.lock().files.insert(wheel.filename(), file);
    }

    /// Adds a file that is no wheel of ours, such as a source distribution.
    pub fn add_file(&self, name: &str, bytes: &[u8]) {
        let sha256 = Some(Digest::of(bytes));
        let file = IndexFile { bytes: bytes.to_owned(), sha256, metadata: None, requires_python: None };
        self.lock().files.insert(name.to_owned(), file);
    }

    /// Adds a source distribution of these files, with what its page says of the Python that it needs.
    pub fn add_source(
        &self,
        name: &str,
        version: &str,
        requires_python: Option<&str>,
        files: &[(&str, &str)],
    ) {
        let folder = format!("{name}-{version}");
        let files: Vec<_> = files.iter().map(|(path, text)| (format!("{folder}/{path}"), *text)).collect();
        let file_name = format!("{folder}.tar.gz");
        self.add_file(&file_name, &tarball(&files));
        let mut state = self.lock();
        let file = state.files.get_mut(&file_name).expect("it was added");
        file.requires_python = requires_python.map(str::to_owned);
    }

    /// Asks for the `Authorization` header `Basic {encoded}` from now on.
    pub fn ask_for_password(&self, encoded: &str) {
        self.lock().authorization = Some(format!("Basic {encoded}"));
    }

    /// Has pages by PEP 503 only from now on, which state no sizes.
    pub fn speak_html_only(&self) {
        self.lock().is_plain = true;
    }

    /// Says no hashes of the files that it has, as simple indexes do.
    pub fn conceal_hashes(&self) {
        self.lock().files.values_mut().for_each(|file| file.sha256 = None);
    }

    /// Requests so far, such as `GET /simple/demo/`.
    pub fn requests(&self) -> Vec<String> {
        self.lock().requests.clone()
    }

    /// Forgets the requests so far.
    pub fn forget_requests(&self) {
        self.lock().requests.clear();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no handler panics")
    }
}
