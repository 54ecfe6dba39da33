//! Locks of projects: `requirements` may be one, and is installed as locked then.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use imagewright_pypa::PackageName;
use serde::Deserialize;
use toml::{Table, Value};

use crate::requirements::distribution;

/// Whose lock a file is. Its name says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProjectLock {
    /// `uv.lock`.
    Uv,
    /// `poetry.lock`.
    Poetry,
    /// `pylock.toml` or `pylock.NAME.toml` (PEP 751), of any tool.
    Pylock,
}

/// What a project is described by; uv and Poetry need it beside the lock.
const PYPROJECT: &str = "pyproject.toml";

impl ProjectLock {
    /// The lock that a file of requirements is, if it is one.
    pub fn of(path: &Path) -> Option<Self> {
        let name = path.file_name()?.to_str()?;
        let is_named = |name: &str| {
            let middle = name.strip_prefix("pylock.").and_then(|rest| rest.strip_suffix(".toml"));
            middle.is_some_and(|middle| !middle.is_empty() && !middle.contains('.'))
        };
        match name {
            "uv.lock" => Some(Self::Uv),
            "poetry.lock" => Some(Self::Poetry),
            "pylock.toml" => Some(Self::Pylock),
            _ => is_named(name).then_some(Self::Pylock),
        }
    }

    /// The description of the project of the lock at `path`; none where a lock says all.
    pub fn pyproject(self, path: &Path) -> Option<PathBuf> {
        self.has_project().then(|| path.with_file_name(PYPROJECT))
    }

    /// Whether it is beside the project that it is of.
    pub(crate) fn has_project(self) -> bool {
        self != Self::Pylock
    }

    /// The command that makes it anew.
    pub fn command(self) -> &'static str {
        match self {
            Self::Uv => "uv lock",
            Self::Poetry => "poetry lock",
            Self::Pylock => "uv export --format pylock.toml",
        }
    }
}

/// As much of a lock as says which files of this machine it is about, and which packages it has; the lists of the three
/// have different names.
///
/// What is wrong with a lock is the resolver's to say.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Locked {
    #[serde(default, alias = "packages")]
    package: Vec<Package>,
}

#[derive(Debug, Deserialize)]
struct Package {
    name: Option<String>,
    marker: Option<Value>,
    dependencies: Option<Value>,
    source: Option<Table>,
    directory: Option<Table>,
    archive: Option<Table>,
    sdist: Option<Table>,
    #[serde(default)]
    wheels: Vec<Table>,
}

impl Locked {
    pub(crate) fn read(text: &str) -> Self {
        toml::from_str(text).unwrap_or_default()
    }

    /// The files and folders that packages are in, as the lock writes them: relative to its own folder, and without
    /// that folder itself.
    pub(crate) fn local_sources(&self) -> Vec<PathBuf> {
        let tables = self.package.iter().flat_map(|package| {
            let Package { source, directory, archive, sdist, wheels, .. } = package;
            [source, directory, archive, sdist].into_iter().flatten().chain(wheels)
        });
        let mut found: Vec<PathBuf> = tables.filter_map(local).collect();
        found.retain(|path| path != Path::new(".") && !path.as_os_str().is_empty());
        found.sort();
        found.dedup();
        found
    }

    /// The packages that are installed of the lock of the project that `pyproject` describes.
    ///
    /// Those that only a group or an extra asks for are not among them: of these nobody knows here whether they are
    /// installed, and to ask for one again does no harm.
    pub(crate) fn installed(&self, pyproject: Option<&str>) -> BTreeSet<PackageName> {
        let Some(pyproject) = pyproject else { return self.without_choice() };
        let mut edges: BTreeMap<PackageName, BTreeSet<PackageName>> = BTreeMap::new();
        for package in &self.package {
            let Some(name) = package.name() else { continue };
            let further = package.dependencies.iter().flat_map(dependencies);
            edges.entry(name).or_default().extend(further);
        }
        let (mut open, mut found) = (asked_by(pyproject), BTreeSet::new());
        while let Some(name) = open.pop() {
            if let Some(further) = edges.get(&name)
                && found.insert(name)
            {
                open.extend(further.iter().cloned());
            }
        }
        found
    }

