use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use thiserror::Error;

use crate::Digest;

/// The registry of a reference that names none.
pub const DEFAULT_REGISTRY: &str = "docker.io";

/// The name of an image in a registry: `registry/repository[:tag][@digest]`, normalised as Docker does.
///
/// Follows the grammar of the distribution project's `reference` package: a first component with a dot, a colon
/// or the name `localhost` is the registry, otherwise it is Docker Hub, where a lone name is under `library/`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ImageReference {
    registry: String,
    repository: String,
    tag: Option<String>,
    digest: Option<Digest>,
}

/// A text that does not name an image.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("`{text}` is not an image reference: {problem}")]
pub struct ReferenceError {
    /// What was given.
    pub text: String,
    /// Which rule of the grammar it breaks.
    pub problem: &'static str,
}

impl ImageReference {
    /// A reference from parts that are already split; the parts obey the same grammar as the text.
    pub fn new(
        registry: Option<&str>,
        repository: &str,
        tag: Option<&str>,
        digest: Option<Digest>,
    ) -> Result<Self, ReferenceError> {
        let name = registry.map_or_else(|| repository.to_owned(), |host| format!("{host}/{repository}"));
        let parsed: Self = name.parse()?;
        let reference = Self { digest, ..parsed };
        match tag {
            Some(tag) => reference.with_tag(tag),
            None => Ok(reference),
        }
    }

    /// `localhost:5000`, `ghcr.io`, or `docker.io` when none was written.
    pub fn registry(&self) -> &str {
        &self.registry
    }

    /// The name as people write it: without what is implied in the names of Docker Hub.
    pub fn familiar(&self) -> String {
        let text = self.to_string();
        let short = text.strip_prefix("docker.io/").map(|text| text.strip_prefix("library/").unwrap_or(text));
        short.map_or_else(|| text.clone(), str::to_owned)
    }

    /// The path below the registry, such as `library/debian`.
    pub fn repository(&self) -> &str {
        &self.repository
    }

    /// The tag, when one was written.
    pub fn tag(&self) -> Option<&str> {
        self.tag.as_deref()
    }

    /// The digest, when one was written.
    pub fn digest(&self) -> Option<Digest> {
        self.digest
    }

    /// What a manifest request puts behind `manifests/`: the digest, else the tag, else `latest`.
    pub fn manifest_name(&self) -> String {
        match (&self.digest, &self.tag) {
            (Some(digest), _) => digest.to_string(),
            (None, Some(tag)) => tag.clone(),
            (None, None) => "latest".to_owned(),
        }
    }

    /// The same repository under another tag and without a digest.
    pub fn with_tag(&self, tag: &str) -> Result<Self, ReferenceError> {
        check_tag(tag).map_err(|problem| ReferenceError { text: tag.to_owned(), problem })?;
        Ok(Self { tag: Some(tag.to_owned()), digest: None, ..self.clone() })
    }

    /// The same repository, pinned to `digest`, without a tag.
    #[must_use]
    pub fn with_digest(&self, digest: Digest) -> Self {
        Self { tag: None, digest: Some(digest), ..self.clone() }
    }

    /// The same repository without tag and digest.
    #[must_use]
    pub fn name_only(&self) -> Self {
        Self { tag: None, digest: None, ..self.clone() }
    }
}

impl FromStr for ImageReference {
    type Err = ReferenceError;

    fn from_str(text: &str) -> Result<Self, ReferenceError> {
        let fail = |problem| ReferenceError { text: text.to_owned(), problem };
        let (rest, digest) = match text.split_once('@') {
            Some((rest, digest)) => {
                (rest, Some(digest.parse().map_err(|_| fail("the digest is not sha256:<64 hex digits>"))?))
            }
            None => (text, None),
        };
        let (registry, path) = split_registry(rest);
        let (path, tag) = match path.rsplit_once(':') {
            Some((path, tag)) => (path, Some(tag)),
            None => (path, None),
        };
        if let Some(tag) = tag {
            check_tag(tag).map_err(fail)?;
        }
        if let Some(host) = registry {
            check_host(host).map_err(fail)?;
        }
        check_path(path).map_err(fail)?;
        let registry = match registry {
            None | Some("index.docker.io" | "registry-1.docker.io") => DEFAULT_REGISTRY,
            Some(host) => host,
        };
        let repository = if registry == DEFAULT_REGISTRY && !path.contains('/') {
            format!("library/{path}")
        } else {
            path.to_owned()
        };
        Ok(Self { registry: registry.to_owned(), repository, tag: tag.map(str::to_owned), digest })
    }
}

