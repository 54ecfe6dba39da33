use std::fmt;
use std::path::PathBuf;

use toml::{Table, Value};
use url::Url;

use super::netrc::{self, Netrc};
use super::{PythonError, PythonWarning, pip_config, uv_config};
use crate::uv::Host;

/// The package indexes in force, and how to reach them.
///
/// The first source that names a default index wins: `pip_extra_args`, `pip_index`, requirements files, uv's
/// variables, uv's configuration files, pip's variables, pip's configuration files. Within one source the last that is
/// written wins. Additional indexes, folders of wheels and hosts without certificates are joined in that order, but that
/// `pip_extra_index_url` comes before `pip_extra_args`, as on the command line that flytekit makes of them.
#[derive(Clone, Debug, Default)]
pub struct IndexSettings {
    /// The index asked last; uv's own when absent.
    pub default: Option<Index>,
    /// Indexes asked before it, the most important first.
    pub additional: Vec<Index>,
    /// Folders or pages of wheels.
    pub find_links: Vec<String>,
    /// Whether indexes are not asked at all.
    pub no_index: bool,
    /// Hosts whose certificates are not checked.
    pub insecure_hosts: Vec<String>,
    /// A bundle of certificates to trust in place of the system's.
    pub certificates: Option<PathBuf>,
    /// A proxy for every request, when the environment names none.
    pub proxy: Option<IndexUrl>,
    /// Addresses of single wheels that the user wrote with a password; a lock names them without.
    pub wheels: Vec<IndexUrl>,
    /// Further settings of uv on how to reach and to choose among indexes, in the words of `uv.toml`.
    pub further: Table,
    /// Users and passwords by the names of machines.
    pub(super) netrc: Netrc,
    /// What could not be used of the user's configuration.
    pub warnings: Vec<PythonWarning>,
}

/// A package index.
#[derive(Clone, Debug, PartialEq)]
pub struct Index {
    /// The name by which `UV_INDEX_<NAME>_PASSWORD` finds it.
    pub name: Option<String>,
    /// Its address.
    pub url: IndexUrl,
    /// Further keys of uv's `[[index]]` table.
    pub further: Table,
}

/// The address of an index, which may hold a password: printing it shows `****` in its place.
#[derive(Clone, PartialEq, Eq)]
pub struct IndexUrl(String);

impl IndexUrl {
    /// An address as the user wrote it: a URL or a path.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The address with its password, for the configuration of uv only.
    pub(super) fn reveal(&self) -> &str {
        &self.0
    }

    /// What must not be printed.
    pub(super) fn secret(&self) -> Option<&str> {
        let (scheme, rest) = self.0.split_once("://")?;
        let (user, _) = rest.split(['/', '?', '#']).next()?.rsplit_once('@')?;
        // A user alone may be a token; that of SSH names an account.
        let lone = (!scheme.ends_with("ssh")).then_some(user);
        user.split_once(':').map_or(lone, |(_, password)| Some(password)).filter(|secret| !secret.is_empty())
    }
}

impl fmt::Display for IndexUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.secret() {
            Some(secret) => f.write_str(&self.0.replacen(secret, "****", 1)),
            None => f.write_str(&self.0),
        }
    }
}

impl fmt::Debug for IndexUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Index {
    /// Whether an index can be there: under an address, or in a directory of the machine.
    pub(super) fn is_possible(&self, host: &Host) -> bool {
        match Url::parse(self.url.reveal()) {
            Ok(url) => matches!(url.scheme(), "http" | "https" | "file"),
            Err(_) => host.working_directory().join(self.url.reveal()).is_dir(),
        }
    }

    /// An index by its address, or by `name=address` as uv's variables have it.
    pub fn parse(text: &str) -> Self {
        let is_name = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        match text.split_once('=') {
            Some((name, url)) if !name.is_empty() && name.chars().all(is_name) => {
                Self { name: Some(name.to_owned()), ..Self::of(url) }
            }
            _ => Self::of(text),
        }
    }

    /// The index at an address.
    pub(super) fn of_address(url: IndexUrl) -> Self {
        Self { name: None, url, further: Table::new() }
    }

    /// As a variable of uv has it, with its password.
    pub(super) fn for_variable(&self) -> String {
        match &self.name {
            Some(name) => format!("{name}={}", self.url.reveal()),
            None => self.url.reveal().to_owned(),
        }
    }

    fn of(url: &str) -> Self {
        Self { name: None, url: IndexUrl::new(url), further: Table::new() }
    }

    /// From an `[[index]]` table, and whether it is the default.
    pub(super) fn from_table(mut table: Table) -> Option<(Self, bool)> {
        let Some(Value::String(url)) = table.remove("url") else { return None };
        let is_default = table.remove("default").and_then(|value| value.as_bool()).unwrap_or(false);
        let name = table.remove("name").and_then(|value| value.as_str().map(str::to_owned));
        Some((Self { name, url: IndexUrl::new(url), further: table }, is_default))
    }
}

