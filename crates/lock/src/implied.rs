//! Distributions that every environment has.

use imagewright_pypa::{PackageName, PythonMinor};

use crate::python::Requirement;

/// pip, and setuptools where Python has no `distutils` of its own.
pub fn is_implied(name: &str, minor: PythonMinor) -> bool {
    name == "pip" || (name == "setuptools" && minor < PythonMinor(12))
}

/// What `ensurepip` of a Python's first release brings: Python's minor, pip and setuptools.
const BUNDLED: [(u32, &str, &str); 7] = [
    (8, "19.2.3", "41.2.0"),
    (9, "20.2.3", "49.2.1"),
    (10, "21.2.3", "57.4.0"),
    (11, "22.3", "65.5.0"),
    (12, "23.2.1", "65.5.0"),
    (13, "24.2", "65.5.0"),
    (14, "25.2", "65.5.0"),
];

/// The implied distributions that are not asked for anyway.
///
/// Each has a lower bound, because `--resolution lowest` would choose a version of before that Python. It is the
/// one that came with Python, so that a date of `--exclude-newer` excludes it only where it excludes that Python.
/// What `is_given` has its version from a constraint or from the base, and gets no bound of ours.
pub(crate) fn implied(
    requirements: &[Requirement],
    minor: PythonMinor,
    is_given: impl Fn(&PackageName) -> bool,
) -> Vec<Requirement> {
    let is_asked =
        |name: &PackageName| requirements.iter().filter_map(Requirement::name).any(|asked| asked == *name);
    let (_, pip, setuptools) = BUNDLED.iter().rfind(|(of, ..)| *of <= minor.0).unwrap_or(&BUNDLED[0]);
    [("pip", pip), ("setuptools", setuptools)]
        .into_iter()
        .filter(|(name, _)| is_implied(name, minor))
        .filter_map(|(name, bundled)| {
            let name: PackageName = name.parse().ok()?;
            let text = if is_given(&name) { name.to_string() } else { format!("{name}>={bundled}") };
            (!is_asked(&name)).then(|| Requirement::implied(&text))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(asked: &str, minor: u32, given: &str) -> Vec<String> {
        let asked = [Requirement::of_field(asked, "packages")];
        let implied = implied(&asked, PythonMinor(minor), |name| name.as_str() == given);
        implied.iter().map(Requirement::to_string).collect()
    }

    #[test]
    fn has_the_bound_of_the_python() {
        assert_eq!(texts("six", 8, ""), ["pip>=19.2.3", "setuptools>=41.2.0"]);
        assert_eq!(texts("six", 11, ""), ["pip>=22.3", "setuptools>=65.5.0"]);
        assert_eq!(texts("six", 99, ""), ["pip>=25.2"]);
    }

    #[test]
    fn is_not_bounded_by_more_than_the_user() {
        assert_eq!(texts("pip<10", 9, ""), ["setuptools>=49.2.1"]);
        assert_eq!(texts("six", 9, "pip"), ["pip", "setuptools>=49.2.1"]);
    }
}
