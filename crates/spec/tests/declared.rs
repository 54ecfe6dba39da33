//! What an image depends on: every change of an input changes `declared`, and nothing else does.

use std::path::Path;
use std::time::Instant;

use imagewright_spec::requirements::Environment;
use imagewright_spec::{
    Declared, DeclaredContext, DeclaredPython, ParseOptions, SpecError, declared, parse_yaml,
};

const SPEC: &str =
    "requirements: requirements.txt\npackages: [./x-1-py3-none-any.whl, numpy]\ncopy: [data]\nenv: {A: 1}";

fn write(folder: &Path, name: &str, text: &str) {
    let path = folder.join(name);
    fs_err::create_dir_all(path.parent().unwrap()).unwrap();
    fs_err::write(path, text).unwrap();
}

fn project() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "requirements.txt", "-r reqs/base.txt\nscipy==${VERSION}\n");
    write(folder.path(), "reqs/base.txt", "-c limits.txt\nname @ file:./y.whl\n");
    write(folder.path(), "reqs/limits.txt", "requests<3\n");
    write(folder.path(), "x-1-py3-none-any.whl", "x");
    write(folder.path(), "y.whl", "y");
    write(folder.path(), "data/a/b.csv", "1,2");
    folder
}

fn of(spec: &str, folder: &Path, python: &str, version: &str) -> Declared {
    attempt(spec, folder, python, version).unwrap()
}

fn attempt(spec: &str, folder: &Path, python: &str, version: &str) -> Result<Declared, SpecError> {
    asked_with(spec, folder, python, version, &[])
}

fn asked_with(
    spec: &str,
    folder: &Path,
    python: &str,
    version: &str,
    with: &[String],
) -> Result<Declared, SpecError> {
    let environment =
        Environment::from([("VERSION".to_owned(), version.to_owned()), ("OTHER".to_owned(), "1".to_owned())]);
    let context = DeclaredContext {
        directory: folder,
        python: Some(DeclaredPython::Chosen(python)),
        with,
        environment: &environment,
        left_out: &["image.lock".into()],
    };
    Ok(declared(&parse_yaml(spec, &ParseOptions::default()).unwrap(), &context)?.0)
}

#[test]
fn what_is_not_there_is_named_with_its_field() {
    let folder = tempfile::tempdir().unwrap();
    for (spec, expected, advice) in [
        ("requirements: missing.txt", "requirements: there is no `missing.txt`", "relative to"),
        ("packages: [./missing]", "packages: there is no `./missing`", "relative to"),
        ("packages: ['git+https//a/b']", "packages: there is no `git+https//a/b`", "`git+https://HOST/"),
    ] {
        let error = attempt(spec, folder.path(), "3.11", "1").unwrap_err();
        assert_eq!(error.to_string(), expected);
        assert!(error.hint().unwrap().contains(advice), "{error}");
    }
}

#[test]
fn what_has_one_name_in_two_places_is_two_inputs() {
    let (folder, outside) = (project(), tempfile::tempdir().unwrap());
    for name in ["a/lib/setup.py", "b/lib/setup.py", "a/w-1-py3-none-any.whl", "b/w-1-py3-none-any.whl"] {
        write(outside.path(), name, "");
    }
    write(folder.path(), "spec", "six");
    let at = outside.path().display();
    let spec = format!(
        "requirements: spec\npackages: [{at}/a/lib, {at}/b/lib, {at}/a/lib, {at}/a/w-1-py3-none-any.whl, \
         {at}/b/w-1-py3-none-any.whl]"
    );
    let before = of(&spec, folder.path(), "3.11", "1");
    let names: Vec<&str> = before.inputs.keys().map(String::as_str).collect();
    let wheel = "w-1-py3-none-any.whl";
    assert_eq!(names, ["lib (2)/", "lib/", "python", "spec", "spec (2)", wheel, &format!("{wheel} (2)")]);
    for (path, name) in
        [("a/lib/setup.py", "lib/"), ("b/lib/setup.py", "lib (2)/"), ("b/w-1-py3-none-any.whl", names[6])]
    {
        write(outside.path(), path, "changed");
        let after = of(&spec, folder.path(), "3.11", "1");
        assert_eq!(changed(&before, &after), [name], "{path}");
        write(outside.path(), path, "");
    }
}

/// The names of the inputs that differ.
fn changed(before: &Declared, after: &Declared) -> Vec<String> {
    let names = before.inputs.keys().chain(after.inputs.keys());
    let mut differ: Vec<String> =
        names.filter(|name| before.inputs.get(*name) != after.inputs.get(*name)).cloned().collect();
    differ.sort();
    differ.dedup();
    assert_eq!(differ.is_empty(), before.digest == after.digest);
    differ
}

