//! An archive of Debian packages, in memory, which gains and loses versions as real ones do.
//!
//! apt takes it as a flat repository that is trusted: `Suites: ./`, `Trusted: yes`.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::fmt::Write as _;
use std::io::Write as _;
use std::sync::{Arc, Mutex, MutexGuard};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::Response;
use imagewright_oci::Digest;

use crate::server::{Body, Server};
use crate::tarball::tarball as tar;

/// A running archive.
#[derive(Debug)]
pub struct TestArchive {
    server: Server,
    files: Arc<Mutex<Files>>,
}

/// Packages by file name: the paragraph of the index without its file, and the file.
type Files = BTreeMap<String, (String, Vec<u8>)>;

impl TestArchive {
    /// An archive without packages, on a free port of this machine.
    pub fn start() -> Self {
        let files = Arc::<Mutex<Files>>::default();
        let shared = Arc::clone(&files);
        let server = Server::start(move |request| {
            let files = Arc::clone(&shared);
            let name = request.uri().path().trim_start_matches("/./").trim_start_matches('/').to_owned();
            async move { Ok(answer(&files.lock().expect("no handler panics"), &name)) }
        });
        Self { server, files }
    }

    /// The source for apt, in deb822 format.
    pub fn source(&self) -> String {
        format!("Types: deb\nURIs: http://{}/\nSuites: ./\nTrusted: yes\n", self.server.host())
    }

    /// Adds a version of a package, which has its version in the file `/opt/NAME`; `depends` is as in its control file.
    pub fn add(&self, name: &str, version: &str, depends: &str) {
        let mut control = format!(
            "Package: {name}\nVersion: {version}\nArchitecture: all\nMaintainer: Nobody <nobody@example.com>\n\
             Description: a package of a test\n"
        );
        if !depends.is_empty() {
            writeln!(control, "Depends: {depends}").expect("text grows");
        }
        let content = [(format!("./opt/{name}"), format!("{version}\n"))];
        let package = ar(&[
            ("debian-binary", b"2.0\n".to_vec()),
            ("control.tar.gz", tar(&[("./control".to_owned(), control.clone())])),
            ("data.tar.gz", tar(&content)),
        ]);
        self.files().insert(format!("{name}_{version}_all.deb"), (control, package));
    }

    /// Takes a version of a package away.
    pub fn remove(&self, name: &str, version: &str) {
        let removed = self.files().remove(&format!("{name}_{version}_all.deb"));
        assert!(removed.is_some(), "there is no {name} {version}");
    }

    fn files(&self) -> MutexGuard<'_, Files> {
        self.files.lock().expect("no handler panics")
    }
}

fn answer(files: &Files, name: &str) -> Response<Body> {
    let found = if name == "Packages" {
        Some(index(files).into_bytes())
    } else {
        files.get(name).map(|(_, package)| package.clone())
    };
    let status = if found.is_some() { 200 } else { 404 };
    let body = Full::new(Bytes::from(found.unwrap_or_default()));
    let body = body.map_err(|never: Infallible| match never {}).boxed_unsync();
    Response::builder().status(status).body(body).expect("there are no headers")
}

fn index(files: &Files) -> String {
    let paragraphs = files.iter().map(|(name, (control, package))| {
        let (size, sha256) = (package.len(), Digest::of(package));
        format!("{control}Filename: ./{name}\nSize: {size}\nSHA256: {}\n\n", sha256.hex())
    });
    paragraphs.collect()
}

/// An archive of ar(5).
fn ar(members: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut bytes = b"!<arch>\n".to_vec();
    for (name, content) in members {
        writeln!(bytes, "{name:<16}{:<12}{:<6}{:<6}{:<8}{:<10}`", 0, 0, 0, "100644", content.len())
            .expect("memory can be written to");
        bytes.extend(content);
        if content.len() % 2 == 1 {
            bytes.push(b'\n');
        }
    }
    bytes
}
