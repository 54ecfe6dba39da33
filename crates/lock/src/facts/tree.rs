use std::collections::BTreeMap;

/// Most bytes that are kept of one file: the RECORD of the largest known wheel is a third of this.
/// Where dpkg keeps which packages there are, and how far each is installed.
pub(super) const PACKAGE_STATUS: &str = "var/lib/dpkg/status";

const KEPT_BYTES: u64 = 8 << 20;
/// How many links one path may go through before it counts as broken, as in Linux.
const LINK_LIMIT: usize = 40;

/// The merged file tree of an image, with the contents of the few files that [`wanted`] names.
///
/// Follows the layer application rules of the OCI image specification: entries replace, whiteouts hide.
#[derive(Clone, Debug, Default)]
pub struct Tree {
    nodes: BTreeMap<String, Node>,
}

/// One path of a tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// File, directory or link.
    pub kind: NodeKind,
    /// Permission bits.
    pub mode: u32,
    /// Numeric owner.
    pub uid: u64,
    /// Numeric group.
    pub gid: u64,
}

/// What a path is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NodeKind {
    /// A directory.
    Directory,
    /// A regular file, with its content if it is wanted and small enough.
    File {
        /// The content, for wanted files.
        content: Option<Vec<u8>>,
    },
    /// A symbolic link.
    Symlink {
        /// As written.
        target: String,
    },
    /// Devices and the like.
    Other,
}

/// Whether the content of the file at `path` (without a leading slash), of `size` bytes, is needed for the facts.
pub fn wanted(path: &str, size: u64) -> bool {
    const EXACT: [&str; 5] =
        ["etc/passwd", "etc/group", "etc/os-release", "usr/lib/os-release", PACKAGE_STATUS];
    let name = path.rsplit('/').next().unwrap_or(path);
    let in_metadata = path.contains(".dist-info/") && matches!(name, "METADATA" | "RECORD");
    let is_binary = super::binary::is_python(name) || super::libc::is_libc(name);
    let limit = if is_binary { 64 << 20 } else { KEPT_BYTES };
    size <= limit
        && (EXACT.contains(&path)
            || in_metadata
            || path.ends_with(".egg-info/PKG-INFO")
            || name == "pyvenv.cfg"
            || is_binary)
}

impl Tree {
    /// Puts one entry of a layer in its place. `path` has neither leading nor trailing slash.
    pub fn apply(&mut self, path: &str, node: Node) {
        if node.kind != NodeKind::Directory {
            self.hide_below(path);
        }
        self.add_parents(path);
        self.nodes.insert(path.to_owned(), node);
    }

    /// Takes away `path` and all below it.
    pub fn hide(&mut self, path: &str) {
        self.hide_below(path);
        self.nodes.remove(path);
    }

    /// Takes away all below `path`.
    pub fn hide_below(&mut self, path: &str) {
        let prefix = format!("{path}/");
        let below = self.nodes.range(prefix.clone()..).map(|(child, _)| child.clone());
        let below: Vec<String> = below.take_while(|child| child.starts_with(&prefix)).collect();
        for child in below {
            self.nodes.remove(&child);
        }
    }

    /// Layers may leave out the directories above an entry; they then are as an engine creates them.
    fn add_parents(&mut self, path: &str) {
        for (at, _) in path.match_indices('/') {
            let implied = Node { kind: NodeKind::Directory, mode: 0o755, uid: 0, gid: 0 };
            self.nodes.entry(path[..at].to_owned()).or_insert(implied);
        }
    }

    /// Gives `path` the node of the file it is a hard link to.
    pub fn link(&mut self, path: &str, target: &str) {
        if let Some(node) = self.nodes.get(target).cloned() {
            self.apply(path, node);
        }
    }

    /// The node at exactly this path, links not followed.
    pub fn node(&self, path: &str) -> Option<&Node> {
        self.nodes.get(path)
    }

