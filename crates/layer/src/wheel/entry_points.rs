use std::collections::BTreeMap;

use imagewright_pypa::PythonMinor;

use super::WheelProblem;

/// A script to be made from an entry point.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Script {
    /// The file's name.
    pub(super) name: String,
    /// What is imported.
    pub(super) module: String,
    /// What is called: an attribute, or attributes joined by dots.
    pub(super) callable: String,
}

/// The scripts that `entry_points.txt` asks for, by name.
///
/// Wrappers of pip carry the version of the Python that its wheel was built with; as pip does, they are made anew for
/// `python`.
pub(super) fn scripts(text: &str, python: PythonMinor) -> Result<BTreeMap<String, Script>, WheelProblem> {
    let mut scripts = BTreeMap::new();
    for (name, value) in pairs(text) {
        let script = parse(name, value)?;
        for name in versioned(name, python) {
            scripts.insert(name.clone(), Script { name, ..script.clone() });
        }
    }
    if scripts.contains_key("pip") {
        let own = versioned("pip", python);
        scripts.retain(|name, _| own.contains(name) || !is_versioned_pip(name));
    }
    Ok(scripts)
}

fn versioned(name: &str, python: PythonMinor) -> Vec<String> {
    match name {
        "pip" => vec!["pip".to_owned(), "pip3".to_owned(), format!("pip{python}")],
        _ => vec![name.to_owned()],
    }
}

fn is_versioned_pip(name: &str) -> bool {
    let version = name.strip_prefix("pip").unwrap_or("-");
    !version.is_empty() && version.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
}

/// Names and values of the two sections that make scripts, as `importlib.metadata` reads the file.
fn pairs(text: &str) -> Vec<(&str, &str)> {
    let mut section = "";
    let mut found = Vec::new();
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
        if let Some(name) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            section = name;
        } else if matches!(section, "console_scripts" | "gui_scripts") {
            let (name, value) = line.split_once('=').unwrap_or((line, ""));
            found.push((name.trim(), value.trim()));
        }
    }
    found
}

fn parse(name: &str, value: &str) -> Result<Script, WheelProblem> {
    let refuse = |problem| WheelProblem::EntryPoint { entry_point: format!("{name} = {value}"), problem };
    if name.is_empty() || name.contains(['/', '\0']) || matches!(name, "." | "..") {
        return Err(refuse("has a name that is no file name"));
    }
    let object = value.split('[').next().unwrap_or_default().trim_end();
    let (module, callable) = object.split_once(':').ok_or_else(|| refuse("names no callable"))?;
    let (module, callable) = (module.trim(), callable.trim());
    if !is_dotted_name(module) || !is_dotted_name(callable) {
        return Err(refuse("is not of the form `module:callable`"));
    }
    Ok(Script { name: name.to_owned(), module: module.to_owned(), callable: callable.to_owned() })
}

fn is_dotted_name(text: &str) -> bool {
    text.split('.').all(|part| {
        part.chars().next().is_some_and(|c| c.is_alphabetic() || c == '_')
            && part.chars().all(|c| c.is_alphanumeric() || c == '_')
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str) -> Vec<String> {
        scripts(text, PythonMinor(11)).unwrap().into_keys().collect()
    }

    #[test]
    fn only_the_two_sections_make_scripts() {
        let text = "[other]\nx = a\n# comment\n[console_scripts]\n a = m.n:f.g [extra]\nA=m:f\n[gui_scripts]\nb=m:f\n";
        assert_eq!(names(text), ["A", "a", "b"]);
        let script = &scripts(text, PythonMinor(11)).unwrap()["a"];
        assert_eq!((script.module.as_str(), script.callable.as_str()), ("m.n", "f.g"));
    }

    #[test]
    fn pip_has_this_pythons_version() {
        let text = "[console_scripts]\npip = pip:main\npip3.9 = pip:main\npip3 = pip:main\npipx = x:y";
        assert_eq!(names(text), ["pip", "pip3", "pip3.11", "pipx"]);
    }

    #[test]
    fn refuses_what_cannot_run() {
        for line in ["a", "a = m", "a = m:", "../a = m:f", "a/b = m:f", "a = m:f(); import os", "= m:f"] {
            assert!(scripts(&format!("[console_scripts]\n{line}"), PythonMinor(11)).is_err(), "{line}");
        }
    }
}
