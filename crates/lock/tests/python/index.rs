//! A package index on loopback, with or without a password.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use imagewright_oci::Digest;

use super::wheel::wheel;

/// What is served, by file name; and whether pages state hashes.
#[derive(Default)]
pub(crate) struct Index {
    files: BTreeMap<String, Vec<u8>>,
    authorization: Option<String>,
    without_hashes: bool,
}

/// An index that answers; it ends with the process.
pub(crate) struct Running {
    pub(crate) address: String,
    pub(crate) requests: Arc<Mutex<Vec<String>>>,
}

impl Index {
    pub(crate) fn with(mut self, name: &str, version: &str, tag: &str, requires: &[&str]) -> Self {
        self.files.insert(format!("{name}-{version}-{tag}.whl"), wheel(name, version, tag, requires));
        self
    }

    pub(crate) fn with_source(mut self, name: &str, version: &str) -> Self {
        self.files.insert(format!("{name}-{version}.tar.gz"), b"not opened".to_vec());
        self
    }

    /// Asks for the `Authorization` header `Basic {encoded}`.
    pub(crate) fn with_password(self, encoded: &str) -> Self {
        Self { authorization: Some(format!("Basic {encoded}")), ..self }
    }

    pub(crate) fn without_hashes(self) -> Self {
        Self { without_hashes: true, ..self }
    }

    pub(crate) fn start(self) -> Running {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&requests);
        let index = Arc::new(self);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (index, log) = (Arc::clone(&index), Arc::clone(&log));
                // A client that goes away in the middle is its own business.
                thread::spawn(move || index.serve(&stream, &log).ok());
            }
        });
        Running { address, requests }
    }

    fn serve(&self, mut stream: &TcpStream, log: &Mutex<Vec<String>>) -> std::io::Result<()> {
        let mut lines = BufReader::new(stream).lines();
        let first = lines.next().unwrap_or_else(|| Ok(String::new()))?;
        let headers: Vec<String> = lines.map_while(Result::ok).take_while(|line| !line.is_empty()).collect();
        let (method, path) = first.split_once(' ').unwrap_or_default();
        let path = path.split(' ').next().unwrap_or_default();
        log.lock().unwrap().push(path.to_owned());
        let given = headers.iter().find_map(|line| {
            let (name, value) = line.split_once(": ")?;
            name.eq_ignore_ascii_case("authorization").then_some(value)
        });
        let (status, body) = match &self.authorization {
            Some(wanted) if given != Some(wanted) => {
                ("401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"x\"", Vec::new())
            }
            _ => self.page(path).map_or(("404 Not Found", Vec::new()), |body| ("200 OK", body)),
        };
        let kind = if path.starts_with("/simple/") { "text/html" } else { "application/octet-stream" };
        write!(
            stream,
            "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
            body.len()
        )?;
        if method == "GET" { stream.write_all(&body) } else { Ok(()) }
    }

    fn page(&self, path: &str) -> Option<Vec<u8>> {
        if let Some(file) = path.strip_prefix("/files/") {
            return self.files.get(file).cloned();
        }
        let name = path.strip_prefix("/simple/")?.trim_end_matches('/');
        let of_name = self.files.iter().filter(|(file, _)| file.split('-').next() == Some(name));
        let link = |(file, bytes): (&String, &Vec<u8>)| {
            let hash = (!self.without_hashes).then(|| format!("#sha256={}", Digest::of(bytes).hex()));
            format!("<a href=\"/files/{file}{}\">{file}</a>", hash.unwrap_or_default())
        };
        let links = of_name.map(link).collect::<Vec<_>>().join("\n");
        (!links.is_empty())
            .then(|| format!("<!DOCTYPE html><html><body>\n{links}</body></html>").into_bytes())
    }
}

impl Running {
    pub(crate) fn url(&self) -> String {
        format!("http://{}/simple", self.address)
    }

    pub(crate) fn url_with(&self, user: &str, password: &str) -> String {
        format!("http://{user}:{password}@{}/simple", self.address)
    }
}