impl IndexSettings {
    /// The settings of this machine: uv's and pip's variables and configuration files, and `.netrc`.
    pub fn of_host(host: &Host) -> Result<Self, PythonError> {
        let sources = [
            uv_config::of_variables(host),
            uv_config::of_files(host)?,
            pip_config::of_variables(host),
            pip_config::of_files(host)?,
            netrc::of_host(host),
        ];
        Ok(sources.into_iter().fold(Self::default(), Self::or))
    }

    /// The same with what a spec says in `pip_index` and `pip_extra_index_url` in front.
    pub fn with_spec(self, index: Option<&str>, additional: &[String]) -> Self {
        let spec = Self {
            default: index.map(Index::parse),
            additional: additional.iter().map(|url| Index::parse(url)).collect(),
            ..Self::default()
        };
        spec.or(self)
    }

    /// Joined with settings that matter less.
    pub(super) fn or(self, other: Self) -> Self {
        let mut further = other.further;
        further.extend(self.further);
        Self {
            default: self.default.or(other.default),
            additional: joined(self.additional, other.additional),
            find_links: joined(self.find_links, other.find_links),
            no_index: self.no_index || other.no_index,
            insecure_hosts: joined(self.insecure_hosts, other.insecure_hosts),
            certificates: self.certificates.or(other.certificates),
            proxy: self.proxy.or(other.proxy),
            wheels: joined(self.wheels, other.wheels),
            further,
            netrc: if self.netrc.is_empty() { other.netrc } else { self.netrc },
            warnings: joined(self.warnings, other.warnings),
        }
    }

    /// Joined with settings that are written behind these: of what counts once, the last counts.
    pub(super) fn then(self, later: Self) -> Self {
        let Self { default, certificates, proxy, further, .. } = later.clone();
        let mut joined = self.or(later);
        joined.default = default.or(joined.default);
        joined.certificates = certificates.or(joined.certificates);
        joined.proxy = proxy.or(joined.proxy);
        joined.further.extend(further);
        joined
    }

    /// Every index, the most important first, the default last.
    pub fn indexes(&self) -> impl Iterator<Item = &Index> {
        self.additional.iter().chain(&self.default)
    }

    /// `text` with every password of these settings replaced.
    pub(crate) fn redact(&self, text: &str) -> String {
        let urls = self.indexes().map(|index| &index.url).chain(&self.proxy).chain(&self.wheels);
        let secrets = urls.filter_map(IndexUrl::secret);
        let links: Vec<IndexUrl> = self.find_links.iter().map(IndexUrl::new).collect();
        let secrets = secrets.chain(links.iter().filter_map(IndexUrl::secret));
        secrets.fold(text.to_owned(), |text, secret| text.replace(secret, "****"))
    }
}

fn joined<T: PartialEq>(mut first: Vec<T>, second: Vec<T>) -> Vec<T> {
    for item in second {
        if !first.contains(&item) {
            first.push(item);
        }
    }
    first
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn never_prints_a_password() {
        for (text, shown) in [
            ("https://u:p4ss@host/simple", "https://u:****@host/simple"),
            ("https://token@host/simple", "https://****@host/simple"),
            ("https://u:@host/a@b", "https://u:@host/a@b"),
            ("git+ssh://git@host/a", "git+ssh://git@host/a"),
            ("ssh://git:p4ss@host/a", "ssh://git:****@host/a"),
            ("https://host/simple", "https://host/simple"),
        ] {
            let url = IndexUrl::new(text);
            assert_eq!((url.to_string().as_str(), format!("{url:?}").as_str()), (shown, shown));
        }
        let settings = IndexSettings::default().with_spec(Some("https://u:p4ss@host/simple"), &[]);
        assert_eq!(settings.redact("a p4ss b"), "a **** b");
        assert!(!format!("{settings:?}").contains("p4ss"));
    }

    #[test]
    fn the_first_default_wins_and_the_others_are_joined() {
        let extra = |text: &str| vec![text.to_owned()];
        let less = IndexSettings::default().with_spec(Some("https://b/"), &extra("https://x/"));
        let more = IndexSettings::default().with_spec(Some("name=https://a/"), &extra("https://y/"));
        let joined = more.or(less.clone()).or(less);
        let shown: Vec<String> = joined.indexes().map(|index| index.url.to_string()).collect();
        assert_eq!(shown, ["https://y/", "https://x/", "https://a/"]);
        assert_eq!(joined.default.unwrap().name.as_deref(), Some("name"));
    }
}
