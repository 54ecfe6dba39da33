//! Archives of source in indexes, for distributions that have no wheel.

use imagewright_pypa::PackageName;
use url::Url;

use super::listing::IndexPages;
use super::page::{Listed, stand_ins};
use super::requirement::Parsed;
use super::resolve::{OUTPUT, Question};
use super::select::Selection;
use super::{
    Asked, Index, Origin, PythonError, PythonRequest, Requirement, SourceLocation, SourceRequirement,
};
use crate::LockError;
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

/// Where uv finds the page with what stands in for archives.
const INDEX: &str = "archives";

/// The archive of source that an installer would choose for a distribution; none when the indexes have none.
///
/// uv chooses archives only if it may also build them, which it does wherever it wants to know more of one. So it is
/// asked about an index of one page, with a wheel in the place of each archive.
pub async fn sdist(
    uv: &Uv,
    request: &PythonRequest<'_>,
    pages: IndexPages<'_>,
    lacking: &Lacking,
) -> Result<Option<SourceRequirement>, LockError> {
    let name = &lacking.name;
    let archives = pages.archives(name, request, &uv.capabilities().default_index).await?;
    if archives.is_empty() {
        return Ok(None);
    }
    let asked = only_of(&archives, name, request)?;
    let of_archives = PythonRequest { asked: &asked, ..*request };
    let question = Question::of(uv, &of_archives)?;
    let written = question.written().filter(|parsed| parsed.name.as_ref() == Some(name));
    let written: Vec<&Parsed> = written.collect();
    let needed = lacking.specifiers.iter().map(|specifier| format!("{name}{specifier}"));
    let lines = written.iter().map(|parsed| parsed.line.clone()).chain(needed);
    let mut lines: Vec<String> = lines.collect();
    if lines.is_empty() {
        lines.push(name.to_string());
    }
    let found = question.try_ask(&lines.join("\n"), &["--no-deps", "--output-file", OUTPUT]).await;
    let Some(package) = found.first() else { return Ok(None) };
    let (_, version) = Selection::identity(package)?;
    let Some(archive) = archives.into_iter().find(|archive| archive.version == version) else {
        return Ok(None);
    };
    let allowed = question.hashes().remove(name).unwrap_or_default();
    let stated = archive.sha256;
    let name = || name.clone();
    if allowed.is_empty() && request.asked.options.require_hashes {
        return Err(PythonError::HashMissing { name: name(), version }.into());
    }
    if let Some(found) = stated.filter(|stated| !allowed.is_empty() && !allowed.contains(stated)) {
        return Err(PythonError::HashMismatch { name: name(), version, allowed, found: vec![found] }.into());
    }
    let text = format!("{}=={version}", lacking.name);
    Ok(Some(SourceRequirement {
        requirement: Requirement::new(&text, Origin::Field { name: "packages".to_owned() }),
        extras: String::new(),
        marker: None,
        location: location(archive.url),
        subdirectory: None,
        hashes: if allowed.is_empty() { stated.into_iter().collect() } else { allowed },
    }))
}

/// What the user asks, of an index that has nothing but what stands in for these archives.
fn only_of(
    archives: &[Listed],
    name: &PackageName,
    request: &PythonRequest<'_>,
) -> Result<Asked, PythonError> {
    let index = request.scratch.join(INDEX);
    let folder = index.join(name.as_str());
    let page = folder.join("index.html");
    let write = || {
        fs_err::create_dir_all(&folder)?;
        fs_err::write(&page, stand_ins(name, archives))
    };
    write().map_err(|source| PythonError::File { path: page.clone(), source })?;
    let mut asked = request.asked.clone();
    let address = Url::from_file_path(&index).expect("the store's folders have absolute paths");
    asked.indexes.default = Some(Index::parse(address.as_str()));
    asked.indexes.additional.clear();
    asked.indexes.find_links.clear();
    asked.indexes.no_index = false;
    Ok(asked)
}

fn location(url: Url) -> SourceLocation {
    let path = (url.scheme() == "file").then(|| url.to_file_path().ok()).flatten();
    match path {
        Some(path) => SourceLocation::File { path },
        None => SourceLocation::Archive { url },
    }
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
