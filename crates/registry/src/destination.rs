//! Whether a registry may send us to another address.

use std::net::IpAddr;

use thiserror::Error;
use url::{Host, Url};

/// How far an address is from the public internet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reach {
    Public,
    Private,
    Loopback,
    LinkLocal,
}

/// A registry sent us where no registry has business to send its clients.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum UnsafeDestination {
    /// From an encrypted connection to one that is not.
    #[error("{host} would be asked without encryption")]
    Downgrade {
        /// Where to.
        host: String,
    },
    /// From further away to an address of this machine or its network.
    #[error("{host} is an address inside this network, and the registry is not")]
    Inward {
        /// Where to.
        host: String,
    },
    /// Neither http nor https.
    #[error("`{scheme}` is neither http nor https")]
    Scheme {
        /// The scheme.
        scheme: String,
    },
}

/// Checks a redirect, upload location or token service that a registry at `from` names.
///
/// `from_address` is where its answer came from, so that a registry with a name may be known to be in this network.
/// Only literal addresses are looked at: a name that resolves to such an address is the resolver's to answer for.
pub(crate) fn check(from: &Url, from_address: Option<IpAddr>, to: &Url) -> Result<(), UnsafeDestination> {
    let host = to.host_str().unwrap_or_default().to_owned();
    match (from.scheme(), to.scheme()) {
        (_, "https") | ("http", "http") => {}
        ("https", "http") => return Err(UnsafeDestination::Downgrade { host }),
        (_, scheme) => return Err(UnsafeDestination::Scheme { scheme: scheme.to_owned() }),
    }
    let by_name = Reach::of_host(from);
    let origins = [Some(by_name), from_address.map(Reach::of_address)];
    let is_allowed = match Reach::of_host(to) {
        Reach::Public => true,
        Reach::Private => {
            [Reach::Private, Reach::Loopback].iter().any(|reach| origins.contains(&Some(*reach)))
        }
        other => origins.contains(&Some(other)),
    };
    if is_allowed { Ok(()) } else { Err(UnsafeDestination::Inward { host }) }
}

impl Reach {
    fn of_host(url: &Url) -> Self {
        match url.host() {
            Some(Host::Domain(name)) if name == "localhost" || name.ends_with(".localhost") => Self::Loopback,
            Some(Host::Domain(_)) | None => Self::Public,
            Some(Host::Ipv4(address)) => Self::of_address(address.into()),
            Some(Host::Ipv6(address)) => Self::of_address(address.into()),
        }
    }

    fn of_address(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(v4) if v4.is_loopback() || v4.is_unspecified() => Self::Loopback,
            IpAddr::V4(v4) if v4.is_link_local() || v4.is_multicast() || v4.is_broadcast() => Self::LinkLocal,
            IpAddr::V4(v4) if v4.is_private() || is_shared(v4.octets()) => Self::Private,
            IpAddr::V6(v6) if v6.is_loopback() || v6.is_unspecified() => Self::Loopback,
            IpAddr::V6(v6) if v6.is_unicast_link_local() || v6.is_multicast() => Self::LinkLocal,
            IpAddr::V6(v6) if v6.is_unique_local() => Self::Private,
            _ => Self::Public,
        }
    }
}

/// Carrier-grade translation, RFC 6598; `Ipv4Addr::is_shared` is not stable.
fn is_shared(octets: [u8; 4]) -> bool {
    octets[0] == 100 && octets[1] & 0xc0 == 64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_outward_and_only_encrypted() {
        let ok = |from: &str, at: Option<&str>, to: &str| {
            let address = at.map(|at| at.parse().unwrap());
            check(&Url::parse(from).unwrap(), address, &Url::parse(to).unwrap()).is_ok()
        };
        let hub = "https://registry-1.docker.io/";
        assert!(ok(hub, None, "https://production.cloudflare.docker.com/x"));
        assert!(!ok(hub, None, "http://production.cloudflare.docker.com/x"));
        assert!(!ok(hub, None, "file:///etc/passwd"));
        for inside in [
            "https://169.254.169.254/latest",
            "https://10.0.0.1/",
            "https://192.168.1.1/",
            "https://100.64.0.1/",
            "https://127.0.0.1/",
            "https://localhost/",
            "https://0.0.0.0/",
            "https://[::1]/",
            "https://[fe80::1]/",
            "https://[fd00::1]/",
            "https://[::ffff:10.0.0.1]/",
        ] {
            assert!(!ok(hub, None, inside), "{inside}");
        }
        assert!(ok("http://localhost:5000/", None, "http://127.0.0.1:9000/"));
        assert!(ok("http://localhost:5000/", None, "http://10.0.0.1:9000/"));
        assert!(ok("https://registry.lan/", Some("10.1.2.3"), "https://10.0.0.1:9000/"));
        assert!(!ok("https://registry.lan/", Some("10.1.2.3"), "https://127.0.0.1:9000/"));
        assert!(!ok("https://registry.lan/", Some("10.1.2.3"), "https://169.254.169.254/"));
    }
}
