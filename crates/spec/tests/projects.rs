//! Scripts and projects that say what they need.

use std::path::Path;

use imagewright_spec::{ParseOptions, SpecDocument, SpecError, SpecFormat, load, script};

fn told(error: &SpecError) -> String {
    let hint = error.hint().map(|hint| format!("\n  hint: {hint}")).unwrap_or_default();
    format!("{error}{hint}")
}

fn yaml(document: &SpecDocument) -> Result<String, SpecError> {
    Ok(document.written(SpecFormat::Yaml, &ParseOptions::default())?.text)
}

/// The YAML that a file says, or what is wrong with it, without the folder's name.
fn read(name: &str, text: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    fs_err::write(&path, text).unwrap();
    let loaded = load(&path, &ParseOptions::default());
    let said = match SpecDocument::load(&path).and_then(|document| yaml(&document)) {
        Ok(yaml) => {
            loaded.unwrap();
            yaml
        }
        // What only the spec shows to be wrong, the document does not name the file of.
        Err(_) => told(&loaded.unwrap_err()),
    };
    said.replace(&format!("{}/", folder.path().display()), "")
}

const SCRIPT: &str = r#"#!/usr/bin/env python
"""A script."""
# /// script
# requires-python = ">=3.9,<3.13"
# dependencies = [
#   "pandas>=2",  # as data frames
#   "rich",
# ]
#
# [tool.imagewright]
# registry = "ghcr.io/me"
# env = {B = "2", A = "1"}
# [tool.other]
# x = 1
# ///
import pandas
# /// other
"#;

#[test]
fn a_script_is_a_spec() {
    assert!(script::has_metadata(SCRIPT));
    assert!(!script::has_metadata("import pandas\n# /// other\n# ///\n"));
    insta::assert_snapshot!(read("Train_Model.py", SCRIPT), @r#"
    name: train_model
    python_version: "3.12"
    env:
      B: "2"
      A: "1"
    registry: ghcr.io/me
    packages:
      - pandas>=2
      - rich
    "#);
}

#[test]
fn python_is_the_usual_one_where_it_will_do() {
    for (required, tool, expected) in [
        (">=3.11", "", "3.13"),
        (">=3.14", "", "3.14"),
        ("<3.12", "", "3.11"),
        ("==3.11.4", "", "3.11.4"),
        (">=3.9", "3.10", "3.10"),
    ] {
        let tool = if tool.is_empty() {
            String::new()
        } else {
            format!("# [tool.imagewright]\n# python_version = \"{tool}\"\n")
        };
        let text = format!("# /// script\n# requires-python = \"{required}\"\n{tool}# ///\n");
        let said = read("a.py", &text);
        assert!(
            said.replace('"', "").contains(&format!("python_version: {expected}\n")),
            "{required}: {said}"
        );
    }
}

#[test]
fn what_is_wrong_with_a_script_is_said() {
    let block = |inside: &str| format!("x = 1\n# /// script\n{inside}# ///\n");
    let cases = [
        "import pandas\n".to_owned(),
        "# /// script\n# dependencies = []\n".to_owned(),
        block("") + &block(""),
        block("# dependencies = [\n# \"a\"\n"),
        block("# dependency = []\n"),
        block("# dependencies = 'a'\n"),
        block("# requires-python = '3.11'\n"),
        block("# requires-python = '>=4'\n"),
        block("# requires-python = '>=3.11'\n# [tool.imagewright]\n# python_version = '3.10'\n"),
        block("# dependencies = ['a']\n# [tool.imagewright]\n# packages = ['b']\n"),
        block("# [tool.imagewright]\n# registy = 'ghcr.io/me'\n"),
    ];
    let said: Vec<String> = cases.iter().map(|text| read("a.py", text)).collect();
    insta::assert_snapshot!("scripts", said.join("\n"));
}

const PROJECT: &str = r#"
[project]
name = "My.Project"
requires-python = ">=3.10"
dependencies = ["numpy"]

[project.optional-dependencies]
plot = ["matplotlib"]
all = ["my-project[plot, gpu]"]
gpu = ["torch"]

[dependency-groups]
test = ["pytest", {include-group = "lint"}]
lint = ["ruff"]
round = [{include-group = "round"}]

[tool.imagewright]
registry = "ghcr.io/me"
apt_packages = ["git"]
"#;

#[test]
fn a_project_is_a_spec_with_its_extras_and_groups() {
    let read = |extras: &[&str], groups: &[&str]| {
        let texts = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
        let document = SpecDocument::of_project(PROJECT, &texts(extras), &texts(groups));
        document.and_then(|document| yaml(&document)).unwrap_or_else(|error| told(&error))
    };
    insta::assert_snapshot!(read(&["ALL"], &["test"]), @r#"
    name: my.project
    python_version: "3.13"
    registry: ghcr.io/me
    packages:
      - numpy
      - matplotlib
      - torch
      - pytest
      - ruff
    apt_packages:
      - git
    "#);
    insta::assert_snapshot!(read(&["none"], &[]), @"there is no extra `none`");
    insta::assert_snapshot!(read(&[], &["round"]), @"the group `round` includes itself");
    assert_eq!(self::read("pyproject.toml", PROJECT), read(&[], &[]));
    let nothing = SpecDocument::of_project("[build-system]\n", &[], &[]).unwrap_err();
    insta::assert_snapshot!(told(&nothing), @r"
    there is neither [project] nor [dependency-groups] nor [tool.imagewright]
      hint: name a pyproject.toml with a [project], or a YAML or JSON file
    ");
    let dynamic = "[project]\nname = 'a'\ndynamic = ['version', 'dependencies']\n";
    assert!(SpecDocument::of_project(dynamic, &[], &[]).unwrap_err().hint().is_some());
    assert!(script::load(Path::new("/nowhere.py"), &ParseOptions::default()).is_err());
}
