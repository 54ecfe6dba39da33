//! What the user has copied: one layer for each entry, or one for all when there are many.

use std::collections::BTreeMap;
use std::path::Path;

use imagewright_lock::facts::Accounts;
use imagewright_lock::{BaseLock, copy_layers};
use imagewright_recipe::{CopyStep, Destination};
use imagewright_spec::{Layout, SourceEntry, SourceTree, clean};

use crate::PlanError;
use crate::container::working_directory;
use crate::definition::{Content, LayerDefinition, LayerKind, TreeFile, TreeKind};
use crate::planner::Scope;
use crate::skeleton::Account;

/// Folders that a base has, which stay as they are when something is copied into them, but for those that its facts
/// know more of. All are root's and of mode 0755 where no other is given here.
const SYSTEM: [&str; 24] = [
    "boot",
    "etc",
    "media",
    "mnt",
    "opt",
    "run",
    "srv",
    "usr",
    "usr/bin",
    "usr/include",
    "usr/lib",
    "usr/local",
    "usr/local/bin",
    "usr/local/etc",
    "usr/local/include",
    "usr/local/lib",
    "usr/local/sbin",
    "usr/local/share",
    "usr/sbin",
    "usr/share",
    "usr/src",
    "var",
    "var/cache",
    "var/lib",
];
/// The same, where everybody may write.
const PUBLIC: [&str; 2] = ["tmp", "var/tmp"];
/// Links of a Debian with merged `/usr`, which is what is assembled.
const MERGED: [&str; 4] = ["bin", "lib", "lib64", "sbin"];
/// How many links one destination may go through.
const MOST_LINKS: usize = 8;

/// Whose files are, by number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Owner {
    uid: u64,
    gid: u64,
}

/// The layers of all that is copied, in order.
pub(crate) fn copied_layers(scope: &Scope<'_>, account: &Account) -> Result<Vec<LayerDefinition>, PlanError> {
    let steps: Vec<&CopyStep> = scope.recipe.copies().collect();
    if steps.is_empty() {
        return Ok(Vec::new());
    }
    let groups = steps.chunks(steps.len().div_ceil(copy_layers(steps.len())));
    groups.map(|steps| layer(scope, account, steps)).collect()
}

fn layer(scope: &Scope<'_>, account: &Account, steps: &[&CopyStep]) -> Result<LayerDefinition, PlanError> {
    let mut files = Files { scope, account, found: BTreeMap::new() };
    for step in steps {
        files.copy(step)?;
    }
    let files: Vec<TreeFile> = files.found.into_values().collect();
    let mut inputs = scope.common_inputs(imagewright_layer::TREE_FORMAT);
    inputs.extend(files.iter().map(|file| (format!("file {}", file.path), file.summary())));
    let title = match steps {
        [step] => title(step),
        steps => format!("{} copies", steps.len()),
    };
    let because = steps.iter().map(|step| because(step)).collect();
    Ok(LayerDefinition::new(LayerKind::Copy, title, inputs, because, Content::Tree(files)))
}

/// The same for every build of an entry, and another one for each, so that the last build's is found by it.
fn title(step: &CopyStep) -> String {
    match step.input.split_once(": ") {
        None => step.input.clone(),
        Some((_, source)) if step.origin.starts_with("copy[") => format!("copy {source}"),
        Some((_, source)) => format!("copy {source} to {}", shown(step)),
    }
}

fn because(step: &CopyStep) -> String {
    match step.input.split_once(": ") {
        Some((_, source)) => format!("{} has {source} copied to {}", step.origin, shown(step)),
        None => format!("{} is copied to {}", step.origin, shown(step)),
    }
}

/// The destination as a user knows it.
fn shown(step: &CopyStep) -> String {
    let (Destination::At(path) | Destination::Into(path)) = &step.destination;
    if step.is_relative { path.clone() } else { format!("/{path}") }
}

/// The files of a layer, by path; what is copied later replaces what is there.
struct Files<'a> {
    scope: &'a Scope<'a>,
    account: &'a Account,
    found: BTreeMap<String, TreeFile>,
}

