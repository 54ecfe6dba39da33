//! The distribution API.

use bytes::{Bytes, BytesMut};
use hyper::Response;
use hyper::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderName, HeaderValue};
use imagewright_oci::{Annotations, Digest, ImageIndex, Manifest, MediaType};
use serde_json::json;
use url::form_urlencoded;

use super::state::{Request, State, Stored};
use super::token;

pub(super) type Answer = Response<Bytes>;

/// An answer without headers.
pub(super) fn answer(status: u16, body: impl Into<Bytes>) -> Answer {
    Response::builder().status(status).body(body.into()).expect("a status and a body are an answer")
}

/// A refusal with the specification's error document.
pub(super) fn error(status: u16, code: &str, message: &str) -> Answer {
    let body = json!({"errors": [{"code": code, "message": message}]}).to_string();
    with(answer(status, body), "content-type", "application/json")
}

/// A request for something in a repository, taken apart.
struct Call<'a> {
    method: &'a str,
    repository: &'a str,
    /// `manifests`, `blobs`, `uploads` or `referrers`.
    kind: &'a str,
    /// What follows: a tag, a digest, the number of a session.
    name: &'a str,
    query: &'a str,
    request: &'a Request,
    host: &'a str,
}

/// Answers a request.
pub(super) fn handle(
    state: &mut State,
    host: &str,
    request: &Request,
    media_type: &str,
    body: Bytes,
) -> Answer {
    let (path, query) = request.path.split_once('?').unwrap_or((&request.path, ""));
    let authorization = request.authorization.as_deref();
    if path == "/token" {
        let form = String::from_utf8_lossy(&body).into_owned();
        return token::token(state, if query.is_empty() { &form } else { query }, authorization);
    }
    // Other clients ask first whether this is a registry, and what it wants of them.
    if path == "/v2/" {
        let refusal = token::refusal(state, host, authorization, &[]);
        return finish(state, &request.method, refusal.unwrap_or_else(|| answer(200, "{}")));
    }
    let Some(call) = Call::parse(path, query, request, host) else {
        return answer(404, "404 page not found");
    };
    let from = call.parameter("from").unwrap_or_default();
    let action = if matches!(call.method, "GET" | "HEAD") { "pull" } else { "push" };
    let mut needed = vec![(call.repository, action)];
    if !from.is_empty() && state.rules.mounts {
        needed.push((&from, "pull"));
    }
    let answered = match token::refusal(state, host, authorization, &needed) {
        Some(refusal) => refusal,
        None => call.dispatch(state, media_type, body),
    };
    finish(state, call.method, answered)
}

fn finish(state: &State, method: &str, mut answered: Answer) -> Answer {
    if state.rules.docker_headers {
        answered = with(answered, "docker-distribution-api-version", "registry/2.0");
    } else {
        answered.headers_mut().remove("docker-content-digest");
    }
    if method == "HEAD" {
        let length = answered.body().len().to_string();
        answered = with(answered, CONTENT_LENGTH, &length);
        *answered.body_mut() = Bytes::new();
    }
    answered
}

impl<'a> Call<'a> {
    fn parse(path: &'a str, query: &'a str, request: &'a Request, host: &'a str) -> Option<Self> {
        let rest = path.strip_prefix("/v2/")?;
        let split = |marker: &'static str| rest.rsplit_once(marker);
        let (kind, (repository, name)) = None
            .or_else(|| Some(("uploads", split("/blobs/uploads/")?)))
            .or_else(|| Some(("blobs", split("/blobs/")?)))
            .or_else(|| Some(("manifests", split("/manifests/")?)))
            .or_else(|| Some(("referrers", split("/referrers/")?)))?;
        Some(Self { method: &request.method, repository, kind, name, query, request, host })
    }

