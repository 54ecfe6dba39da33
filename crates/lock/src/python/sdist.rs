//! Archives of source in indexes, for distributions that have no wheel.

use std::path::Path;

use imagewright_oci::Digest;
use imagewright_pypa::PackageName;
use url::Url;

use super::pylock::File;
use super::requirement::Parsed;
use super::resolve::Question;
use super::select::Selection;
use super::source_requirement::bare;
use super::{Origin, PythonError, PythonRequest, Requirement, SourceLocation, SourceRequirement};
use crate::uv::Uv;

/// A distribution that a resolution failed for because no allowed version has a wheel that could be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lacking {
    /// The distribution.
    pub name: PackageName,
    /// The versions of it that the explanation says are needed, such as `>=1,<2`.
    pub specifiers: Vec<String>,
}

/// What uv says of such a distribution, before its name.
const LACKING: &str = "Wheels are required for `";

/// The archive of source that an installer would choose for a distribution; none when the indexes have none.
///
/// uv is asked without what the archive needs, so it has no reason to look into it, which could mean to execute it.
pub async fn sdist(
    uv: &Uv,
    request: &PythonRequest<'_>,
    lacking: &Lacking,
) -> Result<Option<SourceRequirement>, PythonError> {
    let question = Question::of(uv, request)?;
    let name = &lacking.name;
    let written = question.written().filter(|parsed| parsed.name.as_ref() == Some(name));
    let written: Vec<&Parsed> = written.collect();
    let needed = lacking.specifiers.iter().map(|specifier| format!("{name}{specifier}"));
    let lines = written.iter().map(|parsed| parsed.line.clone()).chain(needed);
    let mut lines: Vec<String> = lines.collect();
    if lines.is_empty() {
        lines.push(name.to_string());
    }
    let found = question.try_ask(&lines.join("\n"), &["--no-deps"]).await;
    let Some(package) = found.iter().find(|package| package.sdist.is_some()) else { return Ok(None) };
    let Some(file) = &package.sdist else { return Ok(None) };
    let (_, version) = Selection::identity(package)?;
    let allowed = question.hashes().remove(name).unwrap_or_default();
    let stated = file.hashes.get("sha256").and_then(|digits| Digest::from_hex(digits).ok());
    let name = || name.clone();
    if allowed.is_empty() && request.asked.options.require_hashes {
        return Err(PythonError::HashMissing { name: name(), version });
    }
    if let Some(found) = stated.filter(|stated| !allowed.is_empty() && !allowed.contains(stated)) {
        return Err(PythonError::HashMismatch { name: name(), version, allowed, found: vec![found] });
    }
    let location = location(file, request.scratch)?;
    let text = format!("{}=={version}", lacking.name);
    Ok(Some(SourceRequirement {
        requirement: Requirement::new(&text, Origin::Field { name: "packages".to_owned() }),
        extras: String::new(),
        marker: None,
        location,
        subdirectory: None,
        hashes: if allowed.is_empty() { stated.into_iter().collect() } else { allowed },
    }))
}

fn location(file: &File, folder: &Path) -> Result<SourceLocation, PythonError> {
    if let Some(path) = &file.path {
        return Ok(SourceLocation::File { path: folder.join(path) });
    }
    let text = file.url.as_deref().unwrap_or_default();
    let bad =
        |problem: String| PythonError::Answer { explanation: format!("the URL of an archive: {problem}") };
    let url = Url::parse(text).map_err(|error| bad(error.to_string()))?;
    if url.scheme() == "file" {
        let path = url.to_file_path().map_err(|()| bad("not a local file".to_owned()))?;
        return Ok(SourceLocation::File { path });
    }
    Ok(SourceLocation::Archive { url: bare(url).ok_or_else(|| bad("no host".to_owned()))? })
}

/// The distributions that an explanation says need a wheel, with the versions that it says are needed.
pub(super) fn lacking(explanation: &str) -> Vec<Lacking> {
    let mut lacking: Vec<Lacking> = Vec::new();
    for (at, _) in explanation.match_indices(LACKING) {
        let name = explanation[at + LACKING.len()..].split('`').next();
        let Some(name) = name.and_then(|name| name.parse::<PackageName>().ok()) else { continue };
        if lacking.iter().all(|known| known.name != name) {
            let specifiers = needed(explanation, &name);
            lacking.push(Lacking { name, specifiers });
        }
    }
    lacking
}

/// `>=1,<2` of `depends on name>=1,<2`.
fn needed(explanation: &str, name: &PackageName) -> Vec<String> {
    let mut specifiers = Vec::new();
    let words: Vec<&str> = explanation.split_whitespace().collect();
    for pair in words.windows(2).filter(|pair| ["on", "require", "requires"].contains(&pair[0])) {
        let word = pair[1].trim_end_matches([',', '.']);
        let Some(at) = word.find(['<', '>', '=', '!', '~']) else { continue };
        let (found, specifier) = word.split_at(at);
        let found = found.split('[').next().unwrap_or(found).parse::<PackageName>();
        if found.is_ok_and(|found| found == *name) && !specifiers.iter().any(|known| known == specifier) {
            specifiers.push(specifier.to_owned());
        }
    }
    specifiers
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lacks_a_wheel_is_named_with_what_is_needed_of_it() {
        let explanation = "error: No solution found when resolving dependencies\n  cause: Because docopt>=0.6.1,<0.7 \
            has no usable wheels and hdfs==2.7.3 depends on docopt>=0.6.1,<0.7, we can conclude that hdfs==2.7.3 \
            cannot be used.\n      And because you require hdfs==2.7.3, we can conclude that your requirements are \
            unsatisfiable.\n\nhint: Wheels are required for `docopt` because building from source is disabled for all \
            packages (i.e., with `--no-build`)";
        let name = "docopt".parse().unwrap();
        assert_eq!(lacking(explanation), [Lacking { name, specifiers: vec![">=0.6.1,<0.7".to_owned()] }]);
        assert_eq!(lacking("Because a==1 depends on b and b was not found"), []);
    }
}
