//! Requests, and what goes wrong with them.

use std::convert::Infallible;
use std::io;
use std::sync::Mutex;
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt as _;
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_RANGE, HOST, RANGE};
use hyper::{Request as HttpRequest, Response};

use super::api::{self, Answer};
use super::fault::Effect;
use super::state::{Request, State};
use crate::server::Body;

/// Longer than any test waits.
const FOREVER: Duration = Duration::from_hours(1);

/// Handles one request; an error closes the connection without an answer.
pub(super) async fn handle(
    state: &Mutex<State>,
    request: HttpRequest<Incoming>,
) -> Result<Response<Body>, io::Error> {
    let _under_way = UnderWay::begin(state, request.method().as_str());
    let (head, incoming) = request.into_parts();
    let path = head.uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
    let text = |name| head.headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let host = text(HOST).unwrap_or_default();
    let request = Request {
        method: head.method.to_string(),
        path,
        authorization: text(AUTHORIZATION),
        content_length: text(CONTENT_LENGTH).and_then(|length| length.parse().ok()),
        range: text(CONTENT_RANGE).or_else(|| text(RANGE)),
    };
    let fault = {
        let mut state = state.lock().expect("no handler panics");
        state.requests.push(request.clone());
        state.fault(&request.method, &request.path)
    };
    match &fault {
        Some(Effect::Answer { status, headers, body }) => {
            let mut answer = api::answer(*status, body.clone());
            for (name, value) in headers {
                answer.headers_mut().insert(*name, value.parse().expect("a header value"));
            }
            // As proxies do, so that the client sees the answer and not a connection reset while it sends.
            tokio::spawn(incoming.collect());
            return Ok(answer.map(whole));
        }
        Some(Effect::DropBefore) => return Err(dropped()),
        Some(Effect::Hang) => tokio::time::sleep(FOREVER).await,
        Some(Effect::Delay(delay)) => tokio::time::sleep(*delay).await,
        _ => {}
    }
    let media_type = text(hyper::header::CONTENT_TYPE).unwrap_or_default();
    let body = incoming.collect().await.map_err(io::Error::other)?.to_bytes();
    let answer =
        api::handle(&mut state.lock().expect("no handler panics"), &host, &request, &media_type, body);
    damaged(answer, fault.as_ref())
}

fn damaged(answer: Answer, fault: Option<&Effect>) -> Result<Response<Body>, io::Error> {
    Ok(match fault {
        Some(Effect::DropAfter) => return Err(dropped()),
        Some(Effect::Truncate(length)) => answer.map(|bytes| {
            let length = bytes.len().min(*length);
            let cut = [Ok(Frame::data(bytes.slice(..length))), Err(dropped())];
            // The error comes a moment later, so that the bytes before it are on their way.
            let frames = futures_util::stream::iter(cut).then(|frame| async {
                tokio::time::sleep(Duration::from_millis(20)).await;
                frame
            });
            StreamBody::new(frames).boxed_unsync()
        }),
        Some(Effect::Stall) => answer.map(|bytes| {
            let half = bytes.slice(..bytes.len() / 2);
            let sent = futures_util::stream::iter([Ok(Frame::data(half))]);
            StreamBody::new(sent.chain(futures_util::stream::pending())).boxed_unsync()
        }),
        Some(Effect::Corrupt) => answer.map(|bytes| {
            let mut bytes = bytes.to_vec();
            bytes.iter_mut().take(1).for_each(|byte| *byte = !*byte);
            whole(bytes.into())
        }),
        _ => answer.map(whole),
    })
}

fn whole(bytes: Bytes) -> Body {
    Full::new(bytes).map_err(|never: Infallible| match never {}).boxed_unsync()
}

fn dropped() -> io::Error {
    io::Error::other("dropped by a fault")
}

/// Counts the requests of one method that are under way at once.
struct UnderWay<'a> {
    state: &'a Mutex<State>,
    method: String,
}

impl<'a> UnderWay<'a> {
    fn begin(state: &'a Mutex<State>, method: &str) -> Self {
        state.lock().expect("no handler panics").begin(method);
        Self { state, method: method.to_owned() }
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.state.lock().expect("no handler panics").end(&self.method);
    }
}
