use imagewright_pypa::PythonMinor;

use crate::{DebianName, PackageGroup, Suite};

/// Packages that a solution must hold, and with what.
#[derive(Clone, Debug)]
pub struct Roots {
    /// The layer that they, and what they bring, belong to.
    pub group: PackageGroup,
    /// The packages.
    pub names: Vec<DebianName>,
    /// Whether the packages that are marked essential are wanted too.
    pub essential: bool,
    /// Whether what they depend on is wanted too.
    pub dependencies: bool,
}

/// What a base needs beyond the essential packages: `apt` so that packages can be added later, `passwd` so that
/// users can, `mawk` and `debconf` because the essential packages want one of several, and what software written in
/// Python expects of a system: certificates, time zones, and the tables of services, protocols and media types.
const USERLAND: [&str; 8] =
    ["apt", "ca-certificates", "debconf", "mawk", "media-types", "netbase", "passwd", "tzdata"];

/// The roots of a base: the userland, then the suite's Python if it is wanted.
///
/// `python` is either the suite's own minor version or none.
pub fn base_roots(suite: Suite, python: Option<PythonMinor>) -> Vec<Roots> {
    // `init-system-helpers` of bookworm takes `usrmerge` first, a converter of old systems that needs all of Perl.
    let merged = (suite == Suite::Bookworm).then_some("usr-is-merged");
    let userland = names(USERLAND.into_iter().chain(merged).map(str::to_owned));
    let mut roots =
        vec![Roots { group: PackageGroup::Userland, names: userland, essential: true, dependencies: true }];
    if let Some(minor) = python {
        let names = names(python_names(minor));
        roots.push(Roots { group: PackageGroup::Python, names, essential: false, dependencies: true });
    }
    roots
}

/// The roots of the interpreter that compiles bytecode: it starts with its minimal packages, and the library of
/// the language is there without the many C libraries that modules of it bind. uv asks for `distutils`.
pub(crate) fn compiler_roots(minor: PythonMinor) -> Vec<Roots> {
    let roots = |name: String, dependencies| Roots {
        group: PackageGroup::Compiler,
        names: names([name]),
        essential: false,
        dependencies,
    };
    let mut all =
        vec![roots(format!("python{minor}-minimal"), true), roots(format!("libpython{minor}-stdlib"), false)];
    all.extend(distutils(minor).map(|name| roots(name, false)));
    all
}

/// The roots of what builds from source above a base: compilers of C and C++ with the headers of the C library.
pub(crate) fn tools_roots(suite: Suite, python: Option<PythonMinor>) -> Vec<Roots> {
    let mut roots = base_roots(suite, python);
    let headers = python.map(|minor| format!("libpython{minor}-dev"));
    let tools = ["gcc", "g++", "libc6-dev", "make"].map(str::to_owned).into_iter().chain(headers);
    let group = PackageGroup::Tools;
    roots.push(Roots { group, names: names(tools), essential: false, dependencies: true });
    roots
}

/// The roots of git above a base, for projects that read their version from their history.
pub(crate) fn git_roots(suite: Suite) -> Vec<Roots> {
    let mut roots = base_roots(suite, None);
    let git = names(["git".to_owned()]);
    roots.push(Roots { group: PackageGroup::Tools, names: git, essential: false, dependencies: true });
    roots
}

fn python_names(minor: PythonMinor) -> Vec<String> {
    ["python3".to_owned(), format!("python{minor}")].into_iter().chain(distutils(minor)).collect()
}

/// `distutils` is a package of its own as long as it is part of the language.
fn distutils(minor: PythonMinor) -> Option<String> {
    (minor < PythonMinor(12)).then(|| "python3-distutils".to_owned())
}

fn names(texts: impl IntoIterator<Item = String>) -> Vec<DebianName> {
    texts.into_iter().map(|text| text.parse().expect("the names of this table are well formed")).collect()
}
