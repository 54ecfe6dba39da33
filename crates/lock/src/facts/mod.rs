//! What must be known of a base image, by its digest (design D6).
//!
//! [`Tree`] replays the layers' tar headers, lowest first, and keeps the few small files that matter;
//! [`BaseFacts::from_tree`] reads the facts off the result. Neither runs anything of the image.

mod accounts;
mod binary;
mod libc;
mod python;
mod tree;

use imagewright_pypa::Libc;
use serde::{Deserialize, Serialize};

pub use accounts::{Accounts, Group, User};
pub use python::{Environment, Installed, Interpreter, roots};
use tree::PACKAGE_STATUS;
pub use tree::{Node, NodeKind, Tree, wanted};

/// Facts of one image for one platform: derived from its layers, and so as constant as its digest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BaseFacts {
    /// The version of this document's shape; facts of another version are read again from the layers.
    pub version: u32,
    /// `PRETTY_NAME` of `os-release`, for messages.
    pub system: Option<String>,
    /// The C library, which decides which wheels run.
    pub libc: Option<Libc>,
    /// Python interpreters, `/usr/local/bin` before `/usr/bin`.
    pub interpreters: Vec<Interpreter>,
    /// Virtual and conda environments.
    pub environments: Vec<Environment>,
    /// Distributions of every interpreter and environment, by site directory and name.
    pub installed: Vec<Installed>,
    /// `passwd` and `group`.
    pub accounts: Accounts,
    /// Whether `/etc/ssl/certs/ca-certificates.crt` is there.
    pub ca_bundle: bool,
    /// Whether it has apt.
    pub apt: bool,
    /// Whether Debian packages of it are unpacked, and not configured yet.
    pub unconfigured: bool,
    /// Owners and modes of the directories that the skeleton may touch, by path without a leading slash.
    pub directories: Vec<Directory>,
    /// Links in the place of directories: top-level ones of a merged `/usr`, such as `bin` to `usr/bin`, and those
    /// among the directories that the skeleton may touch.
    pub links: Vec<Link>,
}

/// A directory of the base, and to whom it belongs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Directory {
    /// Without a leading slash.
    pub path: String,
    /// Permission bits.
    pub mode: u32,
    /// Numeric owner.
    pub uid: u64,
    /// Numeric group.
    pub gid: u64,
}

/// A symbolic link of the base.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Link {
    /// Without a leading slash.
    pub path: String,
    /// As written.
    pub target: String,
}

impl BaseFacts {
    /// The current version of the document.
    pub const VERSION: u32 = 3;

    /// Reads the facts off a replayed tree; `path_variable` is the image's `PATH`.
    pub fn from_tree(tree: &Tree, path_variable: &str) -> Self {
        let interpreters = python::interpreters(tree, path_variable);
        let environments = python::environments(tree);
        Self {
            version: Self::VERSION,
            system: system_name(tree),
            libc: libc::detect(tree),
            installed: python::installed(tree),
            interpreters,
            environments,
            accounts: Accounts::from_tree(tree),
            ca_bundle: tree.resolve("etc/ssl/certs/ca-certificates.crt").is_some(),
            apt: tree.resolve("usr/bin/apt-get").is_some(),
            unconfigured: has_unconfigured(tree),
            directories: directories(tree),
            links: directory_links(tree),
        }
    }

    /// The facts of nothing: the base of an assembled image before its packages.
    pub fn empty() -> Self {
        Self::from_tree(&Tree::default(), "")
    }
}

fn system_name(tree: &Tree) -> Option<String> {
    let text = tree.text("etc/os-release").or_else(|| tree.text("usr/lib/os-release"))?;
    let value = text.lines().find_map(|line| line.strip_prefix("PRETTY_NAME="))?;
    Some(value.trim_matches('"').to_owned())
}

fn has_unconfigured(tree: &Tree) -> bool {
    let status = tree.text(PACKAGE_STATUS).unwrap_or_default();
    status.lines().any(|line| line.starts_with("Status: ") && line.ends_with(" unpacked"))
}

/// What the skeleton may touch.
const TOUCHED: [&str; 7] = ["etc", "home", "opt", "root", "opt/venv", "etc/ssl", "etc/ssl/certs"];

fn directories(tree: &Tree) -> Vec<Directory> {
    TOUCHED
        .into_iter()
        .filter_map(|path| {
            let node = tree.node(path)?;
            let is_directory = node.kind == NodeKind::Directory;
            is_directory.then(|| Directory {
                path: path.to_owned(),
                mode: node.mode,
                uid: node.uid,
                gid: node.gid,
            })
        })
        .collect()
}

fn directory_links(tree: &Tree) -> Vec<Link> {
    tree.iter()
        .filter(|(path, _)| !path.contains('/') || TOUCHED.contains(path))
        .filter_map(|(path, node)| match &node.kind {
            NodeKind::Symlink { target } => Some(Link { path: path.to_owned(), target: target.clone() }),
            _ => None,
        })
        .collect()
}