#[test]
fn every_file_that_is_reached_counts_by_its_name() {
    let folder = project();
    let before = of(SPEC, folder.path(), "3.11", "1");
    for name in ["requirements.txt", "reqs/base.txt", "reqs/limits.txt", "x-1-py3-none-any.whl", "y.whl"] {
        let path = folder.path().join(name);
        let text = fs_err::read_to_string(&path).unwrap();
        fs_err::write(&path, format!("{text}# changed\n")).unwrap();
        assert_eq!(changed(&before, &of(SPEC, folder.path(), "3.11", "1")), [name]);
        fs_err::write(&path, text).unwrap();
    }
    write(folder.path(), "data/a/c.csv", "");
    assert_eq!(changed(&before, &of(SPEC, folder.path(), "3.11", "1")), ["copy: data"]);
}

/// Wherever it is named; one may name itself, which is the resolver's to refuse.
#[test]
fn files_of_overrides_count_too() {
    let folder = project();
    write(folder.path(), "overrides.txt", "numpy==1.0\n--overrides overrides.txt\n");
    write(folder.path(), "from-file.txt", "--overrides overrides.txt\n");
    for spec in [
        "pip_extra_args: --overrides overrides.txt",
        "pip_extra_args: --override=overrides.txt --pre",
        "packages: ['--overrides overrides.txt']",
        "requirements: from-file.txt",
    ] {
        let before = of(spec, folder.path(), "3.11", "1");
        write(folder.path(), "overrides.txt", "numpy==2.0\n--overrides overrides.txt\n");
        assert_eq!(changed(&before, &of(spec, folder.path(), "3.11", "1")), ["overrides.txt"], "{spec}");
        write(folder.path(), "overrides.txt", "numpy==1.0\n--overrides overrides.txt\n");
    }
}

/// Each item of `packages` is a line of a requirements file, as flytekit has it.
#[test]
fn packages_are_lines_of_requirements() {
    let folder = project();
    let commented =
        "packages: ['numpy # see a/b', '# c/d', './x-1-py3-none-any.whl  # of the team', '-r reqs/base.txt']";
    let before = of(commented, folder.path(), "3.11", "1");
    let names: Vec<&str> = before.inputs.keys().map(String::as_str).collect();
    let files = ["python", "reqs/base.txt", "reqs/limits.txt", "spec", "x-1-py3-none-any.whl", "y.whl"];
    assert_eq!(names, files);
    let versioned = "packages: ['scipy==${VERSION}']";
    let before = of(versioned, folder.path(), "3.11", "1");
    assert_eq!(changed(&before, &of(versioned, folder.path(), "3.11", "2")), ["${VERSION}"]);
}

#[test]
fn what_is_no_file_counts_too() {
    let folder = project();
    let before = of(SPEC, folder.path(), "3.11", "1");
    assert_eq!(changed(&before, &of(SPEC, folder.path(), "3.12", "1")), ["python"]);
    assert_eq!(changed(&before, &of(SPEC, folder.path(), "3.11", "2")), ["${VERSION}"]);
    assert_eq!(changed(&before, &of(&SPEC.replace("A: 1", "A: 2"), folder.path(), "3.11", "1")), ["spec"]);
}

#[test]
fn what_a_front_end_asks_for_counts_unless_the_spec_asks_for_it() {
    let folder = project();
    let check = |spec: &str, with: &[&str], expected: &[&str]| {
        let with: Vec<String> = with.iter().map(|text| (*text).to_owned()).collect();
        let declared = asked_with(spec, folder.path(), "3.11", "1", &with).unwrap();
        let asked = declared.inputs.keys().filter_map(|name| name.strip_prefix("with: "));
        assert_eq!(asked.collect::<Vec<_>>(), expected, "{spec}");
    };
    check("packages: [Kit<2]", &["kit==1", "six"], &["six"]);
    check("requirements: requirements.txt", &["scipy==9", "requests"], &["requests"]);
    // Which Python a marker is about is not known yet.
    check("packages: ['kit; python_version > \"3\"']", &["kit==1"], &["kit==1"]);
    check("base_image: {packages: [kit]}", &["kit==1"], &[]);
    let addresses = ["git+https://h/a", "git+https://h/b", "kit @ https://u:p@h/k.whl"];
    check("name: a", &addresses, &["an address", "an address (2)", "kit"]);
}

#[test]
fn what_does_not_change_the_image_does_not_count() {
    let folder = project();
    let other = project();
    let before = of(SPEC, folder.path(), "3.11", "1");
    let more =
        "\nbuilder: noop\nruntime_packages: [ruff]\nregistry_config: x.json\npip_secret_mounts: [[a, /b]]";
    assert!(changed(&before, &of(&format!("{SPEC}{more}"), folder.path(), "3.11", "1")).is_empty());
    assert!(changed(&before, &of(SPEC, other.path(), "3.11", "1")).is_empty());
    let fixed = format!("{SPEC}\npython_version: '3.12'");
    assert!(
        changed(&of(&fixed, folder.path(), "3.9", "1"), &of(&fixed, folder.path(), "3.13", "1")).is_empty()
    );
}

