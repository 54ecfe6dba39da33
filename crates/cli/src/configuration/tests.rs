use std::fmt::Write as _;

use super::*;

struct World {
    folder: tempfile::TempDir,
    environment: Environment,
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let directory = folder.path().join("project/below");
        fs_err::create_dir_all(&directory).unwrap();
        let home = folder.path().join("home").display().to_string();
        let environment = Environment { variables: BTreeMap::from([("HOME".to_owned(), home)]), directory };
        Self { folder, environment }
    }

    fn project(self, text: &str) -> Self {
        fs_err::write(self.folder.path().join("project").join(FILE_NAME), text).unwrap();
        self
    }

    fn user(self, text: &str) -> Self {
        let folder = self.folder.path().join("home/.config/imagewright");
        fs_err::create_dir_all(&folder).unwrap();
        fs_err::write(folder.join(FILE_NAME), text).unwrap();
        self
    }

    fn variable(mut self, name: &str, value: &str) -> Self {
        self.environment.variables.insert(name.to_owned(), value.to_owned());
        self
    }

    fn load(&self) -> Result<Configuration, Failure> {
        Configuration::load(&self.environment)
    }

    /// The message and the hint, without the folder's name.
    fn error(&self) -> String {
        let failure = self.load().unwrap_err();
        let mut text = failure.to_string();
        let mut source = std::error::Error::source(&failure);
        while let Some(error) = source {
            write!(text, "; {error}").unwrap();
            source = error.source();
        }
        if let Some(hint) = failure.hint() {
            write!(text, " ({hint})").unwrap();
        }
        text.replace(&self.folder.path().display().to_string(), "")
    }
}

#[test]
fn variables_come_before_the_project_and_the_project_before_the_user() {
    let world = World::new()
        .user("python = \"3.9\"\nthreads = 1\nstore = \"s\"\nuv = \"/bin/uv\"")
        .project("python = \"3.11\"\nthreads = 2\n[registries.mirrors]\n\"docker.io\" = [\"m.test/hub\"]")
        .variable("IMAGEWRIGHT_PYTHON", "3.12")
        .variable("IMAGEWRIGHT_PLAIN_HTTP", "a.test:5000, b.test");
    let configuration = world.load().unwrap();
    assert_eq!(configuration.python.value.to_string(), "3.12");
    assert_eq!(configuration.python.source.to_string(), "IMAGEWRIGHT_PYTHON");
    assert_eq!(configuration.threads.value.get(), 2);
    assert!(configuration.threads.source.to_string().ends_with("/project/imagewright.toml"));
    let user_folder = world.folder.path().join("home/.config/imagewright");
    assert_eq!(configuration.store.value, user_folder.join("s"), "paths are relative to their file");
    assert_eq!(configuration.uv.unwrap().value, Path::new("/bin/uv"));
    let plain: Vec<String> = configuration.plain_http.unwrap().value.into_iter().collect();
    assert_eq!(plain, ["a.test:5000", "b.test"]);
    assert_eq!(configuration.mirrors.unwrap().value["docker.io"][0].registry(), "m.test");
    assert_eq!(configuration.files.len(), 2);
    let configuration = world.project("attach-lock = false").load().unwrap();
    assert!(!configuration.attach_lock.value);
}

#[test]
fn without_anything_the_defaults_hold() {
    let configuration = World::new().load().unwrap();
    assert_eq!(configuration.python, Setting { value: FALLBACK_PYTHON, source: Source::Default });
    assert!(configuration.store.value.ends_with("home/.cache/imagewright"));
    assert!(configuration.files.is_empty() && configuration.uv.is_none());
}

