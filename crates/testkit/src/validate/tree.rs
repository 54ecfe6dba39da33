use std::collections::BTreeMap;

/// The paths of an image, as far as its layers were read.
#[derive(Debug, Default)]
pub(super) struct Tree {
    /// By path: whether it is a directory.
    paths: BTreeMap<String, bool>,
}

impl Tree {
    /// Whether there is a directory, which may not be reached through a link.
    pub(super) fn has_directory(&self, path: &str) -> bool {
        self.paths.get(path) == Some(&true)
    }

    pub(super) fn has(&self, path: &str) -> bool {
        self.paths.contains_key(path)
    }

    pub(super) fn insert(&mut self, path: &str, is_directory: bool) {
        if !is_directory {
            self.remove_below(path);
        }
        self.paths.insert(path.to_owned(), is_directory);
    }

    pub(super) fn remove(&mut self, path: &str) {
        self.remove_below(path);
        self.paths.remove(path);
    }

    pub(super) fn remove_below(&mut self, path: &str) {
        let prefix = format!("{path}/");
        let below = self.paths.range(prefix.clone()..).map(|(path, _)| path);
        let below: Vec<String> = below.take_while(|path| path.starts_with(&prefix)).cloned().collect();
        for path in below {
            self.paths.remove(&path);
        }
    }

    pub(super) fn paths(self) -> Vec<String> {
        self.paths.into_keys().collect()
    }
}
