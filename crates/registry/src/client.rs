use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use futures_util::future::BoxFuture;
use imagewright_oci::ImageReference;

use crate::Credentials;
use crate::blob::Uploads;
use crate::endpoint::{Endpoint, Mirror};
use crate::error::RegistryError;
use crate::exchange::Exchange;
use crate::options::ClientOptions;
use crate::statistics::Statistics;
use crate::transport::Transport;

/// A client of OCI registries; cheap to clone, and one serves a whole process.
///
/// Follows the OCI distribution specification 1.1. It keeps tokens, connections, and what it knows of blobs.
#[derive(Clone, Debug)]
pub struct Client {
    inner: Arc<Inner>,
    transport: Transport,
}

#[derive(Debug)]
struct Inner {
    options: ClientOptions,
    registries: Mutex<BTreeMap<String, Exchange>>,
    mirrors: Mutex<BTreeMap<Mirror, Exchange>>,
    uploads: Arc<Uploads>,
}

impl Client {
    /// A client that has asked nothing yet.
    pub fn new(options: ClientOptions) -> Self {
        let transport = Transport::new(&options);
        Self::over(options, transport, Arc::default())
    }

    fn over(options: ClientOptions, transport: Transport, uploads: Arc<Uploads>) -> Self {
        let inner = Inner { options, registries: Mutex::default(), mirrors: Mutex::default(), uploads };
        Self { inner: Arc::new(inner), transport }
    }

    /// The same client, whose statistics begin at nothing: what one of several pieces of work costs that share it.
    #[must_use]
    pub fn counting_apart(&self) -> Self {
        Self { inner: Arc::clone(&self.inner), transport: self.transport.counting_apart() }
    }

    /// A client with other credentials. It shares connections and what is known of blobs, and no token.
    #[must_use]
    pub fn with_credentials(&self, credentials: Credentials) -> Self {
        let options = ClientOptions { credentials, ..self.inner.options.clone() };
        Self::over(options, self.transport.clone(), Arc::clone(&self.inner.uploads))
    }

    /// What was done so far.
    pub fn statistics(&self) -> Statistics {
        self.transport.counters.snapshot()
    }

    pub(crate) fn uploads(&self) -> &Uploads {
        &self.inner.uploads
    }

    pub(crate) fn forget_blobs(&self, repository: &ImageReference) {
        self.inner.uploads.forget(repository);
    }

    /// The registry itself.
    pub(crate) fn exchange(&self, reference: &ImageReference) -> Result<Arc<Exchange>, RegistryError> {
        let inner = &self.inner;
        let mut registries = inner.registries.lock().expect("no holder panics");
        if let Some(exchange) = registries.get(reference.registry()) {
            return Ok(Arc::new(exchange.over(&self.transport)));
        }
        let endpoint = Endpoint::of_registry(reference.registry(), &inner.options)
            .map_err(|source| RegistryError::BadHost { reference: Box::new(reference.clone()), source })?;
        let exchange = Exchange::new(endpoint, None, &inner.options, self.transport.clone());
        registries.insert(reference.registry().to_owned(), exchange.clone());
        Ok(Arc::new(exchange))
    }

    /// Asks the mirrors of a registry in order, then the registry: the first that has an answer other than "not
    /// there" gives it.
    pub(crate) async fn pulling<'a, T>(
        &self,
        reference: &ImageReference,
        ask: impl Fn(Arc<Exchange>) -> BoxFuture<'a, Result<Option<T>, RegistryError>>,
    ) -> Result<Option<T>, RegistryError> {
        let mut failures = Vec::new();
        for mirror in self.inner.options.mirrors.get(reference.registry()).into_iter().flatten() {
            let asked = match self.mirror(reference, mirror) {
                Ok(exchange) => ask(exchange).await,
                Err(error) => Err(error),
            };
            match asked {
                Ok(Some(answer)) => return Ok(Some(answer)),
                Ok(None) => {}
                Err(error) => failures.push(error),
            }
        }
        match ask(self.exchange(reference)?).await {
            Err(origin) if !failures.is_empty() => {
                Err(RegistryError::Mirrored { origin: Box::new(origin), mirrors: failures })
            }
            answer => answer,
        }
    }

    fn mirror(&self, reference: &ImageReference, mirror: &Mirror) -> Result<Arc<Exchange>, RegistryError> {
        let inner = &self.inner;
        let mut mirrors = inner.mirrors.lock().expect("no holder panics");
        if let Some(exchange) = mirrors.get(mirror) {
            return Ok(Arc::new(exchange.over(&self.transport)));
        }
        let endpoint = Endpoint::of_mirror(mirror, &inner.options)
            .map_err(|source| RegistryError::BadHost { reference: Box::new(reference.clone()), source })?;
        let host = Some(mirror.registry().to_owned());
        let exchange = Exchange::new(endpoint, host, &inner.options, self.transport.clone());
        mirrors.insert(mirror.clone(), exchange.clone());
        Ok(Arc::new(exchange))
    }
}
