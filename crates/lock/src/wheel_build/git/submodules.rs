use std::collections::BTreeMap;
use std::path::Path;

use futures_util::FutureExt as _;
use futures_util::future::LocalBoxFuture;

use super::Repository;
use crate::LockError;
use crate::wheel_build::{Commit, SourceError};

/// Where a repository says what its submodules are.
const LIST: &str = ".gitmodules";
/// What begins the entry of a submodule in a tree.
const ENTRY: &str = "160000 commit ";

/// What is said of one submodule.
#[derive(Debug, Default, PartialEq, Eq)]
struct Said {
    path: String,
    url: String,
    update: String,
}

impl Repository<'_> {
    /// Lays out the submodules of what is checked out in `folder`, each from a copy of its own, and theirs. Boxed,
    /// because a submodule is a repository.
    pub(super) fn lay_out_submodules<'s>(
        &'s self,
        folder: &'s Path,
    ) -> LocalBoxFuture<'s, Result<(), LockError>> {
        async move {
            let is_listed = self.run(&["cat-file", "-e", &format!("HEAD:{LIST}")], folder).await?;
            if !is_listed.status.success() {
                return Ok(());
            }
            let pattern = r"^submodule\..*\.(path|url|update)$";
            let blob = format!("HEAD:{LIST}");
            let listing = ["config", "--blob", &blob, "--null", "--get-regexp", pattern];
            let listed = self.run(&listing, folder).await?.stdout;
            let tree = self.done(&["ls-tree", "-r", "-z", "--full-tree", "HEAD"], folder).await?.stdout;
            let listed = submodules(&listed);
            for (path, commit) in commits(&tree) {
                let Some(said) = listed.iter().find(|said| said.path == path && !said.url.is_empty()) else {
                    let said = format!("{LIST} has no URL of the submodule `{path}`");
                    return Err(SourceError::Git { source_name: self.address.to_string(), said }.into());
                };
                if said.update != "none" {
                    let submodule =
                        Repository { address: self.address.beside(&said.url), is_users: false, ..*self };
                    submodule.check_out(&commit, &folder.join(&path)).await?;
                }
            }
            Ok(())
        }
        .boxed_local()
    }
}

/// Reads `submodule.NAME.KEY`, a line end and a value, each before a zero byte.
fn submodules(listed: &str) -> Vec<Said> {
    let mut found: BTreeMap<&str, Said> = BTreeMap::new();
    for entry in listed.split_terminator('\0') {
        let Some((key, value)) = entry.split_once('\n') else { continue };
        let key = key.strip_prefix("submodule.").and_then(|key| key.rsplit_once('.'));
        let Some((name, key)) = key else { continue };
        let said = found.entry(name).or_default();
        match key {
            "path" => value.trim_end_matches('/').clone_into(&mut said.path),
            "url" => value.clone_into(&mut said.url),
            _ => value.clone_into(&mut said.update),
        }
    }
    found.into_values().collect()
}

/// The submodules in a tree, as `git ls-tree -z` tells it.
fn commits(tree: &str) -> impl Iterator<Item = (String, Commit)> {
    tree.split_terminator('\0').filter_map(|entry| {
        let (commit, path) = entry.strip_prefix(ENTRY)?.split_once('\t')?;
        Some((path.to_owned(), Commit::parse(commit)?))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_git_tells_of_submodules_is_read() {
        let listed = "submodule.a.b.path\nlib/a\0submodule.a.b.url\n../a.git\0submodule.c.path\nc/\0";
        let of = |path: &str, url: &str| Said { path: path.into(), url: url.into(), update: String::new() };
        assert_eq!(submodules(listed), [of("lib/a", "../a.git"), of("c", "")]);
        let zeros = "0".repeat(40);
        let tree = format!("100644 blob {zeros}\tx\0160000 commit {zeros}\tlib/ö a\0");
        let found: Vec<_> = commits(&tree).collect();
        assert_eq!(found, [("lib/ö a".to_owned(), Commit::parse(&zeros).unwrap())]);
    }
}
