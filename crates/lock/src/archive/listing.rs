use std::collections::BTreeMap;
use std::time::Duration;

use imagewright_pypa::{PythonMinor, PythonVersion};
use serde::Deserialize;
use url::Url;

use super::{ArchivePath, Triple};
use crate::LockError;
use crate::uv::{Host, Invocation, Uv};

/// uv reads a list that is part of it; only one that was named elsewhere may take time.
const LIMIT: Duration = Duration::from_mins(1);
/// The first release whose interpreters for musl load extension modules; those before are linked statically.
const FIRST_DYNAMIC_MUSL: &str = "20250311";
/// The kinds of archive that have an installed interpreter and nothing else.
const KINDS: [&str; 2] = ["-install_only_stripped.tar.gz", "-install_only.tar.gz"];

/// Where a list of one's own is: the rest of uv's settings about Python are about installing it here.
const OWN_LIST: &str = "UV_PYTHON_DOWNLOADS_JSON_URL";

/// An archive that there is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Listed {
    pub(super) version: PythonVersion,
    pub(super) triple: Triple,
    pub(super) path: ArchivePath,
}

/// What `uv python list --output-format json` prints of each; it prints more.
#[derive(Deserialize)]
struct Wire {
    version: String,
    url: Option<String>,
    implementation: String,
    variant: Option<String>,
}

/// The archives that uv knows, of a minor release or of all.
pub(super) async fn listing(
    uv: &Uv,
    host: &Host,
    minor: Option<PythonMinor>,
) -> Result<Vec<Listed>, LockError> {
    let arguments = ["python", "list", "--only-downloads", "--all-versions", "--all-platforms"];
    let further = ["--all-arches", "--output-format", "json", "--no-config", "--no-cache"];
    let arguments = arguments.iter().chain(&further).map(|&argument| argument.to_owned());
    let mut variables = BTreeMap::from([("NO_COLOR".to_owned(), "1".to_owned())]);
    if let Some(url) = host.variable(OWN_LIST) {
        variables.insert(OWN_LIST.to_owned(), url.to_owned());
    }
    let finished = Invocation {
        program: uv.executable(),
        arguments: arguments.chain(minor.map(|minor| minor.to_string())).collect(),
        variables,
        directory: Some(host.working_directory().to_owned()),
        limit: LIMIT,
    }
    .run()
    .await
    .map_err(|source| LockError::ArchiveListing { source: Box::new(source) })?;
    if finished.status.success() {
        parse(&finished.stdout).map_err(|source| LockError::ArchiveListingAnswer { source })
    } else {
        let answer = finished.stderr.lines().next().unwrap_or_default().to_owned();
        Err(LockError::NoArchiveListing { answer })
    }
}

fn parse(text: &str) -> Result<Vec<Listed>, serde_json::Error> {
    let wire: Vec<Wire> = serde_json::from_str(text)?;
    Ok(wire.iter().filter_map(listed).collect())
}

/// The last two components of a URL tell all; a version that is not final is none that a spec can ask for.
fn listed(wire: &Wire) -> Option<Listed> {
    if wire.implementation != "cpython" || wire.variant.as_deref().is_some_and(|variant| variant != "default")
    {
        return None;
    }
    let url = Url::parse(wire.url.as_deref()?).ok()?;
    let mut segments = url.path_segments()?.rev();
    let file_name = percent_encoding::percent_decode_str(segments.next()?).decode_utf8().ok()?;
    let release = segments.next()?;
    let kind = KINDS.iter().find(|kind| file_name.ends_with(*kind))?;
    let inner = file_name.strip_prefix("cpython-")?.strip_suffix(kind)?;
    let triple = inner.strip_prefix(&format!("{}+{release}-", wire.version))?;
    let is_static = triple.ends_with("-musl") && release < FIRST_DYNAMIC_MUSL;
    (!is_static).then_some(())?;
    Some(Listed {
        version: wire.version.parse().ok()?,
        triple: Triple(triple.to_owned()),
        path: format!("{release}/{file_name}").parse().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_final_releases_of_cpython() {
        let entry = |version: &str, release: &str, end: &str, more: &str| {
            let url = format!("https://host/download/{release}/cpython-{version}%2B{release}-{end}");
            format!("{{\"version\":\"{version}\",\"url\":\"{url}\",\"key\":\"\",{more}}}")
        };
        let ours = "\"implementation\":\"cpython\",\"variant\":\"default\"";
        let gnu = "x86_64-unknown-linux-gnu-install_only_stripped.tar.gz";
        let entries = [
            entry("3.12.16", "20261110", gnu, ours),
            entry(
                "3.12.1",
                "20240107",
                "aarch64-unknown-linux-gnu-install_only.tar.gz",
                "\"implementation\":\"cpython\"",
            ),
            entry("3.12.2", "20240224", "x86_64-unknown-linux-musl-install_only.tar.gz", ours),
            entry("3.12.9", "20250317", "x86_64-unknown-linux-musl-install_only_stripped.tar.gz", ours),
            entry("3.15.0rc1", "20261110", gnu, ours),
            entry("3.12.16", "20261110", gnu, "\"implementation\":\"cpython\",\"variant\":\"freethreaded\""),
            entry("3.12.16", "20261110", gnu, "\"implementation\":\"pypy\""),
            "{\"version\":\"3.12.15\",\"url\":null,\"implementation\":\"cpython\"}".to_owned(),
        ];
        let found = parse(&format!("[{}]", entries.join(","))).unwrap();
        let found: Vec<String> = found
            .iter()
            .map(|one| format!("{} {} {}", one.version, one.triple.as_str(), one.path.as_str()))
            .collect();
        assert_eq!(
            found,
            [
                "3.12.16 x86_64-unknown-linux-gnu 20261110/cpython-3.12.16+20261110-x86_64-unknown-linux-gnu-install_only_stripped.tar.gz",
                "3.12.1 aarch64-unknown-linux-gnu 20240107/cpython-3.12.1+20240107-aarch64-unknown-linux-gnu-install_only.tar.gz",
                "3.12.9 x86_64-unknown-linux-musl 20250317/cpython-3.12.9+20250317-x86_64-unknown-linux-musl-install_only_stripped.tar.gz",
            ]
        );
        assert!(parse("no json").is_err());
    }
}