impl Files<'_> {
    fn copy(&mut self, step: &CopyStep) -> Result<(), PlanError> {
        let no_source = || PlanError::NoSource { name: step.input.clone() };
        let tree = self.scope.sources.get(&step.input).ok_or_else(no_source)?;
        let owner = self.owner(step)?;
        let top = self.place(step, tree);
        self.parents(&top);
        let is_root = top == SourceTree::TOP;
        for (path, entry) in &tree.entries {
            let at = match path.as_str() {
                // The root of the image is the base's.
                SourceTree::TOP if is_root => continue,
                SourceTree::TOP => top.clone(),
                path if is_root => path.to_owned(),
                path => format!("{top}/{path}"),
            };
            let file = match entry {
                SourceEntry::Folder => {
                    let mode = step.mode.map_or(0o755, |mode| mode | (mode & 0o444) >> 2);
                    self.known(&at).unwrap_or_else(|| TreeFile::directory(&at, mode, owner.uid, owner.gid))
                }
                SourceEntry::Link { target } => TreeFile::symlink(&at, target).owned_by(owner.uid, owner.gid),
                SourceEntry::File { executable, size, digest } => TreeFile {
                    kind: TreeKind::Copied {
                        source: step.input.clone(),
                        below: path.clone(),
                        size: *size,
                        digest: *digest,
                    },
                    mode: step.mode.unwrap_or(if *executable { 0o755 } else { 0o644 }),
                    ..TreeFile::file(&at, Vec::new()).owned_by(owner.uid, owner.gid)
                },
            };
            self.put(file);
        }
        Ok(())
    }

    /// Where the top of what is copied comes to be, with links of the base followed.
    fn place(&self, step: &CopyStep, tree: &SourceTree) -> String {
        let (Destination::At(path) | Destination::Into(path)) = &step.destination;
        let path = if step.is_relative { self.in_working_directory(path) } else { path.clone() };
        let is_into = match step.destination {
            Destination::Into(_) => true,
            // As Docker has it, which Flyte 2 says so to: a file that is copied to a folder goes into it.
            Destination::At(_) => {
                self.scope.recipe.settings.layout == Layout::Flyte && self.is_known_folder(&path)
            }
        };
        let path = match &step.file_name {
            Some(name) if is_into && !tree.is_folder() && path == SourceTree::TOP => name.clone(),
            Some(name) if is_into && !tree.is_folder() => format!("{path}/{name}"),
            _ => path,
        };
        (0..MOST_LINKS).fold(path, |path, _| self.followed(&path).unwrap_or(path))
    }

    /// A relative destination, without a leading slash.
    fn in_working_directory(&self, path: &str) -> String {
        let directory = working_directory(self.scope);
        let whole = format!("{}/{path}", directory.trim_matches('/'));
        clean(Path::new(&whole))
    }

    /// Whether there is a folder at `path` that the base is known to have, or that was copied.
    fn is_known_folder(&self, path: &str) -> bool {
        let is_copied = self.found.get(path).is_some_and(|file| file.kind == TreeKind::Directory);
        let is_home = path == self.account.home.trim_start_matches('/');
        let is_working_directory = path == working_directory(self.scope).trim_start_matches('/');
        is_copied || is_home || is_working_directory || self.known(path).is_some()
    }

    /// The same path behind one link that it goes through, if it goes through one.
    fn followed(&self, path: &str) -> Option<String> {
        let below = |link: &str| path.strip_prefix(link)?.strip_prefix('/').map(str::to_owned);
        let is_assembled = matches!(self.scope.lock.base, BaseLock::Debian { .. });
        let mut merged = MERGED.iter().filter(|_| is_assembled);
        if let Some((link, rest)) = merged.find_map(|link| Some((link, below(link)?))) {
            return Some(format!("usr/{link}/{rest}"));
        }
        self.scope.base.facts.links.iter().find_map(|link| {
            let rest = below(&link.path)?;
            let folder = link.path.rsplit_once('/').map(|(folder, _)| folder);
            let target = match (link.target.strip_prefix('/'), folder) {
                (Some(absolute), _) => absolute.to_owned(),
                (None, Some(folder)) => format!("{folder}/{}", link.target),
                (None, None) => link.target.clone(),
            };
            // One with `..` in it is left to the container's engine.
            let is_clean = target.split('/').all(|part| !matches!(part, "" | "." | ".."));
            is_clean.then(|| format!("{target}/{rest}"))
        })
    }

    /// The folders above `path`: those that the base has as it has them, below homes the user's, else root's.
    fn parents(&mut self, path: &str) {
        let Account { uid, gid, home, .. } = self.account;
        let home = home.trim_start_matches('/');
        for (end, _) in path.match_indices('/') {
            let parent = &path[..end];
            let is_users = ["root", home].into_iter().any(|home| is_at_or_below(parent, home));
            let (uid, gid) = if is_users { (*uid, *gid) } else { (0, 0) };
            let made = || TreeFile::directory(parent, 0o755, uid, gid);
            let folder = self.known(parent).unwrap_or_else(made);
            self.put(folder);
        }
    }

    /// A folder that is there before anything is copied.
    fn known(&self, path: &str) -> Option<TreeFile> {
        let facts = self.scope.base.facts.directories.iter().find(|directory| directory.path == path);
        if let Some(home) = self.account.home_folder(self.scope, path) {
            return Some(home);
        }
        if let Some(directory) = facts {
            return Some(TreeFile::directory(path, directory.mode, directory.uid, directory.gid));
        }
        let mode = match path {
            _ if SYSTEM.contains(&path) || MERGED.contains(&path) => 0o755,
            _ if PUBLIC.contains(&path) => 0o1777,
            _ => return None,
        };
        Some(TreeFile::directory(path, mode, 0, 0))
    }

    /// Puts a file in its place. What no folder is hides what was below it.
    fn put(&mut self, file: TreeFile) {
        let is_folder = |file: &TreeFile| file.kind == TreeKind::Directory;
        match self.found.get(&file.path).map(is_folder) {
            // A folder stays as an earlier copy made it.
            Some(true) if is_folder(&file) => return,
            Some(true) => self.found.retain(|path, _| !is_at_or_below(path, &file.path)),
            Some(false) | None => {}
        }
        self.found.insert(file.path.clone(), file);
    }

    fn owner(&self, step: &CopyStep) -> Result<Owner, PlanError> {
        let Some(text) = &step.owner else {
            return Ok(Owner { uid: self.account.uid, gid: self.account.gid });
        };
        let accounts = self.account.added_to(&self.scope.base.facts.accounts);
        let (user, group) = match text.split_once(':') {
            Some((user, group)) => (user, Some(group)),
            None => (text.as_str(), None),
        };
        let unknown = |name: &str, what| PlanError::NoSuchOwner {
            origin: step.origin.clone(),
            what,
            name: name.to_owned(),
        };
        let (uid, own_group) = user_numbers(&accounts, user).ok_or_else(|| unknown(user, "user"))?;
        let gid = match group {
            None => own_group,
            Some(name) => group_number(&accounts, name).ok_or_else(|| unknown(name, "group"))?,
        };
        Ok(Owner { uid, gid })
    }
}

/// A user by name or number, and their group; a number that nobody has is its own group, as for Docker.
fn user_numbers(accounts: &Accounts, name: &str) -> Option<(u64, u64)> {
    match name.parse::<u32>() {
        Ok(number) => {
            let number = u64::from(number);
            let found = accounts.users().find(|user| user.uid == number);
            Some((number, found.map_or(number, |user| user.gid)))
        }
        Err(_) => accounts.user(name).map(|user| (user.uid, user.gid)),
    }
}

fn group_number(accounts: &Accounts, name: &str) -> Option<u64> {
    let number = name.parse::<u32>().map(u64::from);
    number.ok().or_else(|| Some(accounts.groups().find(|group| group.name == name)?.gid))
}

fn is_at_or_below(path: &str, folder: &str) -> bool {
    path.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}
