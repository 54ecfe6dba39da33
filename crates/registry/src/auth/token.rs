use std::time::Duration;

use reqwest::header::{AUTHORIZATION, CONTENT_TYPE};
use reqwest::{Method, StatusCode};
use serde::Deserialize;
use url::{Url, form_urlencoded};

use super::{AuthError, Scopes, basic_header};
use crate::answer::Answer;
use crate::backoff::retry_after;
use crate::credentials::{Credential, Found, Secret};
use crate::error::Refusal;
use crate::reading::read_limited;
use crate::transport::Transport;

/// How long a token is good for when its service does not say.
const DEFAULT_LIFETIME: Duration = Duration::from_mins(1);

/// The most of a token service's answer that is read, in bytes; tokens of some services have several KiB.
const ANSWER_LIMIT: usize = 1 << 20;

/// What is asked of a token service.
#[derive(Debug)]
pub(super) struct TokenRequest<'a> {
    pub(super) realm: &'a Url,
    pub(super) service: Option<&'a str>,
    pub(super) scopes: &'a Scopes,
    pub(super) found: &'a Found,
    pub(super) limit: Duration,
}

/// A token and how long it is good for.
#[derive(Debug)]
pub(super) struct Token {
    pub(super) token: Secret,
    pub(super) lifetime: Duration,
}

#[derive(Deserialize)]
struct Wire {
    #[serde(default)]
    token: Option<String>,
    #[serde(default)]
    access_token: Option<String>,
    #[serde(default)]
    expires_in: Option<u64>,
}

/// Asks a token service, by the distribution project's token specification.
///
/// An identity token is exchanged with OAuth's refresh grant; otherwise it is a GET, with the password if there is
/// one and anonymous if not.
pub(super) async fn fetch(transport: &Transport, request: &TokenRequest<'_>) -> Result<Token, AuthError> {
    let origin = || request.found.origin.clone();
    let unanswered = |cause| AuthError::Unanswered { cause, origin: origin() };
    let (url, builder) = build(transport, request)?;
    let response = transport.send(builder, &url, request.limit).await.map_err(unanswered)?;
    let status = response.status();
    let wait = retry_after(response.headers());
    let body = read_limited(response, ANSWER_LIMIT, request.limit).await.map_err(unanswered)?;
    if status != StatusCode::OK {
        let refusal = Refusal { status, answer: Answer::parse(&body), retry_after: wait };
        return Err(AuthError::Refused { by: host_of(&url), refusal: Box::new(refusal), origin: origin() });
    }
    let wire: Wire = serde_json::from_slice(&body)
        .map_err(|_| AuthError::BadAnswer { problem: "leads to a token service that answers no JSON" })?;
    let token = wire.token.or(wire.access_token).filter(|token| !token.is_empty());
    let token =
        token.ok_or(AuthError::BadAnswer { problem: "leads to a token service that gives no token" })?;
    let lifetime = wire.expires_in.map_or(DEFAULT_LIFETIME, Duration::from_secs);
    Ok(Token { token: Secret::new(token), lifetime: usable_part(lifetime) })
}

/// A token is renewed before its last tenth, for the clocks differ and requests take time.
fn usable_part(lifetime: Duration) -> Duration {
    lifetime / 10 * 9
}

fn build(
    transport: &Transport,
    request: &TokenRequest<'_>,
) -> Result<(Url, reqwest::RequestBuilder), AuthError> {
    let mut url = request.realm.clone();
    let client = transport
        .client(&url)
        .map_err(|cause| AuthError::Unanswered { cause, origin: request.found.origin.clone() })?;
    if let Some(Credential::Identity { token }) = &request.found.credential {
        let scopes: Vec<String> = request.scopes.texts().collect();
        let form = form_urlencoded::Serializer::new(String::new())
            .append_pair("grant_type", "refresh_token")
            .append_pair("client_id", "imagewright")
            .append_pair("service", request.service.unwrap_or_default())
            .append_pair("scope", &scopes.join(" "))
            .append_pair("refresh_token", token.expose())
            .finish();
        let builder = client
            .request(Method::POST, url.clone())
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(form);
        return Ok((url, builder));
    }
    if let Some(service) = request.service {
        url.query_pairs_mut().append_pair("service", service);
    }
    for scope in request.scopes.texts() {
        url.query_pairs_mut().append_pair("scope", &scope);
    }
    let mut builder = client.request(Method::GET, url.clone());
    if let Some(Credential::Password { username, password }) = &request.found.credential {
        builder = builder.header(AUTHORIZATION, basic_header(username, password));
    }
    Ok((url, builder))
}

fn host_of(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}
