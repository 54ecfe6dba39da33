use std::fmt;
use std::str::FromStr;

use imagewright_oci::{DEFAULT_REGISTRY, Digest, ImageReference};
use thiserror::Error;
use url::{Host, Url};

use crate::options::ClientOptions;

/// Where Docker Hub's registry really is.
const DOCKER_HUB_HOST: &str = "registry-1.docker.io";

/// Where the requests for one registry go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Endpoint {
    /// Scheme, host and port.
    pub(crate) base: Url,
    /// Put before every repository: the project of a proxy cache.
    pub(crate) prefix: Option<String>,
}

/// A registry that has copies of another's images: `[http://|https://]host[:port][/prefix]`.
///
/// The prefix goes before the repository, as the project of a proxy cache does.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mirror {
    scheme: Option<&'static str>,
    /// Registry and prefix, in the grammar of a repository.
    location: ImageReference,
    prefix: Option<String>,
}

/// A text that does not name a mirror.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("`{text}` is not a mirror of the form [http://|https://]host[:port][/prefix]")]
pub struct MirrorError {
    /// What was given.
    pub text: String,
}

impl Endpoint {
    /// The registry itself: https, but plain http for loopback hosts and those configured so.
    pub(crate) fn of_registry(registry: &str, options: &ClientOptions) -> Result<Self, url::ParseError> {
        let host = if registry == DEFAULT_REGISTRY { DOCKER_HUB_HOST } else { registry };
        let scheme = if options.speaks_plain_http(registry) { "http" } else { "https" };
        Ok(Self { base: Url::parse(&format!("{scheme}://{host}/"))?, prefix: None })
    }

    pub(crate) fn of_mirror(mirror: &Mirror, options: &ClientOptions) -> Result<Self, url::ParseError> {
        let registry = Self::of_registry(mirror.location.registry(), options)?;
        let base = match mirror.scheme {
            Some(scheme) => Url::parse(&format!("{scheme}://{}/", mirror.location.registry()))?,
            None => registry.base,
        };
        Ok(Self { base, prefix: mirror.prefix.clone() })
    }

    /// The repository's name at this endpoint.
    pub(crate) fn repository(&self, reference: &ImageReference) -> String {
        match &self.prefix {
            Some(prefix) => format!("{prefix}/{}", reference.repository()),
            None => reference.repository().to_owned(),
        }
    }

    pub(crate) fn manifest(&self, reference: &ImageReference, name: &str) -> Url {
        self.url(reference, &format!("manifests/{name}"))
    }

    pub(crate) fn blob(&self, repository: &ImageReference, digest: Digest) -> Url {
        self.url(repository, &format!("blobs/{digest}"))
    }

    pub(crate) fn uploads(&self, repository: &ImageReference) -> Url {
        self.url(repository, "blobs/uploads/")
    }

    pub(crate) fn referrers(&self, repository: &ImageReference, digest: Digest) -> Url {
        self.url(repository, &format!("referrers/{digest}"))
    }

    fn url(&self, reference: &ImageReference, rest: &str) -> Url {
        let path = format!("/v2/{}/{rest}", self.repository(reference));
        let mut url = self.base.clone();
        url.set_path(&path);
        url
    }
}

impl Mirror {
    /// The registry that serves the copies, as credentials and messages name it.
    pub fn registry(&self) -> &str {
        self.location.registry()
    }
}

impl FromStr for Mirror {
    type Err = MirrorError;

    fn from_str(text: &str) -> Result<Self, MirrorError> {
        let fail = || MirrorError { text: text.to_owned() };
        let (scheme, rest) = match text.split_once("://") {
            Some(("http", rest)) => (Some("http"), rest),
            Some(("https", rest)) => (Some("https"), rest),
            Some(_) => return Err(fail()),
            None => (None, text),
        };
        let rest = rest.trim_end_matches('/');
        let (host, prefix) = match rest.split_once('/') {
            Some((host, prefix)) => (host, Some(prefix.to_owned())),
            None => (rest, None),
        };
        let path = prefix.as_deref().unwrap_or("mirror");
        // A lone word would be a repository of Docker Hub in a reference; here it is a host.
        let host = if host.contains(['.', ':', '[']) || host == "localhost" {
            host.to_owned()
        } else if host.is_empty() {
            return Err(fail());
        } else {
            let port = if scheme == Some("http") { 80 } else { 443 };
            format!("{host}:{port}")
        };
        let location: ImageReference = format!("{host}/{path}").parse().map_err(|_| fail())?;
        if location.tag().is_some() || location.digest().is_some() {
            return Err(fail());
        }
        Ok(Self { scheme, location, prefix })
    }
}

impl fmt::Display for Mirror {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.scheme.iter().try_for_each(|scheme| write!(f, "{scheme}://"))?;
        f.write_str(self.location.registry())?;
        self.prefix.iter().try_for_each(|prefix| write!(f, "/{prefix}"))
    }
}

/// Whether a registry's host (with or without a port) is this very machine.
pub(crate) fn is_loopback(registry: &str) -> bool {
    let Ok(url) = Url::parse(&format!("http://{registry}/")) else { return false };
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_http_for_loopback_and_where_configured() {
        let options = ClientOptions {
            plain_http: ["registry.lan:5000".to_owned()].into(),
            https: ["localhost:5443".to_owned()].into(),
            ..ClientOptions::default()
        };
        let cases = [
            ("docker.io", "https://registry-1.docker.io/"),
            ("ghcr.io", "https://ghcr.io/"),
            ("localhost:5000", "http://localhost:5000/"),
            ("localhost:5443", "https://localhost:5443/"),
            ("127.0.0.1:5000", "http://127.0.0.1:5000/"),
            ("[::1]:5000", "http://[::1]:5000/"),
            ("10.0.0.1:5000", "https://10.0.0.1:5000/"),
            ("registry.lan:5000", "http://registry.lan:5000/"),
            ("kind.localhost:80", "http://kind.localhost/"),
        ];
        for (registry, base) in cases {
            assert_eq!(Endpoint::of_registry(registry, &options).unwrap().base.as_str(), base);
        }
    }

    #[test]
    fn mirrors_have_a_scheme_and_a_prefix() {
        let options = ClientOptions::default();
        let debian: ImageReference = "debian:12".parse().unwrap();
        let cases = [
            ("harbor.lan/hub", "https://harbor.lan/v2/hub/library/debian/manifests/12"),
            ("http://mirror.lan:5000", "http://mirror.lan:5000/v2/library/debian/manifests/12"),
            ("https://localhost:1/a/b/", "https://localhost:1/v2/a/b/library/debian/manifests/12"),
            ("http://mirror", "http://mirror/v2/library/debian/manifests/12"),
        ];
        for (text, url) in cases {
            let mirror: Mirror = text.parse().unwrap();
            let endpoint = Endpoint::of_mirror(&mirror, &options).unwrap();
            assert_eq!(endpoint.manifest(&debian, "12").as_str(), url);
        }
        for text in ["", "ftp://a.b", "a.b/c:tag", "http://", "a.b/UPPER"] {
            assert!(text.parse::<Mirror>().is_err(), "{text}");
        }
    }
}
