use std::fmt;

use url::Url;

use crate::control::{Stanza, stanzas};
use crate::{DebianError, Pocket, Suite};

/// Where Debian's archive and its security archive are fetched from.
///
/// Hosts are not part of a lock: what is fetched is checked by hash, so any mirror will do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mirrors {
    archive: Url,
    security: Url,
}

/// The address of the archive that Debian gives its users, and that images therefore have.
pub(crate) const CANONICAL_ARCHIVE: &str = "http://deb.debian.org/debian";

/// The address of the security archive that Debian gives its users.
pub(crate) const CANONICAL_SECURITY: &str = "http://deb.debian.org/debian-security";

/// A file of the host's apt configuration: its path, and its text.
pub type SourceFile<'a> = (&'a str, &'a str);

impl Mirrors {
    /// Mirrors by their addresses; without one for security updates, Debian's own serves.
    pub fn new(archive: &str, security: Option<&str>) -> Result<Self, DebianError> {
        let security = security.map_or_else(|| Ok(Self::debian().security), folder)?;
        Ok(Self { archive: folder(archive)?, security })
    }

    /// Debian's own servers.
    pub fn debian() -> Self {
        let known = |text| folder(text).expect("the address is well formed");
        Self {
            archive: known("http://ftp.debian.org/debian"),
            security: known("http://security.debian.org/debian-security"),
        }
    }

    /// The mirrors that a Debian host's own apt uses, if these files name any.
    ///
    /// Reads `sources.list` files in the one-line format, `.sources` files in deb822 format (sources.list(5)), and
    /// the mirror lists that `mirror+file:` addresses refer to. Only sources of a known suite's `main` count; among
    /// them, those whose path ends with `debian`, so that third parties' archives are not mistaken for one.
    pub fn from_apt_sources(files: &[SourceFile<'_>]) -> Option<Self> {
        let sources: Vec<Source> = files.iter().flat_map(|file| sources_of(file.0, file.1, files)).collect();
        let named = |security: bool, ending: &str| {
            let mut of_kind = sources.iter().filter(|source| source.is_security == security);
            of_kind
                .find(|source| source.url.path().trim_end_matches('/').ends_with(ending))
                .map(|source| &source.url)
        };
        let archive = named(false, "/debian")?.clone();
        let security = named(true, "/debian-security").or_else(|| named(true, ""));
        Some(Self { archive, security: security.cloned().unwrap_or(Self::debian().security) })
    }

    /// The text of a `sources.list` with which the apt of an image of `suite` fetches from here.
    pub fn sources_list(&self, suite: Suite) -> String {
        let Self { archive, security } = self;
        let line = |url: &Url, pocket: &str| {
            format!(
                "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] {url} {suite}{pocket} main\n"
            )
        };
        line(archive, "") + &line(archive, "-updates") + &line(security, "-security")
    }

    /// The address of `path` in the archive that `pocket` belongs to.
    pub fn url(&self, pocket: Pocket, path: &str) -> Result<Url, DebianError> {
        let base = match pocket {
            Pocket::Main | Pocket::Updates => &self.archive,
            Pocket::Security => &self.security,
        };
        base.join(path).map_err(|_| DebianError::MirrorUrl { text: format!("{base}{path}") })
    }
}

/// Both addresses, without user and password.
impl fmt::Display for Mirrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |url: &Url| {
            let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
            format!("{}://{}{port}{}", url.scheme(), url.host_str().unwrap_or_default(), url.path())
        };
        write!(f, "{} and {}", shown(&self.archive), shown(&self.security))
    }
}

struct Source {
    url: Url,
    is_security: bool,
}

fn sources_of(path: &str, text: &str, files: &[SourceFile<'_>]) -> Vec<Source> {
    let lists = |uri: &str| {
        let list = uri.strip_prefix("mirror+file:").map(|path| format!("/{}", path.trim_start_matches('/')));
        files.iter().find(|file| Some(file.0) == list.as_deref()).map(|file| file.1)
    };
    let entries = if path.ends_with(".sources") { deb822_entries(text) } else { one_line_entries(text) };
    let mut sources = Vec::new();
    for (uris, suites) in entries {
        let security = suites.iter().any(|suite| is_suite(suite, &["-security", "/updates"]));
        if !security && !suites.iter().any(|suite| is_suite(suite, &["", "-updates"])) {
            continue;
        }
        for uri in uris {
            let listed = lists(uri).map_or(uri, |list| list.split_whitespace().next().unwrap_or_default());
            sources.extend(folder(listed).map(|url| Source { url, is_security: security }));
        }
    }
    sources
}

/// The addresses and suites of the enabled entries for `main`.
type Entry<'a> = (Vec<&'a str>, Vec<&'a str>);

fn deb822_entries(text: &str) -> Vec<Entry<'_>> {
    let is_live = |stanza: &Stanza<'_>| {
        words(*stanza, "Types").contains(&"deb")
            && words(*stanza, "Components").contains(&"main")
            && stanza.field("Enabled") != Some("no")
    };
    let entry = |stanza| (words(stanza, "URIs"), words(stanza, "Suites"));
    stanzas(text).filter(is_live).map(entry).collect()
}

