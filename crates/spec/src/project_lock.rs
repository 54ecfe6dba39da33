//! Locks of projects: `requirements` may be one, and is installed as locked then.

use std::path::{Path, PathBuf};

use serde::Deserialize;

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

/// As much of a lock as says which files of this machine it is about; the lists of the three have different names.
#[derive(Debug, Default, Deserialize)]
struct Wire {
    #[serde(default, alias = "packages")]
    package: Vec<Package>,
}

#[derive(Debug, Deserialize)]
struct Package {
    source: Option<toml::Table>,
    directory: Option<toml::Table>,
    archive: Option<toml::Table>,
    sdist: Option<toml::Table>,
    #[serde(default)]
    wheels: Vec<toml::Table>,
}

/// The files and folders that a lock's packages are in, as it writes them: relative to its own folder, and without
/// that folder itself.
///
/// What is wrong with a lock is the resolver's to say.
pub(crate) fn local_sources(text: &str) -> Vec<PathBuf> {
    let wire: Wire = toml::from_str(text).unwrap_or_default();
    let tables = wire.package.into_iter().flat_map(|package| {
        let Package { source, directory, archive, sdist, wheels } = package;
        [source, directory, archive, sdist].into_iter().flatten().chain(wheels)
    });
    let mut found: Vec<PathBuf> = tables.filter_map(|table| local(&table)).collect();
    found.retain(|path| path != Path::new(".") && !path.as_os_str().is_empty());
    found.sort();
    found.dedup();
    found
}

fn local(table: &toml::Table) -> Option<PathBuf> {
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
            local_sources(text).iter().map(|path| path.display().to_string()).collect()
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
