use std::collections::BTreeSet;

use imagewright_layer::record_paths;
use imagewright_pypa::{PackageName, PythonMinor, StatedVersion, metadata_header};
use imagewright_spec::led_to;
use serde::{Deserialize, Serialize};

use super::{NodeKind, Tree, binary};

/// A Python interpreter of an image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Interpreter {
    /// The path under which it is found, with its leading slash: `/usr/bin/python3.11`.
    pub path: String,
    /// Other names of it beside it: `/usr/bin/python3`.
    pub aliases: Vec<String>,
    /// `3.11`.
    pub minor: PythonMinor,
    /// `3.11.2`, when the program says so.
    pub full: Option<StatedVersion>,
}

/// A virtual or conda environment of an image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Environment {
    /// With its leading slash: `/opt/venv`.
    pub prefix: String,
    /// `3.11`, from its `lib/python3.11`.
    pub minor: PythonMinor,
    /// `3.11.2`, when its `pyvenv.cfg` says so.
    pub full: Option<StatedVersion>,
    /// Whether it sees the packages of the interpreter that it was made from.
    pub system_site_packages: bool,
}

/// An installed distribution.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Installed {
    /// Its normalised name.
    pub name: PackageName,
    /// As its metadata writes it.
    pub version: String,
    /// The directory it is in, without a leading slash: `usr/lib/python3/dist-packages`.
    pub site: String,
    /// The name of its metadata directory in `site`.
    pub metadata: String,
    /// What is its own, without a leading slash: whole packages, and single files outside of them; what hides
    /// these hides the distribution. Empty when it has no RECORD.
    pub roots: Vec<String>,
}

/// All interpreters: those on `PATH` first, then those in the usual places, then the rest.
pub(super) fn interpreters(tree: &Tree, path_variable: &str) -> Vec<Interpreter> {
    const USUAL: [&str; 2] = ["usr/local/bin", "usr/bin"];
    let on_path = path_variable.split(':').map(|directory| directory.trim_start_matches('/'));
    let anywhere = tree.iter().map(|(path, _)| path).filter(|path| path.ends_with("/bin"));
    let mut seen = BTreeSet::new();
    let mut found = Vec::new();
    for directory in on_path.filter(|directory| !directory.is_empty()).chain(USUAL).chain(anywhere) {
        let mut named: Vec<(PythonMinor, &str)> =
            tree.children(directory).into_iter().filter_map(|path| Some((minor_of(path)?, path))).collect();
        named.sort_by_key(|(minor, _)| std::cmp::Reverse(*minor));
        for (minor, path) in named {
            let Some(real) = tree.resolve(path) else { continue };
            // An environment's interpreter is a link to another's; it is listed as an environment.
            if tree.content(&real).is_none() || is_in_environment(tree, path) || !seen.insert(real.clone()) {
                continue;
            }
            let (path, aliases) = (format!("/{path}"), aliases(tree, path, &real));
            found.push(Interpreter { full: full_version(tree, &real, minor), path, aliases, minor });
        }
    }
    found
}

/// `python` and `python3` beside `path`, where they lead to the same program.
fn aliases(tree: &Tree, path: &str, real: &str) -> Vec<String> {
    let directory = path.rsplit_once('/').map_or("", |(directory, _)| directory);
    ["python", "python3"]
        .into_iter()
        .map(|name| format!("{directory}/{name}"))
        .filter(|alias| tree.resolve(alias).as_deref() == Some(real))
        .map(|alias| format!("/{alias}"))
        .collect()
}

/// The minor release when `path` ends in `python3.<minor>`.
fn minor_of(path: &str) -> Option<PythonMinor> {
    path.rsplit('/').next()?.strip_prefix("python")?.parse().ok()
}

fn is_in_environment(tree: &Tree, path: &str) -> bool {
    path.rsplit_once("/bin/").is_some_and(|(prefix, _)| tree.node(&format!("{prefix}/pyvenv.cfg")).is_some())
}

