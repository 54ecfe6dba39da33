use std::fmt;
use std::io;
use std::time::Duration;

use imagewright_oci::{Digest, ImageReference};
use reqwest::StatusCode;
use thiserror::Error;

use crate::answer::Answer;
use crate::credentials::CredentialsError;
use crate::destination::UnsafeDestination;
use crate::operation::{Attempt, Operation};
use crate::transport::TransportError;

/// Why a registry did not do what it was asked.
///
/// None of these says that an image is not there: that is an answer, not an error.
#[derive(Debug, Error)]
pub enum RegistryError {
    /// There was no answer.
    #[error("cannot {attempt}: {cause}{}", Tries(*tries))]
    Unanswered {
        /// The request.
        attempt: Box<Attempt>,
        /// How often it was tried.
        tries: u32,
        /// Why there was no answer.
        #[source]
        cause: TransportError,
    },
    /// The registry or its token service does not accept the credentials, or wants some.
    #[error("cannot {attempt}: {by} refuses the login with {refusal} ({})", attempt.access())]
    LoginRefused {
        /// The request.
        attempt: Box<Attempt>,
        /// The host that refused.
        by: String,
        /// What it answered.
        refusal: Box<Refusal>,
    },
    /// The credentials are accepted but do not suffice.
    #[error("cannot {attempt}: {refusal} ({})", attempt.access())]
    Forbidden {
        /// The request.
        attempt: Box<Attempt>,
        /// What the registry answered.
        refusal: Box<Refusal>,
    },
    /// The tag exists and may not be overwritten.
    #[error("cannot {attempt}: the tag exists and may not be overwritten: {refusal} ({})", attempt.access())]
    TagImmutable {
        /// The request.
        attempt: Box<Attempt>,
        /// What the registry answered.
        refusal: Box<Refusal>,
    },
    /// The registry wants fewer requests for longer than we wait.
    #[error("cannot {attempt}: {refusal}{} ({})", Tries(*tries), attempt.access())]
    Throttled {
        /// The request.
        attempt: Box<Attempt>,
        /// What the registry answered.
        refusal: Box<Refusal>,
        /// How often it was tried.
        tries: u32,
    },
    /// The manifest names blobs that the registry does not have.
    #[error("cannot {attempt}: {refusal}")]
    BlobUnknown {
        /// The request.
        attempt: Box<Attempt>,
        /// What the registry answered.
        refusal: Box<Refusal>,
    },
    /// The host answers, but not as a registry does.
    #[error("cannot {attempt}: no registry answers there: {refusal}")]
    NotARegistry {
        /// The request.
        attempt: Box<Attempt>,
        /// What was answered.
        refusal: Box<Refusal>,
    },
    /// Any other refusal.
    #[error("cannot {attempt}: {refusal}{} ({})", Tries(*tries), attempt.access())]
    Refused {
        /// The request.
        attempt: Box<Attempt>,
        /// What the registry answered.
        refusal: Box<Refusal>,
        /// How often it was tried.
        tries: u32,
    },
    /// An answer that breaks the protocol.
    #[error("cannot {attempt}: the registry's answer {problem}")]
    BadAnswer {
        /// The request.
        attempt: Box<Attempt>,
        /// What is wrong with it, as the end of a sentence.
        problem: &'static str,
    },
    /// The bytes are not what they should be.
    #[error(
        "cannot {attempt}: expected {expected} ({expected_size} bytes), received {received} ({received_size} bytes)"
    )]
    Corrupt {
        /// The request.
        attempt: Box<Attempt>,
        /// The digest asked for.
        expected: Digest,
        /// Its length.
        expected_size: u64,
        /// The digest of what came.
        received: Digest,
        /// How much came.
        received_size: u64,
    },
    /// The registry sends its clients where it must not.
    #[error("cannot {attempt}: the registry names an unsafe address")]
    Unsafe {
        /// The request.
        attempt: Box<Attempt>,
        /// Where to, and why that is refused.
        #[source]
        source: UnsafeDestination,
    },
    /// A blob of ours cannot be read, or is not as long as it says.
    #[error("cannot {attempt}: the blob cannot be read on this machine")]
    Source {
        /// The request.
        attempt: Box<Attempt>,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The credentials cannot be had.
    #[error("cannot {attempt}: its credentials cannot be had")]
    Credentials {
        /// The request.
        attempt: Box<Attempt>,
        /// Why.
        #[source]
        source: CredentialsError,
    },
    /// The registry of a reference is no host of a URL.
    #[error("`{reference}` names no registry that can be asked")]
    BadHost {
        /// The reference.
        reference: Box<ImageReference>,
        /// Why.
        #[source]
        source: url::ParseError,
    },
    /// Neither a mirror nor the registry itself could be asked.
    #[error("{origin}; mirrors before it: {}", join(mirrors))]
    Mirrored {
        /// What the registry itself came to.
        #[source]
        origin: Box<RegistryError>,
        /// What each mirror came to, in order.
        mirrors: Vec<RegistryError>,
    },
}

/// A status that is no success, and what came with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The HTTP status.
    pub status: StatusCode,
    /// What the body said.
    pub answer: Answer,
    /// How long the registry asks to wait.
    pub retry_after: Option<Duration>,
}

impl Attempt {
    fn access(&self) -> String {
        format!("scope {}, {}", self.scopes, self.origin)
    }
}

impl Refusal {
    /// Whether the same request may be granted later.
    pub(crate) fn is_transient(&self) -> bool {
        // 499 and 522 are what proxies say when the registry behind them was slow.
        matches!(self.status.as_u16(), 408 | 425 | 429 | 499 | 500 | 502 | 503 | 504 | 522)
    }

