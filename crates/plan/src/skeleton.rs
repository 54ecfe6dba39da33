use imagewright_lock::facts::{Accounts, BaseFacts};

use imagewright_recipe::{UserRole, UserStep};
use imagewright_spec::Layout;

use crate::certificates::certificates;
use crate::container;
use crate::definition::{Content, LayerDefinition, LayerKind, TreeFile, TreeKind};
use crate::planner::Scope;

/// The user that what is copied belongs to, in an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Account {
    pub(crate) name: String,
    pub(crate) uid: u64,
    pub(crate) gid: u64,
    /// With its leading slash.
    pub(crate) home: String,
    /// Whether containers run as it, instead of as root.
    pub(crate) runs: bool,
    /// Whether the base has the user.
    exists: bool,
}

impl Account {
    /// The base's user of this name, else, if it is to run, a new one as `useradd --create-home` makes it.
    pub(crate) fn of(facts: &BaseFacts, step: &UserStep) -> Self {
        let UserStep { name, role } = step;
        let runs = *role == UserRole::Runs;
        if let Some(user) = facts.accounts.user(name) {
            Self { name: user.name, uid: user.uid, gid: user.gid, home: user.home, runs, exists: true }
        } else if runs {
            let id = facts.accounts.free_id();
            let home = format!("/home/{name}");
            Self { name: name.to_owned(), uid: id, gid: id, home, runs, exists: false }
        } else {
            let (name, home) = ("root".to_owned(), "/root".to_owned());
            Self { name, uid: 0, gid: 0, home, runs, exists: true }
        }
    }

    /// Whom containers run as.
    pub(crate) fn running(&self) -> &str {
        if self.runs { &self.name } else { "root" }
    }

    /// `passwd` and `group` with the user in them.
    pub(crate) fn added_to(&self, accounts: &Accounts) -> Accounts {
        if self.exists {
            return accounts.clone();
        }
        let Self { name, uid, gid, home, .. } = self;
        Accounts {
            passwd: with_line(&accounts.passwd, &format!("{name}:x:{uid}:{gid}::{home}:/bin/bash")),
            group: with_line(&accounts.group, &format!("{name}:x:{gid}:")),
        }
    }
}

impl Account {
    /// One of the folders that the skeleton makes the user's, as it makes them.
    pub(crate) fn home_folder(&self, scope: &Scope<'_>, path: &str) -> Option<TreeFile> {
        homes(scope, self).into_iter().find(|file| file.path == path && file.kind == TreeKind::Directory)
    }
}

/// User, home, certificates and environment: what flytekit's default builder runs commands for.
pub(crate) fn skeleton_layer(scope: &Scope<'_>, account: &Account) -> LayerDefinition {
    let mut files = accounts(scope, account);
    files.extend(homes(scope, account));
    files.extend(certificates(scope));
    files.extend(environment(scope));
    let mut inputs = scope.common_inputs(imagewright_layer::TREE_FORMAT);
    inputs.extend(files.iter().map(|file| (format!("file {}", file.path), file.summary())));
    let title = "skeleton (user, home, environment)".to_owned();
    let because = vec!["every image has it".to_owned()];
    LayerDefinition::new(LayerKind::Skeleton, title, inputs, because, Content::Tree(files))
}

/// `passwd` and `group` with the user added.
fn accounts(scope: &Scope<'_>, account: &Account) -> Vec<TreeFile> {
    if account.exists {
        return Vec::new();
    }
    let Accounts { passwd, group } = account.added_to(&scope.base.facts.accounts);
    vec![TreeFile::file("etc/passwd", passwd), TreeFile::file("etc/group", group)]
}

fn with_line(text: &str, line: &str) -> String {
    let separator = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
    format!("{text}{separator}{line}\n")
}

/// `/root`, `/home` and the user's home are theirs, as after flytekit's `chown`; Flyte 2's leaves `/home` as it is.
fn homes(scope: &Scope<'_>, account: &Account) -> Vec<TreeFile> {
    if !account.runs {
        return Vec::new();
    }
    let Account { uid, gid, home, .. } = account;
    let home = home.trim_start_matches('/');
    let known = |path: &str| scope.base.facts.directories.iter().find(|directory| directory.path == path);
    let mode = |path: &str, default| known(path).map_or(default, |directory| directory.mode);
    let (owner, group) = match (scope.recipe.settings.layout, known("home")) {
        (Layout::Flytekit, _) => (*uid, *gid),
        (Layout::Flyte, Some(directory)) => (directory.uid, directory.gid),
        (Layout::Flyte, None) => (0, 0),
    };
    let mut files = vec![
        TreeFile::directory("home", mode("home", 0o755), owner, group),
        TreeFile::directory("root", mode("root", 0o700), *uid, *gid),
    ];
    if !account.exists {
        let path = container::path_variable(scope, account);
        files.push(TreeFile::directory(home, 0o755, *uid, *gid));
        let profile = format!("{home}/.profile");
        files.push(TreeFile::file(&profile, format!("export PATH={path}\n")).owned_by(*uid, *gid));
    }
    files
}

/// A virtual environment over the interpreter, as `python -m venv` lays it out (PEP 405).
fn environment(scope: &Scope<'_>) -> Vec<TreeFile> {
    if scope.lock.environment.continues {
        return Vec::new();
    }
    let prefix = scope.lock.environment.prefix.trim_start_matches('/');
    let interpreter = &scope.lock.interpreter;
    let (bin, _) = interpreter.path.rsplit_once('/').unwrap_or(("", ""));
    let version =
        interpreter.full.as_ref().map_or_else(|| interpreter.minor.to_string(), ToString::to_string);
    let path = |below: &str| format!("{prefix}/{below}");
    let directory = |below: &str| TreeFile::directory(&path(below), 0o755, 0, 0);
    let settings = format!("home = {bin}\ninclude-system-site-packages = true\nversion = {version}\n");
    let library = format!("lib/python{}", interpreter.minor);
    vec![
        TreeFile::directory("opt", 0o755, 0, 0),
        TreeFile::directory(prefix, 0o755, 0, 0),
        directory("bin"),
        TreeFile::symlink(&path("bin/python"), &interpreter.path),
        TreeFile::symlink(&path("bin/python3"), "python"),
        TreeFile::symlink(&path(&format!("bin/python{}", interpreter.minor)), "python"),
        directory("include"),
        directory("lib"),
        directory(&library),
        directory(&format!("{library}/site-packages")),
        TreeFile::symlink(&path("lib64"), "lib"),
        TreeFile::file(&path("pyvenv.cfg"), settings),
    ]
}
