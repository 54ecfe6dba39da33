//! Distributions that every environment has.

use imagewright_pypa::PythonMinor;

use crate::python::Requirement;

/// pip, and setuptools where Python has no `distutils` of its own.
pub fn is_implied(name: &str, minor: PythonMinor) -> bool {
    name == "pip" || (name == "setuptools" && minor < PythonMinor(12))
}

/// The implied distributions that are not asked for anyway.
pub(crate) fn implied(requirements: &[Requirement], minor: PythonMinor) -> Vec<Requirement> {
    let is_asked =
        |name: &str| requirements.iter().filter_map(Requirement::name).any(|asked| asked.as_str() == name);
    ["pip", "setuptools"]
        .into_iter()
        .filter(|name| is_implied(name, minor) && !is_asked(name))
        .map(|name| Requirement::of_field(name, "every environment"))
        .collect()
}