#[test]
fn nested_bases_and_locks_count() {
    let folder = project();
    write(folder.path(), "app/uv.lock", "");
    write(folder.path(), "app/pyproject.toml", "");
    let spec = "requirements: app/uv.lock\nbase_image: {requirements: reqs/limits.txt}";
    let before = of(spec, folder.path(), "3.11", "1");
    write(folder.path(), "app/pyproject.toml", "[project]");
    assert_eq!(changed(&before, &of(spec, folder.path(), "3.11", "1")), ["app/pyproject.toml"]);
    write(folder.path(), "reqs/limits.txt", "x");
    let after = of(spec, folder.path(), "3.11", "1");
    assert_eq!(changed(&before, &after), ["app/pyproject.toml", "base_image: reqs/limits.txt"]);
}

/// What is in the lock of a project is in the image, in the lock's version; what only a group or an extra asks for may
/// not be.
#[test]
fn what_a_lock_has_is_not_asked_for_again() {
    let with = ["Flyte_Kit==2", "dev==2", "extra==2", "rest==2"].map(str::to_owned);
    let all: Vec<String> = with.iter().map(|text| format!("with: {text}")).collect();
    let chosen = &all[1..];
    let uvs = "[[package]]\nname = 'app'\ndependencies = [{name = 'plugin'}]\nsource = {virtual = '.'}\n\
        [package.optional-dependencies]\nx = [{name = 'extra'}]\n\
        [package.dev-dependencies]\ndev = [{name = 'dev'}]\n\
        [[package]]\nname = 'plugin'\ndependencies = [{name = 'flyte-kit', marker = 'x'}]\n\
        [[package]]\nname = 'flyte-kit'\n[[package]]\nname = 'dev'\n[[package]]\nname = 'extra'\n";
    let poetrys = "[[package]]\nname = 'plugin'\n[package.dependencies]\nflyte-kit = '^1'\n\
        extra = {version = '1', optional = true}\n\
        [[package]]\nname = 'flyte-kit'\n[[package]]\nname = 'dev'\n[[package]]\nname = 'extra'\n";
    let standard = "[[packages]]\nname = 'flyte.kit'\nmarker = \"sys_platform == 'linux'\"\n\
        [[packages]]\nname = 'dev'\nmarker = \"'dev' in dependency_groups\"\n\
        [[packages]]\nname = 'extra'\nmarker = \"'x' in extras\"\n";
    let project = "[project]\nname = 'app'\ndependencies = ['Plugin[a]>=1; python_version > \"3\"']\n\
        optional-dependencies = {x = ['extra']}\n[dependency-groups]\ndev = ['dev']\n";
    let poetry = "[tool.poetry.dependencies]\npython = '^3'\nplugin = {version = '^1', extras = ['a']}\n\
        extra = {version = '1', optional = true}\n[tool.poetry.group.dev.dependencies]\ndev = '1'\n";
    let folder = tempfile::tempdir().unwrap();
    let rows = [
        ("uv.lock", uvs, project, "", chosen),
        ("uv.lock", uvs, project, "\npip_extra_args: --extra x", chosen),
        ("uv.lock", uvs, project, "\npip_extra_args: --only-group dev", &all[..]),
        ("poetry.lock", poetrys, project, "", chosen),
        ("poetry.lock", poetrys, poetry, "", chosen),
        ("pylock.toml", standard, "", "", chosen),
        ("uv.lock", "not = [", project, "", &all[..]),
    ];
    for (name, lock, pyproject, further, expected) in rows {
        write(folder.path(), name, lock);
        write(folder.path(), "pyproject.toml", pyproject);
        let spec = format!("requirements: {name}{further}");
        let declared = asked_with(&spec, folder.path(), "3.11", "1", &with).unwrap();
        let asked: Vec<&String> = declared.inputs.keys().filter(|name| name.starts_with("with: ")).collect();
        assert_eq!(asked, expected.iter().collect::<Vec<_>>(), "{spec}");
    }
}

#[test]
fn sources_count_without_what_is_ignored() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "src/a.py", "1");
    write(folder.path(), "src/.dockerignore", "*.log");
    let spec = "source_root: src\nsource_copy_mode: ALL";
    let before = of(spec, folder.path(), "3.11", "1");
    write(folder.path(), "src/__pycache__/a.pyc", "");
    assert!(changed(&before, &of(spec, folder.path(), "3.11", "1")).is_empty());
    write(folder.path(), "src/a.py", "2");
    assert_eq!(changed(&before, &of(spec, folder.path(), "3.11", "1")), ["source_root"]);
}

/// It is on the path of a build that has nothing to do, which may take 60 ms as a whole.
#[test]
fn a_small_spec_takes_no_time() {
    let folder = project();
    let fastest = (0..20)
        .map(|_| {
            let start = Instant::now();
            of(SPEC, folder.path(), "3.11", "1");
            start.elapsed()
        })
        .min();
    println!("reading a spec and its inputs: {fastest:?}");
    assert!(fastest.unwrap().as_millis() < 5, "{fastest:?}");
}
