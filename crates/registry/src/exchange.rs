//! One request to one registry: authenticated, redirected, limited and repeated as it needs.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use imagewright_oci::ImageReference;
use reqwest::header::{AUTHORIZATION, HeaderMap, LOCATION};
use reqwest::{Method, Response, StatusCode};
use url::Url;

use crate::answer::Answer;
use crate::auth::{AuthError, Authenticator, Authorization, Rejected, Scopes};
use crate::backoff::{Backoff, retry_after};
use crate::credentials::Origin;
use crate::destination;
use crate::endpoint::Endpoint;
use crate::error::{Refusal, RegistryError};
use crate::limiter::Limiter;
use crate::operation::{Attempt, Operation};
use crate::options::{Retry, Timeouts};
use crate::reading::{read_ahead, read_limited};
use crate::transport::{Transport, TransportError};

/// Redirects followed for one request.
const MOST_REDIRECTS: usize = 5;

/// The most of a refusal's body that is read, in bytes.
const REFUSAL_LIMIT: usize = 64 << 10;

/// Small requests under way to one registry; blobs are counted apart.
const SMALL_REQUESTS: usize = 8;

/// One registry, or one mirror of it, and what is known of it.
///
/// Clones share all of that; see [`Self::over`] for what they may differ in.
#[derive(Clone, Debug)]
pub(crate) struct Exchange {
    pub(crate) endpoint: Endpoint,
    /// The mirror's host, for messages; none for the registry itself.
    pub(crate) mirror: Option<String>,
    pub(crate) timeouts: Timeouts,
    pub(crate) retry: Retry,
    pub(crate) uploads: Limiter,
    pub(crate) downloads: Limiter,
    pub(crate) transport: Transport,
    small: Limiter,
    authenticator: Arc<Authenticator>,
}

/// A request, which may be sent more than once.
#[derive(Clone, Debug)]
pub(crate) struct Call<'a> {
    pub(crate) operation: Operation,
    pub(crate) reference: &'a ImageReference,
    pub(crate) method: Method,
    pub(crate) url: Url,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Option<Bytes>,
    pub(crate) scopes: Scopes,
    pub(crate) limit: Duration,
    /// The most bytes of an accepted answer's body, when it is to be read before the request counts as answered.
    pub(crate) reads: Option<usize>,
}

/// What came of a request.
#[derive(Debug)]
pub(crate) enum Reply {
    /// A success; its body is still to be read.
    Accepted { response: Response, origin: Origin },
    /// Anything else.
    Refused { refusal: Refusal, headers: HeaderMap, origin: Origin, tries: u32 },
}

impl<'a> Call<'a> {
    pub(crate) fn new(
        operation: Operation,
        reference: &'a ImageReference,
        method: Method,
        url: Url,
        scopes: Scopes,
        limit: Duration,
    ) -> Self {
        Self {
            operation,
            reference,
            method,
            url,
            headers: HeaderMap::new(),
            body: None,
            scopes,
            limit,
            reads: None,
        }
    }
}

impl Exchange {
    pub(crate) fn new(
        endpoint: Endpoint,
        mirror: Option<String>,
        options: &crate::ClientOptions,
        transport: Transport,
    ) -> Self {
        let credentials = options.credentials.clone();
        let authenticator = Authenticator::new(credentials, endpoint.base.clone(), options.timeouts.answer);
        Self {
            endpoint,
            mirror,
            timeouts: options.timeouts,
            retry: options.retry,
            uploads: Limiter::new(options.transfers),
            downloads: Limiter::new(options.transfers),
            small: Limiter::new(SMALL_REQUESTS),
            transport,
            authenticator: Arc::new(authenticator),
        }
    }

    /// The same registry, with requests counted in another transport.
    pub(crate) fn over(&self, transport: &Transport) -> Self {
        Self { transport: transport.clone(), ..self.clone() }
    }

    /// Sends a request until it is answered with more than a passing failure, or tries run out.
    ///
    /// `settles` says of a passing failure that it is the answer all the same.
    pub(crate) async fn send(
        &self,
        call: &Call<'_>,
        settles: fn(&Refusal) -> bool,
    ) -> Result<Reply, RegistryError> {
        let mut backoff = Backoff::new(self.retry);
        loop {
            let outcome = self.send_once(call, backoff.tries()).await;
            let asked = match &outcome {
                Ok(Reply::Refused { refusal, .. }) if refusal.is_transient() && !settles(refusal) => {
                    refusal.retry_after
                }
                Err(error) if error.is_transient() => error.retry_after(),
                _ => return outcome,
            };
            if !backoff.wait(asked).await {
                return outcome;
            }
        }
    }

