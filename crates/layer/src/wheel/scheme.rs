use imagewright_pypa::PythonMinor;

use super::WheelProblem;
use crate::{LayerError, TreePath};

/// Where the files of a wheel go, as Python's `sysconfig` says for one environment.
///
/// purelib and platlib are one directory in every environment made here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InstallScheme {
    /// The environment's root, where `.data/data` goes.
    pub prefix: TreePath,
    /// Where modules go.
    pub site_packages: TreePath,
    /// Where scripts go.
    pub scripts: TreePath,
    /// Below this, a folder for each distribution has its C headers.
    pub headers: TreePath,
    /// What runs scripts, as an absolute path.
    pub interpreter: String,
    /// The minor version of the interpreter.
    pub python: PythonMinor,
}

impl InstallScheme {
    /// A virtual environment at `prefix`, such as `/opt/venv`.
    pub fn virtual_environment(prefix: &str, python: PythonMinor) -> Result<Self, LayerError> {
        let prefix = TreePath::new(prefix)?;
        let version = format!("python{python}");
        Ok(Self {
            site_packages: prefix.join(&format!("lib/{version}/site-packages"))?,
            scripts: prefix.join("bin")?,
            headers: prefix.join(&format!("include/site/{version}"))?,
            interpreter: format!("/{prefix}/bin/python"),
            prefix,
            python,
        })
    }

    /// Refuses paths that the environment itself has: its interpreter and its configuration.
    ///
    /// `lib64` is a link to `lib` there, so a path through it is changed to the path that it means.
    pub(super) fn admit(&self, member: &str, path: TreePath) -> Result<TreePath, WheelProblem> {
        let lib64 = self.prefix.join("lib64").expect("a clean path with a clean name");
        let path = match path.below(&lib64) {
            Some(rest) => self.prefix.join(&format!("lib/{rest}")).expect("both parts are clean"),
            None => path,
        };
        let reserved = match (path.below(&self.prefix), path.below(&self.scripts)) {
            (_, Some(name)) => is_interpreter(name),
            (Some(name), None) => matches!(name, "pyvenv.cfg" | "lib64"),
            (None, None) => false,
        };
        if reserved {
            return Err(WheelProblem::Reserved { member: member.to_owned(), path: path.to_string() });
        }
        Ok(path)
    }
}

/// `python`, `python3`, `python3.11`.
fn is_interpreter(name: &str) -> bool {
    name.strip_prefix("python")
        .is_some_and(|version| version.bytes().all(|b| b.is_ascii_digit() || b == b'.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_is_not_replaced() {
        let scheme = InstallScheme::virtual_environment("/opt/venv", PythonMinor(11)).unwrap();
        let admit = |path: &str| scheme.admit("m", TreePath::new(path).unwrap()).map(|path| path.to_string());
        for path in ["bin/python", "bin/python3", "bin/python3.11", "pyvenv.cfg", "lib64"] {
            assert!(admit(&format!("opt/venv/{path}")).is_err(), "{path}");
        }
        for path in
            ["bin/python-config", "bin/pip", "share/pyvenv.cfg", "lib/python3.11/site-packages/python"]
        {
            let path = format!("opt/venv/{path}");
            assert_eq!(admit(&path).unwrap(), path);
        }
        assert_eq!(admit("opt/venv/lib64/x").unwrap(), "opt/venv/lib/x");
    }
}