#[test]
fn what_is_wrong_is_named_with_its_place() {
    let mut told = Vec::new();
    for text in [
        "pyhton = \"3.12\"",
        "[registries]\nmirror = {}",
        "zzz = 1",
        "uv = \"evil\"",
        "threads = \"4\"",
        "threads = 0",
        "python = 3.12",
        "[registries]\nhttps = \"localhost:5443\"",
        "registries.mirrors = { \"docker.io\" = \"mirror.test\" }",
        "attach-lock = \"no\"",
        "python = ",
    ] {
        told.push(World::new().project(text).error());
    }
    told.push(World::new().project("python = \"4\"").error());
    told.push(World::new().project("debian-mirror = \"ftp://x\"").error());
    let security = "debian-mirror = \"http://x.test\"\ndebian-security-mirror = \"y\"";
    told.push(World::new().project(security).error());
    for (name, value) in [
        ("THREADS", "0"),
        ("THREADS", "four"),
        ("PYTHON", "three"),
        ("DEBIAN_MIRROR", "x"),
        ("ATTACH_LOCK", "maybe"),
    ] {
        told.push(World::new().variable(&format!("IMAGEWRIGHT_{name}"), value).error());
    }
    insta::assert_snapshot!(told.join("\n"));
}

#[test]
fn a_variable_that_is_no_setting_is_found() {
    let world = World::new()
        .variable("IMAGEWRIGHT_STOER", "/x")
        .variable("IMAGEWRIGHT_PLAIN_HTP", "x")
        .variable("IMAGEWRIGHT_COLOUR", "red")
        .variable("IMAGEWRIGHT_EMPTY", "")
        .variable("IMAGEWRIGHT_TEST_NETWORK", "1")
        .variable("IMAGEWRIGHT_STORE", "/y")
        .variable("IMAGEWRIGHT_PROGRAM", "/z");
    let found = unknown_variables(&world.environment);
    let found: Vec<(&str, Option<&str>)> = found.iter().map(|it| (it.name.as_str(), it.nearest)).collect();
    let expected = [
        ("IMAGEWRIGHT_COLOUR", None),
        ("IMAGEWRIGHT_PLAIN_HTP", Some("IMAGEWRIGHT_PLAIN_HTTP")),
        ("IMAGEWRIGHT_STOER", Some("IMAGEWRIGHT_STORE")),
    ];
    assert_eq!(found, expected);
}

#[test]
fn every_setting_is_documented() {
    let mut table = "| key | variable | what | example |\n|---|---|---|---|\n".to_owned();
    for Key { name, variable, what, example, in_project, .. } in keys::KEYS {
        let variable = variable.map_or_else(|| "-".to_owned(), |name| format!("`{name}`"));
        let user_only = if in_project { "" } else { " Not in a project's file." };
        writeln!(table, "| `{name}` | {variable} | {what}{user_only} | `{example}` |").unwrap();
    }
    table.push_str("\n| variable | what |\n|---|---|\n");
    for keys::Variable { name, what } in keys::OF_THE_PACKAGE.into_iter().chain(keys::VARIABLES) {
        writeln!(table, "| `{name}` | {what} |").unwrap();
    }
    crate::documentation::check("docs/configuration.md", &table);
}

/// What only the tests of imagewright set.
const FOR_TESTS: &str = "IMAGEWRIGHT_TEST_ABORT_AT";

#[test]
fn no_variable_is_read_that_is_not_documented() {
    let documented: BTreeSet<&str> = keys::KEYS
        .iter()
        .filter_map(|key| key.variable)
        .chain(keys::VARIABLES.iter().map(|variable| variable.name))
        .chain(["HOME", "PATH", FOR_TESTS, UV_MIRROR])
        .collect();
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
    let mut found = BTreeSet::new();
    while let Some(folder) = folders.pop() {
        for entry in fs_err::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let text = fs_err::read_to_string(&path).unwrap();
            let asked = ["get(\"", "path(\"", "flag(\""].into_iter().flat_map(|call| {
                let rest = text.split(call).skip(1);
                rest.filter_map(|rest| rest.split_once("\")").map(|(name, _)| name.to_owned()))
            });
            let is_variable = |name: &String| name.bytes().all(|b| b.is_ascii_uppercase() || b == b'_');
            found.extend(asked.filter(|name| !name.is_empty()).filter(is_variable));
        }
    }
    assert!(found.contains("FLYTE_PUSH_IMAGE_SPEC"), "{found:?}");
    let missing: Vec<&String> = found.iter().filter(|name| !documented.contains(name.as_str())).collect();
    assert_eq!(missing, Vec::<&String>::new());
}
