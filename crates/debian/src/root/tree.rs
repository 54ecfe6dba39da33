use std::collections::BTreeMap;

use imagewright_layer::{Content, TreeEntry, TreeKind, TreePath};

use crate::DebianError;

/// The entries of a layer while they are collected, by path, with the package that brought each.
#[derive(Debug, Default)]
pub(super) struct Tree {
    entries: BTreeMap<String, (TreeEntry, String)>,
}

impl Tree {
    /// Adds what a package has. A folder may be in several packages, and the first to bring it says what it is like.
    pub(super) fn add(&mut self, package: &str, entry: TreeEntry) -> Result<(), DebianError> {
        let path = entry.path.to_string();
        match self.entries.get(&path) {
            None => {
                self.entries.insert(path, (entry, package.to_owned()));
                Ok(())
            }
            Some((present, _)) if is_directory(present) && is_directory(&entry) => Ok(()),
            Some((_, first)) => {
                Err(DebianError::PathTwice { path, first: first.clone(), second: package.to_owned() })
            }
        }
    }

    /// Adds something that no package has; what is there stays.
    pub(super) fn add_default(&mut self, entry: TreeEntry) {
        self.entries.entry(entry.path.to_string()).or_insert((entry, String::new()));
    }

    /// Adds a file with mode 0644 that no package has.
    pub(super) fn add_file(&mut self, path: &str, content: impl Into<Vec<u8>>) {
        self.add_default(TreeEntry::file(place(path), 0o644, content.into()));
    }

    /// Adds a symbolic link that no package has.
    pub(super) fn add_link(&mut self, path: &str, target: &str) {
        self.add_default(TreeEntry::symlink(place(path), target));
    }

    pub(super) fn has(&self, path: &str) -> bool {
        self.entries.contains_key(path)
    }

    /// The content of a regular file.
    pub(super) fn content(&self, path: &str) -> Option<&[u8]> {
        match &self.entries.get(path)?.0.kind {
            TreeKind::File { content: Content::Bytes(bytes), .. } => Some(bytes),
            _ => None,
        }
    }

    /// The text of a file that what is set up for `package` is made of; without it the image would lack that.
    pub(super) fn text(&self, package: &'static str, path: &str) -> Result<String, DebianError> {
        let content = self.content(path).and_then(|content| std::str::from_utf8(content).ok());
        content.map(str::to_owned).ok_or_else(|| DebianError::PackageText { package, path: path.to_owned() })
    }

    /// The paths of the files below a folder whose names end with `ending`, sorted.
    pub(super) fn files_below(&self, folder: &str, ending: &str) -> Vec<String> {
        let start = format!("{folder}/");
        let below = self.entries.range(start.clone()..).take_while(|(path, _)| path.starts_with(&start));
        below.filter(|(path, _)| path.ends_with(ending)).map(|(path, _)| path.clone()).collect()
    }

    /// All entries, with the folders above each.
    pub(super) fn into_entries(mut self) -> Vec<TreeEntry> {
        let parents: Vec<TreePath> =
            self.entries.values().flat_map(|(entry, _)| entry.path.ancestors().collect::<Vec<_>>()).collect();
        for parent in parents {
            self.add_default(TreeEntry::directory(parent, 0o755));
        }
        self.entries.into_values().map(|(entry, _)| entry).collect()
    }
}

/// A path that is written in this crate.
pub(super) fn place(path: &str) -> TreePath {
    TreePath::new(path).expect("the paths of the tables are clean")
}

fn is_directory(entry: &TreeEntry) -> bool {
    matches!(entry.kind, TreeKind::Directory)
}
