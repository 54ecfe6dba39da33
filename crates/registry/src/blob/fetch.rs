use std::io::{self, Read};
use std::sync::Arc;

use bytes::{Buf as _, Bytes, BytesMut};
use futures_util::{FutureExt as _, Stream};
use imagewright_oci::{Descriptor, Digest, Hasher, ImageReference};
use reqwest::header::{CONTENT_RANGE, HeaderMap, HeaderValue, RANGE};
use reqwest::{Method, Response, StatusCode};
use tokio::runtime::Handle;

use crate::auth::Scopes;
use crate::backoff::Backoff;
use crate::client::Client;
use crate::credentials::Origin;
use crate::error::RegistryError;
use crate::exchange::{Call, Exchange, Reply};
use crate::limiter::Permit;
use crate::operation::Operation;
use crate::reading::read_limited;
use crate::transport::TransportError;

/// The largest blob that is read into memory, in bytes; configurations have a few KiB.
const SMALL_BLOB: u64 = 64 << 20;

/// A blob on its way here.
///
/// A connection that breaks is made again, from where it broke. The last bytes are given only when all bytes
/// together have the right digest and length, so a reader that got as many as the descriptor says got the right
/// ones. Nothing before that may be trusted.
#[derive(Debug)]
pub struct BlobStream {
    exchange: Arc<Exchange>,
    reference: ImageReference,
    descriptor: Descriptor,
    response: Option<Response>,
    origin: Origin,
    /// None once the end was verified.
    hasher: Option<Hasher>,
    received: u64,
    /// Bytes to pass over, where the registry ignored the range asked for.
    surplus: u64,
    backoff: Backoff,
    _permit: Permit,
}

/// A [`BlobStream`] for readers on blocking threads.
#[derive(Debug)]
pub struct BlobReader {
    stream: BlobStream,
    chunk: Bytes,
    runtime: Handle,
}

impl Client {
    /// Downloads a blob, from a mirror or the registry.
    ///
    /// The answer's head has come when this returns; a blob that is not there is an error then.
    pub async fn fetch_blob(
        &self,
        repository: &ImageReference,
        descriptor: &Descriptor,
    ) -> Result<BlobStream, RegistryError> {
        self.pulling(repository, |exchange| {
            async move { BlobStream::open(exchange, repository, descriptor).await.map(Some) }.boxed()
        })
        .await
        .map(|stream| stream.expect("an endpoint either has the blob or fails"))
    }

    /// Downloads a small blob, such as an image configuration, into memory; at most 64 MiB.
    pub async fn fetch_bytes(
        &self,
        repository: &ImageReference,
        descriptor: &Descriptor,
    ) -> Result<Bytes, RegistryError> {
        let mut stream = self.fetch_blob(repository, descriptor).await?;
        if descriptor.size > SMALL_BLOB {
            let problem = "offers a blob of more than 64 MiB where a small one belongs";
            return Err(stream.exchange.bad_answer(&stream.call(), &stream.origin, problem));
        }
        let mut bytes = BytesMut::new();
        while let Some(chunk) = stream.chunk().await? {
            bytes.extend_from_slice(&chunk);
        }
        Ok(bytes.freeze())
    }

    /// Downloads a small blob of which only the digest is known; none when the registry says that it is not there.
    ///
    /// Asks the registry itself, never a mirror. A blob of more than `most` bytes is an error, and so is one that
    /// does not have the digest.
    pub async fn find_blob(
        &self,
        repository: &ImageReference,
        digest: Digest,
        most: usize,
    ) -> Result<Option<Bytes>, RegistryError> {
        let exchange = self.exchange(repository)?;
        let (url, scopes) = (exchange.endpoint.blob(repository, digest), Scopes::pull(repository));
        let limit = exchange.timeouts.answer;
        let mut call = Call::new(Operation::FetchBlob(digest), repository, Method::GET, url, scopes, limit);
        call.reads = Some(most + 1);
        let (response, origin) = match exchange.send(&call, |_| false).await? {
            Reply::Refused { refusal, .. } if refusal.status == StatusCode::NOT_FOUND => return Ok(None),
            reply => reply.accepted(&exchange, &call)?,
        };
        let bytes = read_limited(response, most + 1, limit)
            .await
            .map_err(|cause| exchange.unanswered(&call, cause, &origin, 1))?;
        exchange.transport.counters.received(bytes.len());
        if bytes.len() > most {
            return Err(exchange.bad_answer(&call, &origin, "is longer than such a blob may be"));
        }
        let (received, received_size) = (Digest::of(&bytes), bytes.len() as u64);
        if received != digest {
            let attempt = Box::new(exchange.attempt(&call, &origin));
            let expected_size = received_size;
            return Err(RegistryError::Corrupt {
                attempt,
                expected: digest,
                expected_size,
                received,
                received_size,
            });
        }
        Ok(Some(bytes))
    }

    /// Whether a blob is in a repository of the registry itself.
    pub async fn has_blob(&self, repository: &ImageReference, digest: Digest) -> Result<bool, RegistryError> {
        let exchange = self.exchange(repository)?;
        super::session::has_blob(&exchange, repository, digest, Scopes::pull(repository)).await
    }
}

impl BlobStream {
    async fn open(
        exchange: Arc<Exchange>,
        reference: &ImageReference,
        descriptor: &Descriptor,
    ) -> Result<Self, RegistryError> {
        let permit = exchange.downloads.acquire().await;
        let mut stream = Self {
            backoff: Backoff::new(exchange.retry),
            exchange,
            reference: reference.name_only(),
            descriptor: descriptor.clone(),
            response: None,
            origin: Origin::default(),
            hasher: Some(Hasher::new()),
            received: 0,
            surplus: 0,
            _permit: permit,
        };
        stream.request().await?;
        Ok(stream)
    }