    /// Sends a request once, or twice when the registry challenges it.
    pub(crate) async fn send_once(&self, call: &Call<'_>, tries: u32) -> Result<Reply, RegistryError> {
        let _permit = self.small.acquire().await;
        let mut authorization = self.authorize(call, tries).await?;
        let mut response = self.follow(call, &authorization, tries).await?;
        if response.status() == StatusCode::UNAUTHORIZED {
            let rejected = Rejected {
                headers: response.headers(),
                address: response.remote_addr().map(|address| address.ip()),
                authorization: &authorization,
            };
            let better = self
                .authenticator
                .answer_challenge(&self.transport, &self.named(call.reference), &call.scopes, rejected)
                .await
                .map_err(|error| self.auth_error(call, error, tries))?;
            if let Some(better) = better {
                authorization = better;
                response = self.follow(call, &authorization, tries).await?;
            }
        }
        self.reply(call, response, authorization.origin, tries).await
    }

    /// The header for a request that is sent by other means than [`Self::send`].
    pub(crate) async fn authorize(
        &self,
        call: &Call<'_>,
        tries: u32,
    ) -> Result<Authorization, RegistryError> {
        self.authenticator
            .authorize(&self.transport, &self.named(call.reference), &call.scopes)
            .await
            .map_err(|error| self.auth_error(call, error, tries))
    }

    /// Turns an answer into a reply, and adapts to what it says about load.
    pub(crate) async fn reply(
        &self,
        call: &Call<'_>,
        response: Response,
        origin: Origin,
        tries: u32,
    ) -> Result<Reply, RegistryError> {
        let status = response.status();
        if status.is_success() {
            let response = match call.reads {
                Some(most) => read_ahead(response, most, call.limit)
                    .await
                    .map_err(|cause| self.unanswered(call, cause, &origin, tries))?,
                None => response,
            };
            [&self.small, &self.uploads, &self.downloads].into_iter().for_each(Limiter::accepted);
            return Ok(Reply::Accepted { response, origin });
        }
        let headers = response.headers().clone();
        let body = read_limited(response, REFUSAL_LIMIT, self.timeouts.answer)
            .await
            .map_err(|cause| self.unanswered(call, cause, &origin, tries))?;
        let refusal = Refusal { status, answer: Answer::parse(&body), retry_after: retry_after(&headers) };
        if refusal.is_throttling() {
            [&self.small, &self.uploads, &self.downloads].into_iter().for_each(Limiter::throttled);
        }
        Ok(Reply::Refused { refusal, headers, origin, tries })
    }

    /// Sends a request, and for GET and HEAD goes where the registry redirects it.
    async fn follow(
        &self,
        call: &Call<'_>,
        authorization: &Authorization,
        tries: u32,
    ) -> Result<Response, RegistryError> {
        let mut url = call.url.clone();
        for _ in 0..=MOST_REDIRECTS {
            let client = self.transport.client(&url);
            let client =
                client.map_err(|cause| self.unanswered(call, cause, &authorization.origin, tries))?;
            let mut request = client.request(call.method.clone(), url.clone()).headers(call.headers.clone());
            if let Some(header) = self.header_for(&url, authorization) {
                request = request.header(AUTHORIZATION, header);
            }
            if let Some(body) = &call.body {
                request = request.body(body.clone());
            }
            let sent = self.transport.send(request, &url, call.limit).await;
            let response =
                sent.map_err(|cause| self.unanswered(call, cause, &authorization.origin, tries))?;
            let follows = matches!(call.method, Method::GET | Method::HEAD);
            if !(follows && response.status().is_redirection()) {
                return Ok(response);
            }
            url = self.target(call, &response, &url, &authorization.origin)?;
        }
        Err(self.bad_answer(call, &authorization.origin, "redirects too often"))
    }

