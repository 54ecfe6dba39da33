use std::error::Error;
use std::io;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use reqwest::redirect::Policy;
use rustls::{ClientConfig, RootCertStore};
use rustls_platform_verifier::BuilderVerifierExt as _;
use url::Url;

use crate::endpoint::is_loopback;
use crate::options::ClientOptions;
use crate::statistics::Counters;

/// The HTTP clients, made when first needed: reading the system's certificates takes longer than a whole
/// exchange with a registry on this machine, which needs none.
///
/// HTTP/1.1 only: parallel blobs then have a TCP connection each, and the flow control window of an HTTP/2
/// connection does not bound them. Bodies are never decompressed and redirects never followed here.
#[derive(Clone, Debug)]
pub(crate) struct Transport {
    connections: Arc<Connections>,
    /// Shared by the clones of one client only.
    pub(crate) counters: Arc<Counters>,
}

#[derive(Debug)]
struct Connections {
    user_agent: String,
    connect_limit: Duration,
    plain: OnceLock<reqwest::Client>,
    plain_loopback: OnceLock<reqwest::Client>,
    encrypted: OnceLock<reqwest::Client>,
    encrypted_loopback: OnceLock<reqwest::Client>,
}

/// Why a request got no answer.
#[derive(Debug, thiserror::Error)]
pub enum TransportError {
    /// Nothing listens there.
    #[error("connection refused")]
    ConnectionRefused,
    /// The name has no address.
    #[error("the name cannot be resolved")]
    NameUnknown {
        /// The resolver's reason.
        #[source]
        source: reqwest::Error,
    },
    /// The peer is not who it should be, or does not speak TLS.
    #[error("no encrypted connection: {tls}")]
    Tls {
        /// What failed.
        tls: rustls::Error,
    },
    /// The certificates of this machine cannot be used.
    #[error("this machine's certificates cannot be used")]
    NoCertificates {
        /// Why.
        #[source]
        source: rustls::Error,
    },
    /// Nothing came for too long.
    #[error("no answer within {} s", limit.as_secs_f32())]
    TimedOut {
        /// How long was waited.
        limit: Duration,
    },
    /// The connection ended within the exchange, or could not be made for another reason.
    #[error("{}", root_cause(source))]
    Broken {
        /// What happened to it.
        #[source]
        source: reqwest::Error,
    },
}

impl Transport {
    pub(crate) fn new(options: &ClientOptions) -> Self {
        let connections = Connections {
            user_agent: options.user_agent.clone(),
            connect_limit: options.timeouts.connect,
            plain: OnceLock::new(),
            plain_loopback: OnceLock::new(),
            encrypted: OnceLock::new(),
            encrypted_loopback: OnceLock::new(),
        };
        Self { connections: Arc::new(connections), counters: Arc::default() }
    }

    /// The same connections, with counters that begin at nothing.
    pub(crate) fn counting_apart(&self) -> Self {
        Self { connections: Arc::clone(&self.connections), counters: Arc::default() }
    }

    /// The client for a URL.
    pub(crate) fn client(&self, url: &Url) -> Result<&reqwest::Client, TransportError> {
        let loopback = is_loopback(url.host_str().unwrap_or_default());
        let encrypted = url.scheme() == "https";
        let connections = &self.connections;
        let cell = match (encrypted, loopback) {
            (false, false) => &connections.plain,
            (false, true) => &connections.plain_loopback,
            (true, false) => &connections.encrypted,
            (true, true) => &connections.encrypted_loopback,
        };
        if let Some(client) = cell.get() {
            return Ok(client);
        }
        let client = connections.make(encrypted, loopback)?;
        Ok(cell.get_or_init(|| client))
    }

    /// Sends a request and waits for the head of its answer.
    pub(crate) async fn send(
        &self,
        request: reqwest::RequestBuilder,
        url: &Url,
        limit: Duration,
    ) -> Result<reqwest::Response, TransportError> {
        self.counters.request(url);
        match tokio::time::timeout(limit, request.send()).await {
            Ok(answer) => answer.map_err(TransportError::of),
            Err(_) => Err(TransportError::TimedOut { limit }),
        }
    }
}

impl Connections {
    fn make(&self, encrypted: bool, loopback: bool) -> Result<reqwest::Client, TransportError> {
        let tls = tls_config(encrypted).map_err(|source| TransportError::NoCertificates { source })?;
        let mut builder = reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .user_agent(&self.user_agent)
            .connect_timeout(self.connect_limit)
            .redirect(Policy::none())
            .http1_only()
            .pool_idle_timeout(Duration::from_mins(1))
            .tcp_nodelay(true)
            .referer(false);
        if loopback {
            // A proxy is asked for other machines; this one would be another one for it.
            builder = builder.no_proxy();
        }
        builder.build().map_err(TransportError::of)
    }
}

/// A client for files that are not in a registry, such as wheels: it trusts the system's roots and follows
/// redirects, on which credentials stay with the host they were for.
pub fn http_client(connect_limit: Duration) -> Result<reqwest::Client, TransportError> {
    let tls = tls_config(true).map_err(|source| TransportError::NoCertificates { source })?;
    reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .user_agent(concat!("imagewright/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(connect_limit)
        .http1_only()
        .tcp_nodelay(true)
        .referer(false)
        .build()
        .map_err(TransportError::of)
}

/// TLS with the ring provider and the system's roots (or those of `SSL_CERT_FILE` and `SSL_CERT_DIR`).
fn tls_config(with_roots: bool) -> Result<ClientConfig, rustls::Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    Ok(if with_roots {
        builder.with_platform_verifier()?.with_no_client_auth()
    } else {
        builder.with_root_certificates(RootCertStore::empty()).with_no_client_auth()
    })
}

impl TransportError {
    /// Classifies what the HTTP library says; its text may hold a URL with a signature, which is taken out.
    pub fn of(error: reqwest::Error) -> Self {
        let source = error.without_url();
        if let Some(tls) = causes(&source).find_map(|cause| cause.downcast_ref::<rustls::Error>()) {
            return Self::Tls { tls: tls.clone() };
        }
        let is_refused = |cause: &(dyn Error + 'static)| {
            cause
                .downcast_ref::<io::Error>()
                .is_some_and(|error| error.kind() == io::ErrorKind::ConnectionRefused)
        };
        if causes(&source).any(is_refused) {
            return Self::ConnectionRefused;
        }
        if source.is_connect() && format!("{source:?}").contains("dns error") {
            return Self::NameUnknown { source };
        }
        Self::Broken { source }
    }

    /// Whether the same request may get an answer later.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Tls { tls } => {
                !matches!(tls, rustls::Error::InvalidCertificate(_) | rustls::Error::InvalidMessage(_))
            }
            Self::NoCertificates { .. } => false,
            Self::Broken { source } => !source.is_builder(),
            Self::ConnectionRefused | Self::NameUnknown { .. } | Self::TimedOut { .. } => true,
        }
    }
}

/// Everything below an error. An I/O error that wraps another does not name it as its source, but holds it.
fn causes(error: &reqwest::Error) -> impl Iterator<Item = &(dyn Error + 'static)> {
    let mut next = error.source();
    std::iter::from_fn(move || {
        let cause = next?;
        next = match cause.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            Some(inner) => Some(inner),
            None => cause.source(),
        };
        Some(cause)
    })
}

/// The innermost cause: the layers above it say only "error sending request".
fn root_cause(error: &reqwest::Error) -> String {
    causes(error).last().map_or_else(|| error.to_string(), ToString::to_string)
}
