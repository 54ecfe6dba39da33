//! Authentication as registries ask for it: nothing is sent before a challenge.

mod challenge;
mod scope;
mod token;

use std::net::IpAddr;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use imagewright_oci::ImageReference;
use reqwest::header::{HeaderMap, HeaderValue};
use tokio::sync::Mutex;
use tokio::time::Instant;
use url::Url;

use crate::credentials::{Credential, Credentials, CredentialsError, Found, Origin, Secret};
use crate::destination::{self, UnsafeDestination};
use crate::error::Refusal;
use crate::transport::{Transport, TransportError};

pub(crate) use challenge::Challenge;
pub use scope::Scopes;

/// The authentication to one registry: what it asked for, and the tokens it gave.
#[derive(Debug)]
pub(crate) struct Authenticator {
    credentials: Credentials,
    base: Url,
    limit: Duration,
    /// Held while a token is fetched, so that requests which begin together fetch one.
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    scheme: Option<Scheme>,
    tokens: Vec<CachedToken>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Scheme {
    Basic,
    Bearer { realm: Url, service: Option<String> },
}

#[derive(Debug)]
struct CachedToken {
    /// Whose token it is: credentials may differ between repositories.
    origin: Origin,
    scopes: Scopes,
    token: Secret,
    expires: Instant,
}

/// The header of a request, and where it came from.
#[derive(Clone, Debug, Default)]
pub(crate) struct Authorization {
    pub(crate) header: Option<HeaderValue>,
    pub(crate) origin: Origin,
}

/// Why there is no authorization.
#[derive(Debug)]
pub(crate) enum AuthError {
    Credentials(CredentialsError),
    /// The token service refuses.
    Refused {
        by: String,
        refusal: Box<Refusal>,
        origin: Origin,
    },
    Unanswered {
        cause: TransportError,
        origin: Origin,
    },
    Unsafe(UnsafeDestination),
    BadAnswer {
        problem: &'static str,
    },
}

/// A 401 answer, and the request that got it.
#[derive(Debug)]
pub(crate) struct Rejected<'a> {
    pub(crate) headers: &'a HeaderMap,
    pub(crate) address: Option<IpAddr>,
    pub(crate) authorization: &'a Authorization,
}

impl Authenticator {
    pub(crate) fn new(credentials: Credentials, base: Url, limit: Duration) -> Self {
        Self { credentials, base, limit, state: Mutex::default() }
    }

    /// What to send with a request: nothing, until the registry has challenged one.
    pub(crate) async fn authorize(
        &self,
        transport: &Transport,
        repository: &ImageReference,
        scopes: &Scopes,
    ) -> Result<Authorization, AuthError> {
        let mut state = self.state.lock().await;
        let Some(scheme) = state.scheme.clone() else { return Ok(Authorization::default()) };
        let found = self.credentials.find(repository).await.map_err(AuthError::Credentials)?;
        match scheme {
            Scheme::Basic => Ok(Authorization::basic(&found)),
            Scheme::Bearer { realm, service } => {
                if let Some(cached) = state.usable(&found.origin, scopes) {
                    return Authorization::bearer(cached, found.origin);
                }
                self.fetch(transport, &mut state, &realm, service.as_deref(), scopes, scopes, found).await
            }
        }
    }

    /// What to send instead, after a 401; none when there is nothing better than what was sent.
    pub(crate) async fn answer_challenge(
        &self,
        transport: &Transport,
        repository: &ImageReference,
        scopes: &Scopes,
        rejected: Rejected<'_>,
    ) -> Result<Option<Authorization>, AuthError> {
        let Some(challenge) = Challenge::of(rejected.headers) else { return Ok(None) };
        let mut state = self.state.lock().await;
        let found = self.credentials.find(repository).await.map_err(AuthError::Credentials)?;
        match challenge {
            Challenge::Basic => {
                state.scheme = Some(Scheme::Basic);
                let authorization = Authorization::basic(&found);
                let is_news = authorization.header != rejected.authorization.header;
                Ok(Some(authorization).filter(|_| is_news))
            }
            Challenge::Bearer { realm, service, scopes: challenged } => {
                let realm = self.realm(&realm, rejected.address)?;
                state.scheme = Some(Scheme::Bearer { realm: realm.clone(), service: service.clone() });
                // Another request may have fetched a token since this one was sent.
                if let Some(cached) = state.usable(&found.origin, scopes) {
                    let other = Authorization::bearer(cached, found.origin.clone())?;
                    if other.header != rejected.authorization.header {
                        return Ok(Some(other));
                    }
                }
                state
                    .tokens
                    .retain(|cached| !(cached.origin == found.origin && cached.scopes.covers(scopes)));
                let asked = scopes.union(&challenged);
                self.fetch(transport, &mut state, &realm, service.as_deref(), scopes, &asked, found)
                    .await
                    .map(Some)
            }
        }
    }

    fn realm(&self, realm: &str, address: Option<IpAddr>) -> Result<Url, AuthError> {
        let realm =
            Url::parse(realm).map_err(|_| AuthError::BadAnswer { problem: "names no token service" })?;
        destination::check(&self.base, address, &realm).map_err(AuthError::Unsafe)?;
        Ok(realm)
    }

    #[expect(clippy::too_many_arguments, reason = "the parts of one token request, used in two places")]
    async fn fetch(
        &self,
        transport: &Transport,
        state: &mut State,
        realm: &Url,
        service: Option<&str>,
        needed: &Scopes,
        asked: &Scopes,
        found: Found,
    ) -> Result<Authorization, AuthError> {
        if let Some(Credential::Bearer { token }) = &found.credential {
            return Authorization::bearer(token, found.origin.clone());
        }
        let request = token::TokenRequest { realm, service, scopes: asked, found: &found, limit: self.limit };
        let fetched = token::fetch(transport, &request).await?;
        let authorization = Authorization::bearer(&fetched.token, found.origin.clone())?;
        state.tokens.push(CachedToken {
            origin: found.origin,
            scopes: needed.union(asked),
            token: fetched.token,
            expires: Instant::now() + fetched.lifetime,
        });
        Ok(authorization)
    }
}

impl State {
    fn usable(&mut self, origin: &Origin, scopes: &Scopes) -> Option<&Secret> {
        let now = Instant::now();
        self.tokens.retain(|cached| cached.expires > now);
        self.tokens
            .iter()
            .find(|cached| cached.origin == *origin && cached.scopes.covers(scopes))
            .map(|cached| &cached.token)
    }
}

impl Authorization {
    fn basic(found: &Found) -> Self {
        let Some(Credential::Password { username, password }) = &found.credential else {
            return Self { header: None, origin: found.origin.clone() };
        };
        Self { header: Some(basic_header(username, password)), origin: found.origin.clone() }
    }

    fn bearer(token: &Secret, origin: Origin) -> Result<Self, AuthError> {
        let mut header = HeaderValue::from_str(&format!("Bearer {}", token.expose()))
            .map_err(|_| AuthError::BadAnswer { problem: "has a token that no header can carry" })?;
        header.set_sensitive(true);
        Ok(Self { header: Some(header), origin })
    }
}

/// RFC 7617.
fn basic_header(username: &str, password: &Secret) -> HeaderValue {
    let encoded = STANDARD.encode(format!("{username}:{}", password.expose()));
    let mut header = HeaderValue::from_str(&format!("Basic {encoded}")).expect("base64 is visible ASCII");
    header.set_sensitive(true);
    header
}