    /// Where an answer's `Location` leads, seen from the URL that was asked.
    pub(crate) fn target(
        &self,
        call: &Call<'_>,
        response: &Response,
        asked: &Url,
        origin: &Origin,
    ) -> Result<Url, RegistryError> {
        let location = response.headers().get(LOCATION).and_then(|location| location.to_str().ok());
        let location = location.ok_or_else(|| self.bad_answer(call, origin, "has no `Location`"))?;
        let mut target = asked
            .join(location)
            .map_err(|_| self.bad_answer(call, origin, "has a `Location` that is no URL"))?;
        // A registry behind a proxy that encrypts for it often does not know, and names itself with http.
        if asked.scheme() == "https" && target.scheme() == "http" && target.host() == asked.host() {
            let port = if matches!(target.port(), None | Some(80)) { asked.port() } else { target.port() };
            target
                .set_scheme("https")
                .and_then(|()| target.set_port(port))
                .expect("https has hosts and ports");
        }
        let address = response.remote_addr().map(|address| address.ip());
        destination::check(asked, address, &target).map_err(|source| RegistryError::Unsafe {
            attempt: Box::new(self.attempt(call, origin)),
            source,
        })?;
        Ok(target)
    }

    /// The header, unless the URL leads to another host than the registry's.
    pub(crate) fn header_for(
        &self,
        url: &Url,
        authorization: &Authorization,
    ) -> Option<reqwest::header::HeaderValue> {
        authorization.header.clone().filter(|_| url.origin() == self.endpoint.base.origin())
    }

    /// The repository by its name here, for credentials and scopes: at a mirror, the mirror's.
    pub(crate) fn named(&self, reference: &ImageReference) -> ImageReference {
        match &self.mirror {
            Some(host) => {
                let repository = self.endpoint.repository(reference);
                ImageReference::new(Some(host), &repository, None, None).unwrap_or_else(|_| reference.clone())
            }
            None => reference.clone(),
        }
    }

    pub(crate) fn attempt(&self, call: &Call<'_>, origin: &Origin) -> Attempt {
        Attempt {
            operation: call.operation,
            reference: call.reference.clone(),
            mirror: self.mirror.clone(),
            scopes: call.scopes.clone(),
            origin: origin.clone(),
        }
    }

    pub(crate) fn unanswered(
        &self,
        call: &Call<'_>,
        cause: TransportError,
        origin: &Origin,
        tries: u32,
    ) -> RegistryError {
        RegistryError::Unanswered { attempt: Box::new(self.attempt(call, origin)), tries, cause }
    }

    pub(crate) fn bad_answer(
        &self,
        call: &Call<'_>,
        origin: &Origin,
        problem: &'static str,
    ) -> RegistryError {
        RegistryError::BadAnswer { attempt: Box::new(self.attempt(call, origin)), problem }
    }

    /// The error that a refusal is, when it is no answer to the question.
    pub(crate) fn refused(
        &self,
        call: &Call<'_>,
        refusal: Refusal,
        origin: &Origin,
        tries: u32,
    ) -> RegistryError {
        let attempt = Box::new(self.attempt(call, origin));
        let status = refusal.status;
        let refusal = Box::new(refusal);
        match status {
            StatusCode::UNAUTHORIZED => {
                RegistryError::LoginRefused { by: attempt.host().to_owned(), attempt, refusal }
            }
            StatusCode::FORBIDDEN => RegistryError::Forbidden { attempt, refusal },
            StatusCode::TOO_MANY_REQUESTS => RegistryError::Throttled { attempt, refusal, tries },
            _ => RegistryError::Refused { attempt, refusal, tries },
        }
    }

    fn auth_error(&self, call: &Call<'_>, error: AuthError, tries: u32) -> RegistryError {
        match error {
            AuthError::Unanswered { cause, origin } => self.unanswered(call, cause, &origin, tries),
            AuthError::BadAnswer { problem } => self.bad_answer(call, &Origin::default(), problem),
            AuthError::Refused { by, refusal, origin } if !refusal.is_transient() => {
                let attempt = Box::new(self.attempt(call, &origin));
                RegistryError::LoginRefused { attempt, by, refusal }
            }
            AuthError::Refused { refusal, origin, .. } => self.refused(call, *refusal, &origin, tries),
            AuthError::Credentials(source) => RegistryError::Credentials {
                attempt: Box::new(self.attempt(call, &Origin::default())),
                source,
            },
            AuthError::Unsafe(source) => {
                RegistryError::Unsafe { attempt: Box::new(self.attempt(call, &Origin::default())), source }
            }
        }
    }
}

impl Reply {
    /// Takes a success; makes an error of anything else.
    pub(crate) fn accepted(
        self,
        exchange: &Exchange,
        call: &Call<'_>,
    ) -> Result<(Response, Origin), RegistryError> {
        match self {
            Self::Accepted { response, origin } => Ok((response, origin)),
            Self::Refused { refusal, origin, tries, .. } => {
                Err(exchange.refused(call, refusal, &origin, tries))
            }
        }
    }
}
