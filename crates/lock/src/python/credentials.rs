use std::fmt;

use url::Url;

use super::IndexSettings;
use crate::uv::Host;

/// A user and password for a server.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The user; a lone token is a user without a password.
    pub user: String,
    /// The password.
    pub password: String,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Credentials({}:****)", self.user)
    }
}

impl IndexSettings {
    /// What a download of `url` should send: what the address of an index or wheel on the same server holds, or
    /// `UV_INDEX_<NAME>_USERNAME` and `_PASSWORD` for that index, else what `.netrc` holds for the host.
    pub fn credentials(&self, url: &Url, host: &Host) -> Option<Credentials> {
        let of_indexes = self.indexes().map(|index| (&index.url, index.name.as_deref()));
        let of_wheels = self.wheels.iter().map(|address| (address, None));
        let found = of_indexes.chain(of_wheels).find_map(|(address, name)| {
            let address = Url::parse(address.reveal()).ok().filter(|it| it.origin() == url.origin())?;
            written(&address).or_else(|| named(name?, host))
        });
        found.or_else(|| self.netrc.credentials(url.host_str()?).cloned())
    }
}

fn written(address: &Url) -> Option<Credentials> {
    (!address.username().is_empty()).then(|| Credentials {
        user: decoded(address.username()),
        password: decoded(address.password().unwrap_or_default()),
    })
}

fn named(name: &str, host: &Host) -> Option<Credentials> {
    let name = name.to_ascii_uppercase().replace(['-', '.'], "_");
    Some(Credentials {
        user: host.variable(&format!("UV_INDEX_{name}_USERNAME"))?.to_owned(),
        password: host.variable(&format!("UV_INDEX_{name}_PASSWORD")).unwrap_or_default().to_owned(),
    })
}

fn decoded(text: &str) -> String {
    percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn belong_to_one_server() {
        let variables = BTreeMap::from([
            ("UV_INDEX_MY_INDEX_USERNAME".to_owned(), "n".to_owned()),
            ("UV_INDEX_MY_INDEX_PASSWORD".to_owned(), "q".to_owned()),
        ]);
        let host = Host::new(variables, "/".into());
        let extra = ["my-index=https://named/simple".to_owned()];
        let settings = IndexSettings::default().with_spec(Some("https://u:p%40@host:8443/simple"), &extra);
        let of = |url: &str| settings.credentials(&Url::parse(url).unwrap(), &host);
        let expected = Credentials { user: "u".to_owned(), password: "p@".to_owned() };
        assert_eq!(of("https://host:8443/files/a.whl"), Some(expected));
        assert_eq!(of("https://named/files/a.whl").unwrap().password, "q");
        assert_eq!(of("http://host:8443/files/a.whl"), None);
        assert_eq!(of("https://other/files/a.whl"), None);
    }
}
