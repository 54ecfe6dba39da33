//! The package index, as a client sees it that writes its requests by hand.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use imagewright_oci::Digest;
use imagewright_testkit::index::TestIndex;
use imagewright_testkit::wheel::WheelBuilder;

fn get(index: &TestIndex, path: &str, header: &str) -> String {
    let url = index.url();
    let host = url.trim_start_matches("http://").trim_end_matches("/simple");
    let mut stream = TcpStream::connect(host).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{header}\r\n").unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}

#[test]
fn pages_name_files_with_their_hashes() {
    let index = TestIndex::start();
    let wheel = WheelBuilder::new("my_demo", "1.0").requires_python(">=3.9").file("demo.py", "x = 1\n");
    index.add(&wheel);
    let hash = Digest::of(&wheel.bytes()).hex();
    let page = get(&index, "/simple/my-demo/", "");
    assert!(page.starts_with("HTTP/1.1 200") && page.contains(&format!("#sha256={hash}\"")), "{page}");
    assert!(page.contains("data-requires-python=\"&gt;=3.9\""), "{page}");
    let page = get(&index, "/simple/my-demo/", "Accept: application/vnd.pypi.simple.v1+json\r\n");
    assert!(page.contains(&format!("\"hashes\":{{\"sha256\":\"{hash}\"}}")), "{page}");
    let metadata = get(&index, "/files/my_demo-1.0-py3-none-any.whl.metadata", "");
    assert!(metadata.ends_with("Name: my_demo\nVersion: 1.0\nRequires-Python: >=3.9\n"), "{metadata}");
    assert!(get(&index, "/simple/other/", "").starts_with("HTTP/1.1 404"));
    assert_eq!(index.requests().len(), 4);
}

#[test]
fn a_page_that_did_not_change_is_not_sent_again() {
    let index = TestIndex::start();
    index.add(&WheelBuilder::new("demo", "1.0"));
    let page = get(&index, "/simple/demo/", "");
    let etag = page.lines().find_map(|line| line.strip_prefix("etag: ")).unwrap();
    let again = get(&index, "/simple/demo/", &format!("If-None-Match: {etag}\r\n"));
    assert!(again.starts_with("HTTP/1.1 304") && !again.contains("demo-1.0"), "{again}");
    index.add(&WheelBuilder::new("demo", "1.1"));
    assert!(get(&index, "/simple/demo/", &format!("If-None-Match: {etag}\r\n")).contains("demo-1.1"));
}

#[test]
fn an_index_may_lie_and_may_want_a_password() {
    let index = TestIndex::start();
    index.add_lying(&WheelBuilder::new("demo", "1.0"), Digest::of(b"another"));
    let page = get(&index, "/simple/demo/", "");
    assert!(page.contains(&Digest::of(b"another").hex()), "{page}");
    index.ask_for_password("dXNlcjpzZWNyZXQ=");
    assert!(get(&index, "/simple/demo/", "").starts_with("HTTP/1.1 401"));
    assert!(
        get(&index, "/simple/demo/", "Authorization: Basic dXNlcjpzZWNyZXQ=\r\n").starts_with("HTTP/1.1 200")
    );
}
