//! Downloads from a server that fails as it is told.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use imagewright_lock::python::IndexSettings;
use imagewright_lock::uv::Host;
use imagewright_lock::{DownloadError, Downloads, Line, Wanted};
use imagewright_oci::Digest;
use imagewright_store::Store;
use url::Url;

/// What is downloaded.
const CONTENT: &[u8] = b"0123456789";

/// Gives one answer to each connection, and then the heads of the requests.
struct Script {
    address: String,
    requests: JoinHandle<Vec<String>>,
}

impl Script {
    fn start(answers: &[&str]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let answers: Vec<String> = answers.iter().map(|&answer| answer.to_owned()).collect();
        let requests = thread::spawn(move || answers.iter().map(|answer| serve(&listener, answer)).collect());
        Self { address, requests }
    }

    fn url(&self) -> Url {
        format!("http://{}/demo.whl", self.address).parse().unwrap()
    }
}

fn serve(listener: &TcpListener, answer: &str) -> String {
    let (mut stream, _) = listener.accept().unwrap();
    let lines = BufReader::new(&stream).lines().map_while(Result::ok);
    let head: Vec<String> = lines.take_while(|line| !line.is_empty()).collect();
    let (head_of_answer, body) = answer.split_once("\n\n").unwrap_or((answer, ""));
    let fields = head_of_answer.replace('\n', "\r\n");
    write!(stream, "HTTP/1.1 {fields}\r\nConnection: close\r\n\r\n{body}").unwrap();
    head.join("\n")
}

/// Downloads into a store of their own.
pub(crate) fn downloads(folder: &tempfile::TempDir) -> Downloads {
    let store = Store::open(folder.path(), 0).unwrap();
    let host = Host::new(std::collections::BTreeMap::default(), "/".into());
    Downloads::new(Line::default(), store, IndexSettings::default(), host, false, Box::new(|_| ()))
}

/// The file after these answers, and the requests for it.
async fn download(answers: &[&str]) -> (Result<u64, DownloadError>, Vec<String>) {
    let (folder, script) = (tempfile::tempdir().unwrap(), Script::start(answers));
    let url = script.url();
    let wanted = Wanted { url: &url, file_name: "demo.whl", digest: Some(Digest::of(CONTENT)) };
    let artifact = downloads(&folder).artifact(&wanted).await;
    (artifact.map(|artifact| artifact.size), script.requests.join().unwrap())
}

const BROKEN: &str = "200 OK\nContent-Length: 10\n\n0123";

#[tokio::test]
async fn a_size_is_asked_for_again() {
    let busy = "503 Service Unavailable\nContent-Length: 0";
    for (answers, expected) in [
        (&[busy, "200 OK\nContent-Length: 10"][..], Some(10)),
        (&["405 Method Not Allowed\nContent-Length: 0"], None),
    ] {
        let (folder, script) = (tempfile::tempdir().unwrap(), Script::start(answers));
        let url = script.url();
        let wanted = Wanted { url: &url, file_name: "demo.whl", digest: Some(Digest::of(CONTENT)) };
        assert_eq!(downloads(&folder).size(&wanted).await.unwrap(), expected);
        assert!(script.requests.join().unwrap().iter().all(|head| head.starts_with("HEAD ")));
    }
}

#[tokio::test]
async fn a_broken_download_goes_on_where_it_broke() {
    let rest = "206 Partial Content\nContent-Length: 6\nContent-Range: bytes 4-9/10\n\n456789";
    let (size, requests) = download(&[BROKEN, rest]).await;
    assert_eq!(size.unwrap(), 10);
    assert!(requests[1].to_ascii_lowercase().contains("range: bytes=4-"), "{requests:?}");
    let (size, _) = download(&[BROKEN, "200 OK\nContent-Length: 10\n\n0123456789"]).await;
    assert_eq!(size.unwrap(), 10);
}

/// A package index or a mirror of Debian may be on this machine, and is no folder of it for that.
#[tokio::test]
async fn a_server_that_is_called_localhost_is_asked() {
    let content = "200 OK\nContent-Length: 10\n\n0123456789";
    let (folder, script) = (tempfile::tempdir().unwrap(), Script::start(&[content, content, content]));
    let url: Url = script.url().as_str().replace("127.0.0.1", "localhost").parse().unwrap();
    let wanted = Wanted { url: &url, file_name: "demo.whl", digest: Some(Digest::of(CONTENT)) };
    let downloads = downloads(&folder);
    assert_eq!(downloads.size(&wanted).await.unwrap(), Some(10));
    assert_eq!(downloads.document(&wanted).await.unwrap().as_deref(), Some(CONTENT));
    assert_eq!(downloads.artifact(&wanted).await.unwrap().size, 10);
    assert_eq!(script.requests.join().unwrap().len(), 3);
}

#[tokio::test]
async fn another_part_than_the_missing_one_is_refused() {
    for range in ["Content-Range: bytes 0-5/10", "X-Content-Range: none"] {
        let answer = format!("206 Partial Content\nContent-Length: 6\n{range}\n\n012345");
        let (size, _) = download(&[BROKEN, &answer]).await;
        assert!(matches!(&size, Err(DownloadError::OtherPart { .. })), "{size:?}");
    }
}

#[tokio::test]
async fn a_server_is_given_the_time_that_it_asks_for() {
    let start = Instant::now();
    let busy = "429 Too Many Requests\nRetry-After: 2\nContent-Length: 0";
    let (size, _) = download(&[busy, "200 OK\nContent-Length: 10\n\n0123456789"]).await;
    assert_eq!(size.unwrap(), 10);
    assert!(start.elapsed() >= Duration::from_secs(2));
    let (size, _) = download(&["429 Too Many Requests\nRetry-After: 3600\nContent-Length: 0"]).await;
    assert!(matches!(&size, Err(DownloadError::Refused { .. })), "an hour is too long: {size:?}");
}
