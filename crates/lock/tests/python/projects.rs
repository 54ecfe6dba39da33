//! Locks of projects, as uv reads them.

use imagewright_lock::python::{
    ProjectError, ProjectPin, ProjectPins, PythonError, SourceLocation, WheelSource,
};

use crate::python::machine::{Ask, Machine};

const PYPROJECT: &str = "\
[project]
name = 'app'
version = '1'
requires-python = '>=3.9'
dependencies = ['pure', \"old; python_version < '3.10'\", 'both', 'lib', 'repo']
optional-dependencies = { more = ['extra'] }
[dependency-groups]
dev = ['tool']
[tool.uv.sources]
lib = { path = 'lib' }
repo = { git = 'https://host.example/repo' }
[[tool.uv.index]]
url = 'https://index.example/simple'
default = true
";

/// A `uv.lock`, as uv would write it. The hash of each file is its place in the text.
fn lock() -> String {
    let file = |name: &str, digit: &str| {
        format!("url = 'https://files.example/{name}', hash = 'sha256:{}', size = {digit}", digit.repeat(64))
    };
    let package = |name: &str, rest: &str| {
        format!(
            "[[package]]\nname = '{name}'\nversion = '1.0'\nsource = {{ registry = 'https://index.example/simple' }}\n{rest}\n"
        )
    };
    let pure = |name: &str, digit: &str| {
        package(name, &format!("wheels = [{{ {} }}]", file(&format!("{name}-1.0-py3-none-any.whl"), digit)))
    };
    let both = format!(
        "sdist = {{ {} }}\nwheels = [{{ {} }}]",
        file("both-1.0.tar.gz", "3"),
        file("both-1.0-cp311-cp311-win_amd64.whl", "4")
    );
    let dependency = |name: &str, marker: &str| format!("{{ name = '{name}'{marker} }}");
    let old = dependency("old", ", marker = \"python_full_version < '3.10'\"");
    let dependencies = [
        &dependency("both", ""),
        &dependency("lib", ""),
        &old,
        &dependency("pure", ""),
        &dependency("repo", ""),
    ];
    let dependencies = dependencies.map(String::as_str).join(", ");
    let metadata = dependencies.replace("{ name = 'lib' }", "{ name = 'lib', directory = 'lib' }");
    let metadata =
        metadata.replace("{ name = 'repo' }", "{ name = 'repo', git = 'https://host.example/repo' }");
    [
        "version = 1\nrevision = 2\nrequires-python = '>=3.9'\n".to_owned(),
        format!(
            "[[package]]\nname = 'app'\nversion = '1'\nsource = {{ virtual = '.' }}\ndependencies = [{dependencies}]\n\
             [package.optional-dependencies]\nmore = [{{ name = 'extra' }}]\n\
             [package.dev-dependencies]\ndev = [{{ name = 'tool' }}]\n\
             [package.metadata]\nrequires-dist = [{metadata}, {{ name = 'extra', marker = \"extra == 'more'\" }}]\n\
             provides-extras = ['more']\n[package.metadata.requires-dev]\ndev = [{{ name = 'tool' }}]\n"
        ),
        package("both", &both),
        pure("extra", "5"),
        "[[package]]\nname = 'lib'\nversion = '2'\nsource = { directory = 'lib' }\n".to_owned(),
        pure("old", "2"),
        pure("pure", "1"),
        format!(
            "[[package]]\nname = 'repo'\nversion = '3'\nsource = {{ git = 'https://host.example/repo#{}' }}\n",
            "a".repeat(40)
        ),
        pure("tool", "6"),
    ]
    .join("\n")
}

fn machine(lock: &str) -> Option<Machine> {
    let machine = Machine::new()?;
    machine.write("project/app/uv.lock", lock);
    machine.write("project/app/pyproject.toml", PYPROJECT);
    machine.write("project/app/lib/pyproject.toml", "[project]\nname = 'lib'\nversion = '2'\n");
    Some(machine)
}

fn ask(arguments: &str) -> Ask {
    Ask { offline: true, ..Ask::machine(&[]).file("app/uv.lock").arguments(arguments) }
}

/// The pins, one text for each.
fn told(found: &ProjectPins) -> Vec<String> {
    let told = found.pins.iter().map(|pin| match pin {
        ProjectPin::Wheel(package) => {
            let WheelSource::Url(url) = &package.source else { panic!("{package:?}") };
            let digest = package.sha256.unwrap().to_string();
            format!("{url} {}... {}", &digest[..8], package.size.unwrap())
        }
        ProjectPin::Kept(name, version) => format!("{name} {version} is kept"),
        ProjectPin::Source(requirement) => format!("{requirement:?}"),
        ProjectPin::Line(requirement, index) => panic!("{requirement:?} {index:?}"),
    });
    told.collect()
}

#[tokio::test]
async fn what_a_lock_has_for_the_target_is_pinned_at_its_files() {
    let Some(machine) = machine(&lock()) else { return };
    let found = machine.pins(&ask("--frozen")).await.unwrap();
    let lib = machine.path("project/app/lib").display().to_string();
    let expected = [
        format!(
            "`both @ https://files.example/both-1.0.tar.gz --hash=sha256:{}` in `app/uv.lock`",
            "3".repeat(64)
        ),
        format!("`lib @ {lib}` in `app/uv.lock`"),
        "https://files.example/pure-1.0-py3-none-any.whl sha256:1... 1".to_owned(),
        format!("`repo @ git+https://host.example/repo@{}` in `app/uv.lock`", "a".repeat(40)),
    ];
    assert_eq!(told(&found), expected);
    assert!(found.warnings.is_empty(), "{:?}", found.warnings);

    let more = machine.pins(&ask("--frozen --extra more --dev").installed("pure", "1.0")).await.unwrap();
    let more = told(&more).join("\n");
    assert!(more.contains("extra-1.0-py3") && more.contains("tool-1.0-py3"), "{more}");
    assert!(more.contains("pure 1.0 is kept"), "{more}");
    let only = told(&machine.pins(&ask("--frozen --only-group dev")).await.unwrap());
    assert_eq!(only, ["https://files.example/tool-1.0-py3-none-any.whl sha256:6... 6"]);
}

#[tokio::test]
async fn what_cannot_be_installed_as_locked_is_refused() {
    let Some(found) = machine(&lock()) else { return };
    let error = found.pins(&ask("--frozen --only-binary both")).await.unwrap_err();
    assert!(matches!(&error, PythonError::NoWheel { name, .. } if name.as_str() == "both"), "{error}");
    let error = found.pins(&ask("--frozen --extra nothing")).await.unwrap_err();
    assert!(error.to_string().contains("`nothing`"), "{error}");

    let young = machine(&lock().replacen(">=3.9", ">=3.12", 1)).unwrap();
    let error = young.pins(&ask("--frozen")).await.unwrap_err();
    assert!(matches!(error, PythonError::Project(ProjectError::Python { .. })), "{error}");
    let text = error.to_string();
    assert!(text.contains("app/uv.lock is for Python >=3.12, and the image has Python 3.11"), "{text}");

    let broken = machine("version = 1\n[[package]").unwrap();
    let error = broken.pins(&ask("--frozen")).await.unwrap_err();
    assert!(matches!(error, PythonError::Project(ProjectError::Refused { .. })), "{error}");
}

#[tokio::test]
async fn a_lock_is_held_against_its_project() {
    // What a repository says now, nobody knows without the network.
    let without = |text: &str| {
        text.replace(", 'repo']", "]").replace("repo = { git = 'https://host.example/repo' }\n", "")
    };
    let lock = lock();
    let (lock, _) = lock.split_once("[[package]]\nname = 'repo'").unwrap();
    let lock = lock
        .replace(", { name = 'repo' }", "")
        .replace(", { name = 'repo', git = 'https://host.example/repo' }", "");
    let tool = lock.split("[[package]]").find(|text| text.contains("name = 'extra'\n")).unwrap();
    let tool = tool.replace("extra", "tool");
    let Some(machine) = machine(&format!("{lock}[[package]]{tool}")) else { return };
    machine.write("project/app/pyproject.toml", without(PYPROJECT));
    let fitting = machine.pins(&ask("")).await.unwrap();
    assert_eq!(fitting.pins.len(), 3, "{fitting:?}");
    assert!(fitting.warnings.is_empty(), "{:?}", fitting.warnings);
    machine.write("project/app/pyproject.toml", without(PYPROJECT).replace("'pure', ", "'pure>=2', "));
    let error = machine.pins(&ask("")).await.unwrap_err();
    assert!(error.to_string().starts_with("app/uv.lock does not fit its project any more"), "{error}");
    assert_eq!(error.hint().unwrap(), "run `uv lock` in the folder of the project");
    let unheld = machine.pins(&ask("--frozen")).await.unwrap();
    assert_eq!(unheld.pins.len(), 3, "{unheld:?}");
}

#[tokio::test]
async fn a_pylock_is_installed_with_the_groups_and_extras_that_are_asked_for() {
    let package = |name: &str, digit: &str, marker: &str| {
        let hash = digit.repeat(64);
        format!(
            "[[packages]]\nname = '{name}'\nversion = '1.0'\n{marker}\n[[packages.wheels]]\n\
             url = 'https://files.example/{name}-1.0-py3-none-any.whl'\nsize = {digit}\nhashes = {{ sha256 = '{hash}' }}\n"
        )
    };
    let lock = [
        "lock-version = '1.0'\ncreated-by = 'somebody'\nrequires-python = '>=3.9'\nextras = ['more']\n\
         dependency-groups = ['dev', 'docs']\ndefault-groups = ['dev']\n"
            .to_owned(),
        package("pure", "1", ""),
        package("tool", "2", "marker = \"'dev' in dependency_groups\""),
        package("paper", "3", "marker = \"'docs' in dependency_groups\""),
        package("extra", "4", "marker = \"'more' in extras\""),
        package("win", "5", "marker = \"sys_platform == 'win32'\""),
    ];
    let Some(machine) = Machine::new() else { return };
    machine.write("project/pylock.toml", lock.join("\n"));
    for (arguments, expected) in [
        ("", "pure tool"),
        ("--no-default-groups --extra more", "pure extra"),
        ("--group docs --all-extras", "pure tool paper extra"),
    ] {
        let ask = Ask { offline: true, ..Ask::machine(&[]).file("pylock.toml").arguments(arguments) };
        let found = machine.pins(&ask).await.unwrap();
        let names: Vec<String> = told(&found)
            .iter()
            .map(|url| url.rsplit('/').next().unwrap().split("-1.0").next().unwrap().to_owned())
            .collect();
        assert_eq!(names.join(" "), expected, "{arguments}");
    }
    for (arguments, said, there) in [
        ("--extra mor", "extra `mor`", "more"),
        ("--extra -", "extra `-`", "more"),
        ("--group doc", "group `doc`", "dev, docs"),
        ("--no-group deb", "group `deb`", "dev, docs"),
    ] {
        let ask = Ask { offline: true, ..Ask::machine(&[]).file("pylock.toml").arguments(arguments) };
        let error = machine.pins(&ask).await.unwrap_err();
        assert_eq!(error.to_string(), format!("pylock.toml has no {said}"));
        assert_eq!(error.hint().unwrap(), format!("there are: {there}"));
    }
}

#[tokio::test]
async fn a_folder_may_have_any_name() {
    let Some(machine) = Machine::new() else { return };
    let lock = "lock-version = '1.0'\ncreated-by = 'somebody'\n[[packages]]\nname = 'lib'\n\
                directory = { path = 'lib', subdirectory = 'a' }\n";
    machine.write("project/c#;x/pylock.toml", lock);
    let ask = Ask { offline: true, ..Ask::machine(&[]).file("c#;x/pylock.toml") };
    let found = machine.pins(&ask).await.unwrap();
    let [ProjectPin::Source(requirement)] = &found.pins[..] else { panic!("{found:?}") };
    let source = requirement.source(&machine.host()).unwrap().unwrap();
    let SourceLocation::File { path } = source.location else { panic!("{source:?}") };
    assert_eq!(path, machine.path("project/c#;x/lib"));
    assert_eq!((source.subdirectory.as_deref(), source.marker), (Some("a"), None));
}

#[tokio::test]
async fn a_repository_of_a_pylock_may_be_written_as_git_does() {
    let Some(machine) = Machine::new() else { return };
    let lock = "lock-version = '1.0'\ncreated-by = 'somebody'\n[[packages]]\nname = 'repo'\n\
                vcs = { type = 'git', url = 'git@host.example:org/repo.git', commit-id = 'abc' }\n";
    machine.write("project/pylock.toml", lock);
    let found = machine.pins(&Ask { offline: true, ..Ask::machine(&[]).file("pylock.toml") }).await.unwrap();
    let expected = "`repo @ git+ssh://git@host.example/org/repo.git@abc` in `pylock.toml`";
    assert_eq!(told(&found), [expected]);
}