/// Splits off the first component when it can only be a host.
fn split_registry(name: &str) -> (Option<&str>, &str) {
    match name.split_once('/') {
        Some((host, path)) if host == "localhost" || host.contains(['.', ':', '[']) => (Some(host), path),
        _ => (None, name),
    }
}

fn check_host(host: &str) -> Result<(), &'static str> {
    let (name, port) = match host.rsplit_once(':') {
        Some((name, port)) if !port.contains(']') => (name, Some(port)),
        _ => (host, None),
    };
    if port.is_some_and(|port| port.parse::<u16>().is_err()) {
        return Err("the port is not a number below 65536");
    }
    let is_address = name.starts_with('[') && name.ends_with(']');
    let is_label = |label: &str| {
        !label.is_empty()
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b))
    };
    if is_address || name.split('.').all(is_label) { Ok(()) } else { Err("the registry is not a host name") }
}

fn check_path(path: &str) -> Result<(), &'static str> {
    if path.is_empty() {
        return Err("the repository is empty");
    }
    if path.bytes().any(|b| b.is_ascii_uppercase()) {
        return Err("a repository has no upper-case letters");
    }
    if path.split('/').all(is_component) {
        Ok(())
    } else {
        Err("a repository has components of a-z and 0-9, joined by `.`, `_`, `__` or dashes")
    }
}

/// `[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*`
fn is_component(component: &str) -> bool {
    let is_alphanumeric = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let runs: Vec<&str> = component.split(|c: char| c.is_ascii() && is_alphanumeric(c as u8)).collect();
    let (Some(first), Some(last)) = (runs.first(), runs.last()) else { return false };
    runs.len() > 1
        && first.is_empty()
        && last.is_empty()
        && runs.iter().all(|run| matches!(*run, "" | "." | "_" | "__") || run.bytes().all(|b| b == b'-'))
}

fn check_tag(tag: &str) -> Result<(), &'static str> {
    let is_word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    let valid = (1..=128).contains(&tag.len())
        && tag.bytes().next().is_some_and(is_word)
        && tag.bytes().all(|b| is_word(b) || b == b'.' || b == b'-');
    if valid {
        Ok(())
    } else {
        Err("a tag has at most 128 of a-z, A-Z, 0-9, `_`, `.` and `-`, and starts with none of the last two")
    }
}

impl fmt::Display for ImageReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.registry, self.repository)?;
        self.tag.iter().try_for_each(|tag| write!(f, ":{tag}"))?;
        self.digest.iter().try_for_each(|digest| write!(f, "@{digest}"))
    }
}

impl Serialize for ImageReference {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ImageReference {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn normalises_as_docker_does() {
        let zeros = format!("sha256:{}", "0".repeat(64));
        let cases = [
            ("debian", "docker.io/library/debian"),
            ("debian:bookworm-slim", "docker.io/library/debian:bookworm-slim"),
            ("user/app", "docker.io/user/app"),
            ("index.docker.io/user/app:1", "docker.io/user/app:1"),
            ("localhost/app", "localhost/app"),
            ("localhost:5000/a/b/c:t", "localhost:5000/a/b/c:t"),
            ("ghcr.io/user/my_app--x", "ghcr.io/user/my_app--x"),
            ("[::1]:5000/app", "[::1]:5000/app"),
            (&format!("reg.io/app:t@{zeros}"), &format!("reg.io/app:t@{zeros}")),
        ];
        for (text, normal) in cases {
            let reference: ImageReference = text.parse().unwrap();
            assert_eq!(reference.to_string(), normal, "{text}");
            assert_eq!(reference.familiar(), text.trim_start_matches("index.docker.io/"));
        }
    }

    #[test]
    fn says_which_rule_is_broken() {
        let problem = |text: &str| text.parse::<ImageReference>().unwrap_err().problem;
        assert_eq!(problem("Debian"), "a repository has no upper-case letters");
        assert_eq!(problem("localhost:99999/app"), "the port is not a number below 65536");
        assert_eq!(problem("app@sha256:12"), "the digest is not sha256:<64 hex digits>");
        for text in
            ["", "reg.io/", "reg.io//a", "a/", "app:-t", "app:", "a b", "reg.io/a..b", "reg.io/-a", "é"]
        {
            assert!(text.parse::<ImageReference>().is_err(), "{text}");
        }
    }
}
