//! Locks of Poetry, old and new.

use imagewright_lock::python::{ProjectError, ProjectPin, PythonError};

use crate::python::machine::{Ask, Machine};

/// With the hash that Poetry has of it.
const PROJECT: (&str, &str) = (
    "\
[tool.poetry]
name = \"app\"
version = \"1\"
[tool.poetry.dependencies]
python = \"^3.9\"
first = \"^1\"
old = {version = \"*\", python = \"<3.10\"}
more = {version = \"*\", optional = true}
lib = {path = \"lib\"}
[tool.poetry.extras]
extra = [\"more\"]
[tool.poetry.group.dev.dependencies]
tool = \"*\"
[tool.poetry.group.docs]
optional = true
[tool.poetry.group.docs.dependencies]
paper = \"*\"
",
    "e7dc84a2042335f611f5ccde42d99aa4d57595b6c70f1a5345887d929c930446",
);

/// Another one, as the standards have it, with what JSON has to escape.
const STANDARD: (&str, &str, &str) = (
    "\
[project]
name = \"app\"
version = \"1\"
requires-python = \">=3.9\"
dependencies = [\"first>=1\", \"old; python_version < '3.10'\"]
[dependency-groups]
dev = [\"tool\", \"gr\\u00fc\\U0001D11E\\t\"]
[tool.poetry]
package-mode = false
requires-poetry = \">=2.0\"
",
    "8ad1721bd0d7760c1f2ed18371e3e2fd94b6847bbc70bf70a7ebe6ba4ff384b8",
    "29814bdda5e2dfd906b34cfc2aa2381c9353207b887526ccac23be70c719e83e",
);

/// A lock of this version and hash. From 2.1 on it says for what packages are, before it says what they depend on.
fn lock(version: &str, hash: &str) -> String {
    let is_new = version == "2.1";
    let package = |name: &str, group: &str, marker: &str, rest: &str| {
        let marker = if marker.is_empty() { String::new() } else { format!("markers = {marker}\n") };
        let stated = if is_new { format!("groups = [{group}]\n{marker}") } else { String::new() };
        let digit = name.len() % 10;
        format!(
            "[[package]]\nname = \"{name}\"\nversion = \"1.0\"\noptional = false\npython-versions = \"*\"\n{stated}\
             files = [{{file = \"{name}-1.0.tar.gz\", hash = \"sha256:{}\"}}]\n{rest}",
            digit.to_string().repeat(64)
        )
    };
    let of_index =
        "[package.source]\ntype = \"legacy\"\nurl = \"https://index.example/simple\"\nreference = \"own\"\n";
    let first = "[package.dependencies]\nDeep_er = {version = \">=1\", extras = [\"more\"]}\n\
                 win = {version = \"*\", markers = \"sys_platform == 'win32'\"}\n";
    let deeper = "[package.dependencies]\nsilent = {version = \"*\", optional = true}\n\
                  wanted = {version = \"*\", optional = true}\n[package.extras]\nmore = [\"wanted (>=1)\"]\n";
    [
        package("deep-er", "\"main\"", "", deeper),
        package("first", "\"main\"", "", &format!("{first}{of_index}")),
        package("lib", "\"main\"", "", "[package.source]\ntype = \"directory\"\nurl = \"lib\"\n").replace(
            "files = [{file = \"lib-1.0.tar.gz\", hash = \"sha256:3333333333333333333333333333333333333333333333333333333333333333\"}]",
            "files = []",
        ),
        package("more", "\"main\"", "\"extra == \\\"extra\\\"\"", ""),
        package("old", "\"main\"", "\"python_version < \\\"3.10\\\"\"", ""),
        package("paper", "\"docs\"", "", ""),
        package("tool", "\"dev\"", "", ""),
        package("wanted", "\"main\", \"docs\"", "{main = \"python_version >= \\\"3.10\\\"\"}", ""),
        package("win", "\"main\"", "\"sys_platform == \\\"win32\\\"\"", ""),
        "[extras]\nextra = [\"more\"]\n".to_owned(),
        format!("[metadata]\nlock-version = \"{version}\"\npython-versions = \"^3.9\"\ncontent-hash = \"{hash}\"\n"),
    ]
    .join("\n")
}

fn machine(lock: &str, pyproject: &str) -> Option<Machine> {
    let machine = Machine::new()?;
    machine.write("project/app/poetry.lock", lock);
    machine.write("project/app/pyproject.toml", pyproject);
    Some(machine)
}

fn ask(arguments: &str) -> Ask {
    Ask { offline: true, ..Ask::machine(&[]).file("app/poetry.lock").arguments(arguments) }
}

/// The names of what is installed.
async fn names(machine: &Machine, ask: &Ask) -> String {
    let found = machine.pins(ask).await.unwrap();
    let names = found.pins.iter().map(|pin| match pin {
        ProjectPin::Line(requirement, _) => requirement.name().unwrap().to_string(),
        other => panic!("{other:?}"),
    });
    let mut names: Vec<String> = names.collect();
    names.sort();
    names.join(" ")
}

#[tokio::test]
async fn old_and_new_locks_say_the_same() {
    for version in ["1.1", "2.0", "2.1"] {
        let Some(machine) = machine(&lock(version, PROJECT.1), PROJECT.0) else { return };
        for (arguments, expected) in [
            ("", "deep-er first lib tool wanted"),
            ("--without dev -E extra", "deep-er first lib more wanted"),
            ("--with docs --all-extras --no-directory", "deep-er first more paper tool wanted"),
            ("--only dev,docs", if version == "2.1" { "paper tool wanted" } else { "paper tool" }),
        ] {
            assert_eq!(names(&machine, &ask(arguments)).await, expected, "{arguments} of {version}");
        }
        let mut with_project = ask("--only main");
        with_project.step.install_project = true;
        assert_eq!(names(&machine, &with_project).await, "app deep-er first lib wanted");
    }
}

#[tokio::test]
async fn packages_keep_their_index_and_their_hashes() {
    let Some(mut machine) = machine(&lock("2.1", PROJECT.1), PROJECT.0) else { return };
    machine.variables.insert("POETRY_HTTP_BASIC_OWN_USERNAME".to_owned(), "user".to_owned());
    machine.variables.insert("POETRY_HTTP_BASIC_OWN_PASSWORD".to_owned(), "secret".to_owned());
    let found = machine.pins(&ask("--only main")).await.unwrap();
    let told: Vec<String> = found.pins.iter().map(|pin| format!("{pin:?}")).collect();
    let five = "5".repeat(64);
    let first = told.iter().find(|text| text.contains("first==1.0")).unwrap();
    assert!(first.contains(&format!("`first==1.0 --hash=sha256:{five}` in `app/poetry.lock`")), "{first}");
    assert!(first.contains("https://user:****@index.example/simple"), "{first}");
    let folder = machine.path("project/app/lib").display().to_string();
    assert!(told.iter().any(|text| text.contains(&format!("`lib @ {folder}`"))), "{told:?}");

    // A file that has another hash takes nothing from those that are known.
    let other =
        |file: &str| format!("{{file = \"first-1.0-{file}.whl\", hash = \"md5:{}\"}}", "0".repeat(32));
    let known = format!("{{file = \"first-1.0.tar.gz\", hash = \"sha256:{five}\"}}");
    let mixed = format!("{}, {known}, {}", other("a"), other("b"));
    machine.write("project/app/poetry.lock", lock("2.1", PROJECT.1).replacen(&known, &mixed, 1));
    let found = machine.pins(&ask("--only main")).await.unwrap();
    let told: Vec<String> = found.pins.iter().map(|pin| format!("{pin:?}")).collect();
    assert!(
        told.iter().any(|text| text.contains(&format!("`first==1.0 --hash=sha256:{five}` in"))),
        "{told:?}"
    );
}

#[tokio::test]
async fn a_lock_that_does_not_fit_is_refused() {
    for (pyproject, hash) in [(STANDARD.0, STANDARD.1), (STANDARD.0, STANDARD.2)] {
        let Some(machine) = machine(&lock("2.1", hash), pyproject) else { return };
        machine.pins(&ask("")).await.unwrap();
    }
    let Some(machine) = machine(&lock("2.1", PROJECT.1), &PROJECT.0.replace("^1", "^2")) else { return };
    let error = machine.pins(&ask("")).await.unwrap_err();
    assert!(matches!(error, PythonError::Project(ProjectError::Stale { .. })), "{error}");
    let hint = error.hint().unwrap();
    assert!(hint.starts_with("run `poetry lock` in the folder of the project; with `--frozen`"), "{hint}");
    // Another Poetry may hash otherwise.
    machine.pins(&ask("--frozen")).await.unwrap();

    machine.write("project/app/pyproject.toml", PROJECT.0);
    let error = machine.pins(&ask("--with doc")).await.unwrap_err();
    assert_eq!(error.to_string(), "app/poetry.lock has no group `doc`");
    assert_eq!(error.hint().unwrap(), "there are: dev, docs");
    let error = machine.pins(&ask("--extras extras")).await.unwrap_err();
    assert_eq!(error.to_string(), "app/poetry.lock has no extra `extras`");
    machine.write("project/app/poetry.lock", lock("2.1", PROJECT.1).replace("^3.9", "^3.12"));
    let error = machine.pins(&ask("")).await.unwrap_err();
    assert!(
        error.to_string().starts_with("app/poetry.lock is for Python ^3.12, and the image has"),
        "{error}"
    );
}

/// What is pinned of a lock of before 2.1 that has `first` from three places, one of which `top` needs.
async fn pinned(first: &str) -> Option<Result<Vec<String>, PythonError>> {
    let package = |name: &str, version: &str, rest: &str| {
        format!("[[package]]\nname = \"{name}\"\nversion = \"{version}\"\nfiles = []\n{rest}\n")
    };
    let source = |kind: &str, url: &str, rest: &str| {
        format!("[package.source]\ntype = \"{kind}\"\nurl = \"{url}\"\n{rest}")
    };
    let git =
        source("git", "git@host.example:org/first.git", "reference = \"main\"\nresolved_reference = \"abc\"");
    let lock = [
        package("first", "1.0", ""),
        package("first", "2.0", &git),
        package("first", "2.1", &source("url", "https://files.example/first-2.1.tar.gz", "")),
        package("top", "1.0", &format!("[package.dependencies]\nabsent = \"*\"\nfirst = {first}\n")),
        "[metadata]\nlock-version = \"2.0\"\npython-versions = \"^3.9\"\n\
         content-hash = \"8ffcee623a2f8ffc2c0844e8c83c3478b3cb51f99f9850bedf981aa9db36badf\"\n"
            .to_owned(),
    ];
    let project = "[tool.poetry.dependencies]\npython = \"^3.9\"\ntop = \"*\"\n";
    let machine = machine(&lock.join(""), project)?;
    let found = machine.pins(&ask("")).await;
    let text = |pin: &ProjectPin| match pin {
        ProjectPin::Line(requirement, _) => format!("{requirement:?}").split('`').nth(1).unwrap().to_owned(),
        other => panic!("{other:?}"),
    };
    Some(found.map(|found| found.pins.iter().map(text).collect()))
}

#[tokio::test]
async fn of_several_packages_of_a_name_the_one_that_is_needed_is_meant() {
    let git = "first @ git+ssh://git@host.example/org/first.git@abc";
    let url = "first @ https://files.example/first-2.1.tar.gz";
    for (first, expected) in [
        ("\"^1\"", "first==1.0"),
        ("\">=2\"", git),
        ("\">2.0\"", url),
        ("{git = \"git@host.example:org/first\", branch = \"main\"}", git),
        ("{git = \"https://host.example/org/first\"}", git),
        ("{url = \"https://files.example/first-2.1.tar.gz\"}", url),
        (
            "[{version = \"^1\", markers = \"sys_platform == 'win32'\"}, {version = \"2.1\", python = \">=3.9\"}]",
            url,
        ),
    ] {
        let Some(found) = pinned(first).await else { return };
        assert_eq!(found.unwrap(), [expected, "top==1.0"], "{first}");
    }
    for first in ["\"^3\"", "{path = \"../first\"}", "{version = \"1.0\", source = \"own\"}"] {
        let error = pinned(first).await.unwrap().unwrap_err();
        let expected = "app/poetry.lock has first more than once, and never as what needs it asks for";
        assert_eq!(error.to_string(), expected, "{first}");
    }
    let error = pinned("\"^latest\"").await.unwrap().unwrap_err();
    assert!(matches!(error, PythonError::Project(ProjectError::Malformed { .. })), "{error}");
}
