use std::convert::Infallible;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::header::{ACCEPT, AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use hyper::{Request, Response};
use imagewright_oci::Digest;

use super::State;
use super::pages::{HTML, JSON, files_of, html_page, json_page};
use crate::server::Body;

/// Answers a request.
pub(super) fn handle(state: &mut State, request: &Request<Incoming>) -> Response<Body> {
    let path = request.uri().path();
    state.requests.push(format!("{} {path}", request.method()));
    let header = |name| request.headers().get(name).and_then(|value| value.to_str().ok());
    if state.authorization.is_some() && header(AUTHORIZATION) != state.authorization.as_deref() {
        let refused = Response::builder().status(401).header("www-authenticate", "Basic realm=\"test\"");
        return refused.body(whole(Vec::new())).expect("the headers are fixed");
    }
    let accepts_json = !state.is_plain && header(ACCEPT).is_some_and(|accept| accept.contains(JSON));
    let Some((media_type, lifetime, body)) = find(state, path, accepts_json) else {
        return Response::builder().status(404).body(whole(Vec::new())).expect("there are no headers");
    };
    let etag = format!("\"{}\"", Digest::of(&body).hex());
    let is_known = header(IF_NONE_MATCH) == Some(&etag);
    let answer = Response::builder()
        .status(if is_known { 304 } else { 200 })
        .header(CONTENT_TYPE, media_type)
        .header(CACHE_CONTROL, lifetime)
        .header(ETAG, etag);
    answer.body(whole(if is_known { Vec::new() } else { body })).expect("the headers are ours")
}

/// Media type, cache control and body of what is at a path.
fn find(state: &State, path: &str, accepts_json: bool) -> Option<(&'static str, &'static str, Vec<u8>)> {
    if let Some(name) = path.strip_prefix("/files/") {
        let immutable = "max-age=365000000, immutable, public";
        let metadata =
            name.strip_suffix(".metadata").and_then(|name| state.files.get(name)?.metadata.clone());
        if let Some(text) = metadata {
            return Some(("text/plain", immutable, text.into_bytes()));
        }
        return Some(("application/octet-stream", immutable, state.files.get(name)?.bytes.clone()));
    }
    let project = path.strip_prefix("/simple/")?.trim_end_matches('/');
    let files = files_of(state, project);
    if files.is_empty() {
        return None;
    }
    let (media_type, page) =
        if accepts_json { (JSON, json_page(project, &files)) } else { (HTML, html_page(&files)) };
    Some((media_type, "no-cache", page.into_bytes()))
}

fn whole(bytes: Vec<u8>) -> Body {
    Full::new(Bytes::from(bytes)).map_err(|never: Infallible| match never {}).boxed_unsync()
}