fn full_version(tree: &Tree, program: &str, minor: PythonMinor) -> Option<StatedVersion> {
    let minor = minor.to_string();
    let own = binary::python_version(tree.content(program)?, &minor);
    let of_library = || {
        let library = format!("libpython{minor}.so");
        tree.iter()
            .filter(|(path, _)| path.rsplit('/').next().is_some_and(|name| name.starts_with(&library)))
            .find_map(|(path, _)| binary::python_version(tree.content(path)?, &minor))
    };
    own.or_else(of_library)?.parse().ok()
}

/// Directories with a `pyvenv.cfg` or a `conda-meta`.
pub(super) fn environments(tree: &Tree) -> Vec<Environment> {
    tree.iter()
        .filter_map(|(path, node)| {
            let (prefix, settings) = match path.strip_suffix("/pyvenv.cfg") {
                Some(prefix) => (prefix, tree.text(path).unwrap_or_default()),
                None if node.kind == NodeKind::Directory => {
                    (path.strip_suffix("/conda-meta")?, String::new())
                }
                None => return None,
            };
            let minor = tree.children(&format!("{prefix}/lib")).into_iter().find_map(minor_of)?;
            let system = setting(&settings, "include-system-site-packages");
            Some(Environment {
                prefix: format!("/{prefix}"),
                minor,
                full: ["version_info", "version"]
                    .into_iter()
                    .find_map(|name| setting(&settings, name)?.parse().ok()),
                system_site_packages: system.is_some_and(|value| value.eq_ignore_ascii_case("true")),
            })
        })
        .collect()
}

/// A value of `pyvenv.cfg`.
fn setting<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines()
        .filter_map(|line| line.split_once('='))
        .find_map(|(key, value)| (key.trim() == name).then(|| value.trim()))
}

/// Every `.dist-info` and `.egg-info` in a `site-packages` or `dist-packages`.
pub(super) fn installed(tree: &Tree) -> Vec<Installed> {
    tree.iter()
        .filter_map(|(path, _)| {
            let directory = path
                .strip_suffix("/METADATA")
                .filter(|directory| directory.ends_with(".dist-info"))
                .or_else(|| {
                    path.strip_suffix("/PKG-INFO").filter(|directory| directory.ends_with(".egg-info"))
                })?;
            let (site, metadata) = directory.rsplit_once('/')?;
            let is_site = site.ends_with("/site-packages") || site.ends_with("/dist-packages");
            let text = tree.text(path)?;
            let name = metadata_header(&text, "Name")?.parse().ok()?;
            let version = metadata_header(&text, "Version")?.to_owned();
            let record = tree.text(&format!("{directory}/RECORD")).unwrap_or_default();
            let files: Vec<String> =
                record_paths(&record).iter().filter_map(|path| in_root(site, path)).collect();
            let roots = roots(site, &files);
            let (site, metadata) = (site.to_owned(), metadata.to_owned());
            is_site.then_some(Installed { name, version, site, metadata, roots })
        })
        .collect()
}

/// The fewest paths that are a distribution's own, of all the `files` that it installs around `site`.
///
/// A directory is its own when it has an `__init__.py` or is made for one distribution by its name; one without
/// may be a namespace package, which several distributions share (PEP 420), so its files are listed singly.
pub fn roots(site: &str, files: &[String]) -> Vec<String> {
    let inside = |path: &str| path.strip_prefix(site).is_some_and(|rest| rest.starts_with('/'));
    let packages: BTreeSet<&str> = files
        .iter()
        .filter(|path| inside(path))
        .filter_map(|path| path.strip_suffix("/__init__.py"))
        .filter(|directory| inside(directory))
        .collect();
    let own_directory = |path: &str| {
        path.match_indices('/').map(|(at, _)| at).find(|at| {
            let directory = &path[..*at];
            let is_named = [".dist-info", ".egg-info", ".libs"].iter().any(|end| directory.ends_with(end));
            inside(directory) && (packages.contains(directory) || is_named)
        })
    };
    let all: BTreeSet<&str> =
        files.iter().map(|path| own_directory(path).map_or(path.as_str(), |at| &path[..at])).collect();
    all.into_iter().map(str::to_owned).collect()
}