    fn parameter(&self, name: &str) -> Option<String> {
        form_urlencoded::parse(self.query.as_bytes())
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.into_owned())
    }

    fn dispatch(&self, state: &mut State, media_type: &str, body: Bytes) -> Answer {
        match (self.kind, self.method) {
            ("manifests", "GET" | "HEAD") => self.get_manifest(state),
            ("manifests", "PUT") => self.put_manifest(state, media_type, body),
            ("blobs", "GET" | "HEAD") => self.get_blob(state),
            ("uploads", "POST") => self.start_upload(state),
            ("uploads", "PATCH") => self.patch(state, &body),
            ("uploads", "PUT") => self.commit(state, &body),
            ("uploads", "DELETE") => self.cancel(state),
            ("referrers", "GET") if state.rules.referrers => self.referrers(state),
            ("referrers", "GET") => answer(404, "404 page not found"),
            _ => error(405, "UNSUPPORTED", "the operation is unsupported"),
        }
    }

    fn get_manifest(&self, state: &State) -> Answer {
        if let Some(stored) = state.manifest(self.repository, self.name) {
            let found = with(answer(200, stored.bytes), CONTENT_TYPE, &stored.media_type);
            return with(found, "docker-content-digest", &stored.digest.to_string());
        }
        if state.has_repository(self.repository) {
            return error(404, "MANIFEST_UNKNOWN", "manifest unknown");
        }
        if state.rules.harbor {
            let message = format!("unknown: repository {} not found", self.repository);
            return error(500, "UNKNOWN", &message);
        }
        let message = format!("The repository with name '{}' does not exist", self.repository);
        error(404, "NAME_UNKNOWN", &message)
    }

    fn put_manifest(&self, state: &mut State, media_type: &str, bytes: Bytes) -> Answer {
        let digest = Digest::of(&bytes);
        let known = state.tag(self.repository, self.name);
        if state.rules.immutable_tags && known.is_some() {
            let message = format!("The image tag '{}' already exists and cannot be overwritten", self.name);
            return error(400, "TAG_INVALID", &message);
        }
        if self.name.parse::<Digest>().is_ok_and(|named| named != digest) {
            return error(400, "DIGEST_INVALID", "provided digest did not match uploaded content");
        }
        let Ok(manifest) = Manifest::parse(&MediaType::from(media_type), &bytes) else {
            return error(400, "MANIFEST_INVALID", "manifest invalid");
        };
        let (named, subject): (Vec<Digest>, _) = match &manifest {
            Manifest::Image(image) => {
                let blobs = image.layers.iter().chain([&image.config]).map(|blob| blob.digest);
                (blobs.collect(), image.subject.as_ref().map(|subject| subject.digest))
            }
            Manifest::Index(index) => (index.manifests.iter().map(|entry| entry.digest).collect(), None),
        };
        if let Some(missing) = state.missing(self.repository, &named).first() {
            return error(404, "MANIFEST_BLOB_UNKNOWN", &format!("blob unknown to registry: {missing}"));
        }
        state.put_manifest(
            self.repository,
            self.name,
            Stored { media_type: media_type.to_owned(), digest, bytes },
        );
        let created = with(answer(201, ""), "docker-content-digest", &digest.to_string());
        match subject.filter(|_| state.rules.referrers) {
            Some(subject) => with(created, "oci-subject", &subject.to_string()),
            None => created,
        }
    }

    fn get_blob(&self, state: &State) -> Answer {
        let blob = self.name.parse().ok().and_then(|digest| state.blob(self.repository, digest));
        let Some(blob) = blob else { return error(404, "BLOB_UNKNOWN", "blob unknown to registry") };
        if let Some(base) = state.rules.redirect_blobs.as_ref().filter(|_| self.method == "GET") {
            let target = format!("{base}{}?signature=presigned", self.request.path);
            return with(answer(307, ""), "location", &target);
        }
        let wanted = self.request.range.as_deref().filter(|_| state.rules.ranges);
        let start: Option<usize> =
            wanted.and_then(|range| range.strip_prefix("bytes=")?.strip_suffix('-')?.parse().ok());
        match start {
            Some(start) if start < blob.len() => {
                let range = format!("bytes {start}-{}/{}", blob.len() - 1, blob.len());
                with(answer(206, blob.slice(start..)), "content-range", &range)
            }
            _ => answer(200, blob),
        }
    }

    fn start_upload(&self, state: &mut State) -> Answer {
        let mount = self.parameter("mount").and_then(|digest| digest.parse::<Digest>().ok());
        if let (Some(digest), Some(from), true) = (mount, self.parameter("from"), state.rules.mounts)
            && state.mount(self.repository, digest, &from)
        {
            return with(answer(201, ""), "location", &format!("/v2/{}/blobs/{digest}", self.repository));
        }
        if mount.is_some() && self.parameter("from").is_none() {
            return error(400, "UNSUPPORTED", "mount needs from");
        }
        let session = state.number();
        state.sessions.insert(session, BytesMut::new());
        self.in_session(state, session, 202)
    }

    fn patch(&self, state: &mut State, body: &Bytes) -> Answer {
        let Some((number, session)) =
            self.name.parse::<u64>().ok().and_then(|at| Some((at, state.sessions.get_mut(&at)?)))
        else {
            return error(404, "BLOB_UPLOAD_UNKNOWN", "blob upload unknown to registry");
        };
        session.extend_from_slice(body);
        self.in_session(state, number, 202)
    }

    fn commit(&self, state: &mut State, body: &Bytes) -> Answer {
        let session = self.name.parse::<u64>().ok().and_then(|number| state.sessions.remove(&number));
        let Some(mut content) = session else {
            return error(404, "BLOB_UPLOAD_UNKNOWN", "blob upload unknown to registry");
        };
        content.extend_from_slice(body);
        let content = content.freeze();
        if self.parameter("digest") != Some(Digest::of(&content).to_string()) {
            return error(400, "DIGEST_INVALID", "provided digest did not match uploaded content");
        }
        let digest = state.put_blob(self.repository, content);
        with(answer(201, ""), "docker-content-digest", &digest.to_string())
    }

    fn cancel(&self, state: &mut State) -> Answer {
        let number: Option<u64> = self.name.parse().ok();
        match number.and_then(|number| state.sessions.remove(&number)) {
            Some(_) => answer(204, ""),
            None => error(404, "BLOB_UPLOAD_UNKNOWN", "blob upload unknown to registry"),
        }
    }

    fn referrers(&self, state: &State) -> Answer {
        let found = self.name.parse().map(|subject| state.referrers(self.repository, subject));
        let index = ImageIndex::new(found.unwrap_or_default(), Annotations::new());
        with(answer(200, index.to_bytes()), CONTENT_TYPE, MediaType::OciIndex.as_str())
    }

    /// Answers with the session's location, which carries a state as real ones do, and with what it has so far.
    fn in_session(&self, state: &State, session: u64, status: u16) -> Answer {
        let base =
            if state.rules.absolute_locations { format!("http://{}", self.host) } else { String::new() };
        let location = format!("{base}/v2/{}/blobs/uploads/{session}?_state=a%2Fb%3D", self.repository);
        let received = state.sessions.get(&session).map_or(0, BytesMut::len);
        let range = format!("0-{}", received.saturating_sub(1));
        with(with(answer(status, ""), "location", &location), "range", &range)
    }
}

fn with(mut answered: Answer, name: impl TryInto<HeaderName>, value: &str) -> Answer {
    let name = name.try_into().ok().expect("a header name");
    answered.headers_mut().insert(name, HeaderValue::from_str(value).expect("a header value"));
    answered
}