    pub(crate) fn is_throttling(&self) -> bool {
        matches!(self.status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE)
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "status {}", self.status)?;
        let answer = self.answer.to_string();
        if !answer.is_empty() {
            write!(f, ", {answer}")?;
        }
        self.retry_after.iter().try_for_each(|wait| write!(f, ", retry after {} s", wait.as_secs()))
    }
}

/// What helps when the bytes that were sent are not those of the digest.
const STORE_HINT: &str = "the store may be damaged: run `imagewright cache check --deep --repair`, which removes what is \
                          damaged, and build again";

struct Tries(u32);

impl fmt::Display for Tries {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 > 1 { write!(f, " (tried {} times)", self.0) } else { Ok(()) }
    }
}

fn join(errors: &[RegistryError]) -> String {
    errors.iter().map(RegistryError::to_string).collect::<Vec<_>>().join("; ")
}

impl RegistryError {
    /// What the user can do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Unanswered { attempt, cause, .. } => transport_hint(attempt, cause),
            Self::LoginRefused { attempt, .. } => Some(login_hint(attempt)),
            Self::Forbidden { attempt, .. } => Some(forbidden_hint(attempt)),
            Self::TagImmutable { .. } => Some(
                "choose another tag, or allow overwriting in the registry's settings for this repository"
                    .to_owned(),
            ),
            Self::Throttled { attempt, refusal, .. } => {
                let when =
                    refusal.retry_after.map_or_else(String::new, |wait| format!(" in {} s", wait.as_secs()));
                let advice = if attempt.origin.is_anonymous() {
                    "; logged-in users often have a higher limit"
                } else {
                    ""
                };
                Some(format!("try again{when}{advice}"))
            }
            Self::NotARegistry { attempt, .. } => {
                Some(format!("check that `{}` is a registry's host and port", attempt.host()))
            }
            Self::Corrupt { .. } => Some(
                "the registry or a proxy damages what it serves; pull the image with another tool to compare"
                    .to_owned(),
            ),
            Self::Source { .. } => Some(STORE_HINT.to_owned()),
            Self::Mirrored { origin, .. } => origin.hint(),
            Self::Refused { refusal, .. } if refusal.answer.has("DIGEST_INVALID") => {
                Some(STORE_HINT.to_owned())
            }
            Self::Refused { refusal, .. } if refusal.status == StatusCode::PAYLOAD_TOO_LARGE => {
                Some("a proxy before the registry limits the size of an upload; raise its limit".to_owned())
            }
            Self::Refused { attempt, refusal, .. }
                if refusal.status == StatusCode::NOT_FOUND
                    && matches!(attempt.operation, Operation::StartUpload(_)) =>
            {
                Some(format!(
                    "this registry makes no repositories by itself: create `{}` first",
                    attempt.reference.repository()
                ))
            }
            Self::BlobUnknown { .. }
            | Self::Refused { .. }
            | Self::BadAnswer { .. }
            | Self::Unsafe { .. }
            | Self::Credentials { .. }
            | Self::BadHost { .. } => None,
        }
    }

    /// How long the registry asks to wait.
    pub(crate) fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Throttled { refusal, .. } | Self::Refused { refusal, .. } => refusal.retry_after,
            _ => None,
        }
    }

    /// Whether trying again later, without any change, may succeed.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Unanswered { cause, .. } => cause.is_transient(),
            Self::Throttled { .. } => true,
            Self::Refused { refusal, .. } => refusal.is_transient(),
            Self::Mirrored { origin, .. } => origin.is_transient(),
            _ => false,
        }
    }
}

impl Attempt {
    /// The registry or mirror that was asked.
    pub fn host(&self) -> &str {
        self.mirror.as_deref().unwrap_or_else(|| self.reference.registry())
    }
}

fn transport_hint(attempt: &Attempt, cause: &TransportError) -> Option<String> {
    let host = attempt.host();
    match cause {
        TransportError::ConnectionRefused => Some(format!("check that a registry runs at `{host}`")),
        TransportError::NameUnknown { .. } => {
            Some(format!("check the spelling of `{host}`, and the network"))
        }
        TransportError::Tls { tls: rustls::Error::InvalidMessage(_) } => {
            Some(format!("if `{host}` speaks plain http, list it in `registries.plain_http`"))
        }
        TransportError::Tls { tls: rustls::Error::InvalidCertificate(_) } => Some(format!(
            "if `{host}` has a certificate of your own, name a file with the system's and your certificates in SSL_CERT_FILE"
        )),
        TransportError::NoCertificates { .. } => {
            Some("install the system's CA certificates, or name a file with them in SSL_CERT_FILE".to_owned())
        }
        TransportError::Tls { .. } | TransportError::TimedOut { .. } | TransportError::Broken { .. } => None,
    }
}

fn login_hint(attempt: &Attempt) -> String {
    let host = attempt.host();
    if attempt.origin.is_anonymous() {
        format!(
            "log in with `docker login {host}` or `podman login {host}`, or set `registry_config` in the spec"
        )
    } else {
        format!("they may have expired: log in again with `docker login {host}` or `podman login {host}`")
    }
}

fn forbidden_hint(attempt: &Attempt) -> String {
    if attempt.origin.is_anonymous() {
        login_hint(attempt)
    } else {
        format!(
            "ask for the right `{}`, or use another account; some registries also say this when the repository does not exist and must be created first",
            attempt.scopes
        )
    }
}