    /// All paths, sorted.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Node)> {
        self.nodes.iter().map(|(path, node)| (path.as_str(), node))
    }

    /// The paths directly inside the directory `path` (links in `path` are followed), sorted.
    pub fn children(&self, path: &str) -> Vec<&str> {
        let Some(directory) = self.resolve(path) else { return Vec::new() };
        let prefix = format!("{directory}/");
        self.nodes
            .range(prefix.clone()..)
            .map(|(child, _)| child.as_str())
            .take_while(|child| child.starts_with(&prefix))
            .filter(|child| !child[prefix.len()..].contains('/'))
            .collect()
    }

    /// The real path behind `path` after following every link, if there is something.
    pub fn resolve(&self, path: &str) -> Option<String> {
        let mut pending: Vec<String> = path.split('/').rev().map(str::to_owned).collect();
        let mut real = String::new();
        let mut links = 0;
        while let Some(component) = pending.pop() {
            match component.as_str() {
                "" | "." => continue,
                ".." => {
                    real.truncate(real.rfind('/').unwrap_or(0));
                    continue;
                }
                _ => {}
            }
            let next = if real.is_empty() { component } else { format!("{real}/{component}") };
            if let Some(Node { kind: NodeKind::Symlink { target }, .. }) = self.nodes.get(&next) {
                links += 1;
                if links > LINK_LIMIT {
                    return None;
                }
                if target.starts_with('/') {
                    real.clear();
                }
                pending.extend(target.split('/').rev().map(str::to_owned));
            } else {
                real = next;
            }
        }
        self.nodes.contains_key(&real).then_some(real)
    }

    /// The kept content behind `path`, links followed.
    pub fn content(&self, path: &str) -> Option<&[u8]> {
        match &self.nodes.get(&self.resolve(path)?)?.kind {
            NodeKind::File { content } => content.as_deref(),
            _ => None,
        }
    }

    /// The kept content behind `path` as text; bytes that are no UTF-8 are replaced.
    pub fn text(&self, path: &str) -> Option<String> {
        self.content(path).map(|content| String::from_utf8_lossy(content).into_owned())
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::facts) fn tree(entries: &[(&str, &str)]) -> Tree {
        let mut tree = Tree::default();
        for (path, what) in entries {
            let (kind, mode) = match what.strip_prefix("-> ") {
                Some(target) => (NodeKind::Symlink { target: target.to_owned() }, 0o777),
                None if *what == "/" => (NodeKind::Directory, 0o755),
                None => (NodeKind::File { content: Some(what.as_bytes().to_vec()) }, 0o755),
            };
            tree.apply(path, Node { kind, mode, uid: 0, gid: 0 });
        }
        tree
    }

    #[test]
    fn follows_links_inside_the_root() {
        let tree = tree(&[
            ("bin", "-> usr/bin"),
            ("usr", "/"),
            ("usr/bin", "/"),
            ("usr/bin/python3", "-> python3.11"),
            ("usr/bin/python3.11", "elf"),
            ("usr/bin/loop", "-> loop"),
            ("usr/local", "-> /usr/../usr"),
        ]);
        assert_eq!(tree.resolve("bin/python3").as_deref(), Some("usr/bin/python3.11"));
        assert_eq!(tree.resolve("usr/local/bin/python3").as_deref(), Some("usr/bin/python3.11"));
        assert_eq!(tree.resolve("usr/bin/loop"), None);
        assert_eq!(tree.resolve("usr/bin/none"), None);
        assert_eq!(tree.children("bin"), ["usr/bin/loop", "usr/bin/python3", "usr/bin/python3.11"]);
    }

    #[test]
    fn what_is_hidden_is_gone() {
        let mut tree = tree(&[("a", "/"), ("a/x", "1"), ("a/y", "2"), ("ab", "3"), ("b", "/"), ("b/z", "3")]);
        tree.hide("a/x");
        tree.hide_below("b");
        let paths: Vec<&str> = tree.iter().map(|(path, _)| path).collect();
        assert_eq!(paths, ["a", "a/y", "ab", "b"]);
        tree.hide("a");
        assert_eq!(tree.iter().count(), 2);
    }
}