fn words<'a>(stanza: Stanza<'a>, field: &str) -> Vec<&'a str> {
    stanza.field(field).unwrap_or_default().split_whitespace().collect()
}

fn one_line_entries(text: &str) -> Vec<Entry<'_>> {
    text.lines().filter_map(one_line_entry).collect()
}

fn one_line_entry(line: &str) -> Option<Entry<'_>> {
    let rest = line.trim().strip_prefix("deb ")?.trim_start();
    let rest = if rest.starts_with('[') { rest.split_once(']')?.1 } else { rest };
    let mut words = rest.split_whitespace();
    let (uri, suite) = (words.next()?, words.next()?);
    words.any(|component| component == "main").then(|| (vec![uri], vec![suite]))
}

fn is_suite(name: &str, endings: &[&str]) -> bool {
    let stems = Suite::ALL.map(Suite::codename).into_iter().chain(["stable", "oldstable", "oldoldstable"]);
    stems.into_iter().any(|stem| endings.iter().any(|ending| name.strip_prefix(stem) == Some(*ending)))
}

/// With a slash at the end, so that paths are joined to it and do not replace its last part.
fn folder(text: &str) -> Result<Url, DebianError> {
    let url = Url::parse(&format!("{}/", text.trim().trim_end_matches('/')));
    url.ok()
        .filter(|url| matches!(url.scheme(), "http" | "https"))
        .ok_or_else(|| DebianError::MirrorUrl { text: text.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn urls(files: &[SourceFile<'_>]) -> Option<[String; 2]> {
        let mirrors = Mirrors::from_apt_sources(files)?;
        let url = |pocket| mirrors.url(pocket, "x").unwrap().to_string();
        Some([url(Pocket::Main), url(Pocket::Security)])
    }

    #[test]
    fn reads_both_formats_of_apt() {
        let deb822 = "Types: deb\n# a comment\nURIs: http://mirror.test/debian\nSuites: bookworm bookworm-updates\n\
                      Components: main\nSigned-By: /k.gpg\n\nTypes: deb deb-src\nURIs: https://mirror.test/debian-security/\n\
                      Suites: bookworm-security\nComponents: main contrib\n";
        let expected =
            ["http://mirror.test/debian/x", "https://mirror.test/debian-security/x"].map(str::to_owned);
        assert_eq!(urls(&[("/etc/apt/sources.list.d/debian.sources", deb822)]), Some(expected.clone()));
        let lines = "# deb http://old.test/debian bookworm main\n\
                     deb [arch=amd64 signed-by=/k.gpg] http://mirror.test/debian bullseye main contrib\n\
                     deb https://mirror.test/debian-security bullseye-security main\n";
        assert_eq!(urls(&[("/etc/apt/sources.list", lines)]), Some(expected));
    }

    #[test]
    fn takes_no_other_archive_for_debian() {
        let others = "deb http://packages.test/apt cloud-sdk-bookworm main\n\
                      deb https://docker.test/linux/debian bookworm stable\n\
                      deb https://project.test/project.org bookworm main\n\
                      deb cdrom:[disc]/ bookworm main\ndeb-src http://mirror.test/debian bookworm main\n";
        assert_eq!(urls(&[("/etc/apt/sources.list", others)]), None);
        let disabled =
            "Types: deb\nURIs: http://a.test/debian\nSuites: sid trixie\nComponents: main\nEnabled: no\n";
        assert_eq!(urls(&[("a.sources", disabled)]), None);
        assert_eq!(urls(&[]), None);
    }

    #[test]
    fn follows_mirror_lists_and_falls_back_to_debians_own_security_archive() {
        let source = "Types: deb\nURIs: mirror+file:///etc/apt/mirrors/debian.list\nSuites: trixie\nComponents: main\n";
        let files = [("a.sources", source), ("/etc/apt/mirrors/debian.list", "https://cloud.test/debian\n")];
        let [archive, security] = urls(&files).unwrap();
        assert_eq!(archive, "https://cloud.test/debian/x");
        assert_eq!(security, format!("{}x", Mirrors::debian().security));
    }

    #[test]
    fn configured_addresses_are_checked() {
        for wrong in ["", "debian", "file:///debian", "ftp://ftp.test/debian"] {
            assert!(matches!(Mirrors::new(wrong, None), Err(DebianError::MirrorUrl { .. })), "{wrong}");
        }
    }
}
