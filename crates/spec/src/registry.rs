//! The `name` and `registry` fields.

use imagewright_oci::{ImageReference, ReferenceError};

use crate::ProblemKind;

/// The name in lower case, as flytekit has it, if an image can have it.
pub(crate) fn name(text: &str) -> Result<String, ProblemKind> {
    let name = text.to_lowercase();
    let problem = match ImageReference::new(Some("localhost"), &name, None, None) {
        Ok(reference) if reference.repository() == name => return Ok(name),
        Ok(_) => "a name has no tag and no digest",
        Err(source) => source.problem,
    };
    Err(ProblemKind::Name { source: ReferenceError { text: name, problem } })
}

/// The registry in lower case, if flytekit accepts it and an image can be in it.
///
/// flytekit's rule is `(localhost:\d{1,5}|[a-z\d._-]+(:\d{1,5})?)(/[\w.-]+)*`.
pub(crate) fn registry(text: &str) -> Result<String, ProblemKind> {
    let registry = text.to_lowercase();
    match problem(&registry) {
        None => Ok(registry),
        Some(problem) => Err(ProblemKind::Registry { registry: text.to_owned(), problem }),
    }
}

fn problem(registry: &str) -> Option<&'static str> {
    if registry.contains("://") {
        return Some("it starts with a scheme");
    }
    if registry.ends_with('/') {
        return Some("it ends in a slash");
    }
    let (first, path) = registry.split_once('/').unwrap_or((registry, ""));
    let (host, port) = first.split_once(':').unwrap_or((first, "0"));
    let is_host = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"._-".contains(&b);
    if host.is_empty() || !host.bytes().all(is_host) {
        return Some("it does not start with a host or a user of Docker Hub");
    }
    if !(1..=5).contains(&port.len()) || !port.bytes().all(|b| b.is_ascii_digit()) {
        return Some("the port is not a number below 65536");
    }
    if path.contains([':', '@']) {
        return Some("a registry has no tag and no digest");
    }
    format!("{registry}/name").parse::<ImageReference>().err().map(|error| error.problem)
}