    /// The blob's descriptor.
    pub fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }

    /// The next bytes; none at the verified end.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, RegistryError> {
        loop {
            if self.hasher.is_none() {
                return Ok(None);
            }
            if self.received == self.descriptor.size {
                // Only the empty blob comes here: others are verified with their last bytes.
                self.verify()?;
                return Ok(None);
            }
            let cause = match self.read().await {
                Ok(Some(bytes)) => match self.take(bytes)? {
                    Some(bytes) => return Ok(Some(bytes)),
                    None => continue,
                },
                Ok(None) => None,
                Err(cause) => Some(cause),
            };
            self.response = None;
            if !self.backoff.wait(None).await {
                return Err(self.broken(cause));
            }
            self.request().await?;
        }
    }

    /// The blob as a stream, which ends after an error.
    pub fn into_stream(self) -> impl Stream<Item = Result<Bytes, RegistryError>> + Send {
        futures_util::stream::try_unfold(self, |mut stream| async {
            Ok(stream.chunk().await?.map(|bytes| (bytes, stream)))
        })
    }

    /// The blob as a reader, for a thread on which blocking is allowed. Its errors hold a [`RegistryError`].
    pub fn into_reader(self, runtime: Handle) -> BlobReader {
        BlobReader { stream: self, chunk: Bytes::new(), runtime }
    }

    async fn read(&mut self) -> Result<Option<Bytes>, TransportError> {
        let Some(response) = &mut self.response else { return Ok(None) };
        let limit = self.exchange.timeouts.idle;
        match tokio::time::timeout(limit, response.chunk()).await {
            Ok(read) => read.map_err(TransportError::of),
            Err(_) => Err(TransportError::TimedOut { limit }),
        }
    }

    /// Counts and hashes what came; the last bytes only pass when all is right.
    fn take(&mut self, mut bytes: Bytes) -> Result<Option<Bytes>, RegistryError> {
        self.exchange.transport.counters.received(bytes.len());
        let passed = usize::try_from(self.surplus).unwrap_or(usize::MAX).min(bytes.len());
        bytes.advance(passed);
        self.surplus -= passed as u64;
        if bytes.is_empty() {
            return Ok(None);
        }
        self.backoff.reset();
        self.received += bytes.len() as u64;
        self.hasher.as_mut().expect("the end was not reached").update(&bytes);
        if self.received >= self.descriptor.size {
            self.verify()?;
        }
        Ok(Some(bytes))
    }

    fn verify(&mut self) -> Result<(), RegistryError> {
        let received = self.hasher.take().expect("the end is reached once").finish();
        self.response = None;
        if received == self.descriptor.digest && self.received == self.descriptor.size {
            return Ok(());
        }
        Err(RegistryError::Corrupt {
            attempt: Box::new(self.exchange.attempt(&self.call(), &self.origin)),
            expected: self.descriptor.digest,
            expected_size: self.descriptor.size,
            received,
            received_size: self.received,
        })
    }

    /// Asks for the blob, or for what is missing of it.
    async fn request(&mut self) -> Result<(), RegistryError> {
        let mut call = self.call();
        if self.received > 0 {
            let range = format!("bytes={}-", self.received);
            call.headers.insert(RANGE, HeaderValue::from_str(&range).expect("digits are a header value"));
        }
        let reply = self.exchange.send(&call, |_| false).await?;
        let (response, origin) = reply.accepted(&self.exchange, &call)?;
        self.surplus = match response.status() {
            StatusCode::PARTIAL_CONTENT if begins_at(response.headers()) == Some(self.received) => 0,
            StatusCode::OK => self.received,
            _ => {
                return Err(self.exchange.bad_answer(
                    &call,
                    &origin,
                    "has another range than the one asked for",
                ));
            }
        };
        self.origin = origin;
        self.response = Some(response);
        Ok(())
    }

    fn call(&self) -> Call<'_> {
        let digest = self.descriptor.digest;
        let url = self.exchange.endpoint.blob(&self.reference, digest);
        let scopes = Scopes::pull(&self.exchange.named(&self.reference));
        let limit = self.exchange.timeouts.answer;
        Call::new(Operation::FetchBlob(digest), &self.reference, Method::GET, url, scopes, limit)
    }

    fn broken(&self, cause: Option<TransportError>) -> RegistryError {
        let call = self.call();
        match cause {
            Some(cause) => self.exchange.unanswered(&call, cause, &self.origin, self.backoff.tries()),
            None => self.exchange.bad_answer(&call, &self.origin, "ends before the blob does"),
        }
    }
}

impl Read for BlobReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.chunk.is_empty() {
            match self.runtime.block_on(self.stream.chunk()).map_err(io::Error::other)? {
                Some(chunk) => self.chunk = chunk,
                None => return Ok(0),
            }
        }
        let count = self.chunk.len().min(buffer.len());
        self.chunk.copy_to_slice(&mut buffer[..count]);
        Ok(count)
    }
}

/// Where a partial answer begins: `bytes 100-199/200`.
pub fn begins_at(headers: &HeaderMap) -> Option<u64> {
    let range = headers.get(CONTENT_RANGE)?.to_str().ok()?.strip_prefix("bytes ")?;
    range.split_once('-')?.0.trim().parse().ok()
}