/// A path of a RECORD, from the root.
fn in_root(site: &str, path: &str) -> Option<String> {
    path.strip_prefix('/').map(str::to_owned).or_else(|| led_to(site, path))
}

#[cfg(test)]
mod tests {
    use super::super::tree::tests::tree;
    use super::*;

    #[test]
    fn finds_interpreters_in_the_order_of_path() {
        let tree = tree(&[
            ("usr/bin/python3.11", "\x003.11.2\0"),
            ("usr/bin/python3", "-> python3.11"),
            ("usr/local/bin/python3.12", "\x003.12.1\0"),
            ("opt/venv/bin/python3.11", "-> /usr/bin/python3.11"),
            ("opt/venv/pyvenv.cfg", "include-system-site-packages = TRUE\nversion = 3.11.2\n"),
            ("opt/venv/lib/python3.11", "/"),
        ]);
        let paths =
            |variable| interpreters(&tree, variable).into_iter().map(|found| found.path).collect::<Vec<_>>();
        assert_eq!(
            paths("/opt/venv/bin:/usr/bin:/bin"),
            ["/usr/bin/python3.11", "/usr/local/bin/python3.12"]
        );
        assert_eq!(paths(""), ["/usr/local/bin/python3.12", "/usr/bin/python3.11"]);
        assert_eq!(interpreters(&tree, "/usr/bin")[0].full, Some("3.11.2".parse().unwrap()));
        assert_eq!(interpreters(&tree, "/usr/bin")[0].aliases, ["/usr/bin/python3"]);
        let expected = Environment {
            prefix: "/opt/venv".to_owned(),
            minor: PythonMinor(11),
            full: Some("3.11.2".parse().unwrap()),
            system_site_packages: true,
        };
        assert_eq!(environments(&tree), [expected]);
    }

    #[test]
    fn roots_leave_namespaces_to_others() {
        let files =
            ["s/a/__init__.py", "s/a/b/__init__.py", "s/a/b/c.so", "s/n/x/__init__.py", "s/n/y.py", "bin/a"];
        let files = [&files[..], &["s/a-1.dist-info/RECORD", "s/a.libs/z.so", "s/a.py"]].concat();
        let files: Vec<String> = files.into_iter().map(str::to_owned).collect();
        assert_eq!(
            roots("s", &files),
            ["bin/a", "s/a", "s/a-1.dist-info", "s/a.libs", "s/a.py", "s/n/x", "s/n/y.py"]
        );
    }

    #[test]
    fn lists_distributions_with_their_files() {
        let site = "usr/lib/python3/dist-packages";
        let tree = tree(&[
            (
                &format!("{site}/Six-1.dist-info/METADATA"),
                "Metadata-Version: 2.1\nName: Six\nVersion: 1.16.0\n\nbody",
            ),
            (
                &format!("{site}/Six-1.dist-info/RECORD"),
                "six.py,sha256=x,1\n../../../bin/six,,\n\"a,b\"\"c.py\",,\n",
            ),
            (&format!("{site}/old-2.egg-info/PKG-INFO"), "Name: old\nVersion: 2\n"),
            ("usr/share/doc/METADATA", "Name: no\nVersion: 1\n"),
        ]);
        let found = installed(&tree);
        assert_eq!(found.len(), 2);
        assert_eq!((found[0].name.as_str(), found[0].version.as_str()), ("six", "1.16.0"));
        assert_eq!(
            found[0].roots,
            ["usr/bin/six".to_owned(), format!("{site}/a,b\"c.py"), format!("{site}/six.py")]
        );
        assert_eq!((found[1].name.as_str(), found[1].roots.len()), ("old", 0));
    }
}
