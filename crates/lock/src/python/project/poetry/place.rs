use toml::Table;

use super::wire::{Package, Source};

/// Where a dependency says that its package is; without a word of it, everywhere.
pub(super) struct Place<'a> {
    /// The kinds of sources that it may be locked as.
    kinds: &'static [&'static str],
    /// The address, or the name of the source.
    text: &'a str,
}

/// What a dependency is written with, and what becomes of it in a lock.
const KINDS: &[(&str, &[&str])] = &[
    ("git", &["git"]),
    ("url", &["url"]),
    ("path", &["directory", "file"]),
    ("file", &["file"]),
    ("source", &["legacy"]),
];

impl<'a> Place<'a> {
    pub(super) fn of(table: &'a Table) -> Option<Self> {
        KINDS.iter().find_map(|(key, kinds)| Some(Self { kinds, text: table.get(*key)?.as_str()? }))
    }

    /// Whether a package is locked from a source of this kind.
    pub(super) fn is_kind_of(&self, package: &Package) -> bool {
        package.source.as_ref().is_some_and(|source| self.kinds.contains(&source.kind.as_str()))
    }

    /// Whether a package is locked from here.
    pub(super) fn has(&self, package: &Package) -> bool {
        let is_here = |Source { kind, url, reference, .. }: &Source| match kind.as_str() {
            "legacy" => reference.as_deref() == Some(self.text),
            _ => bare(url) == bare(self.text),
        };
        self.is_kind_of(package) && package.source.as_ref().is_some_and(is_here)
    }
}

/// An address without what makes no difference.
fn bare(text: &str) -> &str {
    let text = text.trim_start_matches("./").trim_end_matches('/');
    text.strip_suffix(".git").unwrap_or(text)
}