    /// The packages of a lock without a project, which says of each what chooses it.
    fn without_choice(&self) -> BTreeSet<PackageName> {
        let is_chosen = |marker: &Value| {
            marker.as_str().is_none_or(|text| text.contains("dependency_groups") || text.contains("extra"))
        };
        let always = self.package.iter().filter(|package| !package.marker.as_ref().is_some_and(is_chosen));
        always.filter_map(Package::name).collect()
    }
}

impl Package {
    fn name(&self) -> Option<PackageName> {
        self.name.as_ref()?.parse().ok()
    }
}

/// What a project needs without any group or extra.
fn asked_by(pyproject: &str) -> Vec<PackageName> {
    let pyproject: Table = toml::from_str(pyproject).unwrap_or_default();
    let standard = pyproject.get("project").and_then(|project| project.get("dependencies")?.as_array());
    let standard = standard.into_iter().flatten().filter_map(|text| distribution(text.as_str()?));
    let poetrys = pyproject.get("tool").and_then(|tool| tool.get("poetry")?.get("dependencies"));
    standard.chain(poetrys.into_iter().flat_map(dependencies)).collect()
}

/// The names of dependencies: uv lists tables that have one, Poetry has tables by them.
fn dependencies(value: &Value) -> Vec<PackageName> {
    match value {
        Value::Array(items) => {
            items.iter().filter_map(|item| item.get("name")?.as_str()?.parse().ok()).collect()
        }
        Value::Table(table) => {
            let is_optional = |value: &Value| value.get("optional").and_then(Value::as_bool).unwrap_or(false);
            let needed = table.iter().filter(|(_, value)| !is_optional(value));
            needed.filter_map(|(name, _)| name.parse().ok()).collect()
        }
        _ => Vec::new(),
    }
}

fn local(table: &Table) -> Option<PathBuf> {
    let text = |key: &str| table.get(key)?.as_str();
    let is_poetrys = matches!(text("type"), Some("directory" | "file"));
    let named = ["path", "directory", "editable"].into_iter().find_map(text);
    named.or_else(|| text("url").filter(|_| is_poetrys)).map(PathBuf::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_is_known_by_its_name() {
        for (path, lock) in [
            ("a/uv.lock", Some(ProjectLock::Uv)),
            ("poetry.lock", Some(ProjectLock::Poetry)),
            ("pylock.toml", Some(ProjectLock::Pylock)),
            ("x/pylock.dev.toml", Some(ProjectLock::Pylock)),
            ("pylock..toml", None),
            ("pylock.a.b.toml", None),
            ("pyproject.toml", None),
            ("requirements.txt", None),
        ] {
            assert_eq!(ProjectLock::of(Path::new(path)), lock, "{path}");
        }
    }

    #[test]
    fn what_is_on_this_machine_is_found_in_each_kind_of_lock() {
        let paths = |text: &str| -> Vec<String> {
            Locked::read(text).local_sources().iter().map(|path| path.display().to_string()).collect()
        };
        let uvs = "[[package]]\nname='a'\nsource={editable='.'}\n[[package]]\nname='b'\nsource={directory='libs/b'}\n\
             [[package]]\nname='c'\nsource={registry='https://host/simple'}\nwheels=[{url='https://host/c.whl'}]\n\
             [[package]]\nname='d'\nsource={path='d-1.tar.gz'}";
        assert_eq!(paths(uvs), ["d-1.tar.gz", "libs/b"]);
        let poetrys = "[[package]]\nname='a'\n[package.source]\ntype='directory'\nurl='../a'\n\
             [[package]]\nname='b'\n[package.source]\ntype='legacy'\nurl='https://host/simple'";
        assert_eq!(paths(poetrys), ["../a"]);
        let standard =
            "[[packages]]\nname='a'\ndirectory={path='a'}\n[[packages]]\nname='b'\nwheels=[{path='w/b.whl'}]";
        assert_eq!(paths(standard), ["a", "w/b.whl"]);
        assert!(paths("not = [").is_empty());
    }
}
