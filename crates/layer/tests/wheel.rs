use std::collections::BTreeMap;

use imagewright_layer::{InstallScheme, InstalledWheel};
use imagewright_pypa::PythonMinor;
use imagewright_testkit::wheel::Item;

use crate::support::{Open as _, demo, scheme};

fn contents(wheel: &InstalledWheel) -> BTreeMap<String, (bool, String)> {
    let content = |file| {
        let mut bytes = Vec::new();
        wheel.copy(file, &mut bytes).unwrap();
        assert_eq!(bytes.len() as u64, file.size);
        String::from_utf8(bytes).unwrap()
    };
    let path = |path: &str| path.strip_prefix("opt/venv/").unwrap().to_owned();
    wheel.files().iter().map(|file| (path(file.path.as_str()), (file.is_executable, content(file)))).collect()
}

#[test]
fn every_folder_of_data_has_its_place() {
    let wheel = demo()
        .file("demo.py", "root")
        .file("demo-1.0.data/purelib/pure.py", "pure")
        .file("demo-1.0.data/platlib/plat.py", "plat")
        .file("demo-1.0.data/headers/demo.h", "header")
        .file("demo-1.0.data/data/etc/demo.conf", "data")
        .file("demo-1.0.data/data/lib64/demo.so", "library")
        .item(Item::new("demo-1.0.data/scripts/tool", "#!/bin/sh\n"))
        .file("demo-1.0.data/scripts/run.py", "#!python -s\nx\n")
        .install()
        .unwrap();
    let site = "lib/python3.11/site-packages";
    let expected = [
        ("bin/run.py".to_owned(), (true, "#!/opt/venv/bin/python -s\nx\n")),
        ("bin/tool".to_owned(), (true, "#!/bin/sh\n")),
        ("etc/demo.conf".to_owned(), (false, "data")),
        ("include/site/python3.11/demo/demo.h".to_owned(), (false, "header")),
        ("lib/demo.so".to_owned(), (false, "library")),
        (format!("{site}/demo.py"), (false, "root")),
        (format!("{site}/plat.py"), (false, "plat")),
        (format!("{site}/pure.py"), (false, "pure")),
    ];
    let mut found = contents(&wheel);
    found.retain(|path, _| !path.contains(".dist-info"));
    let expected = expected.map(|(path, (mode, content))| (path, (mode, content.to_owned())));
    assert_eq!(found, BTreeMap::from(expected));
}

#[test]
fn record_lists_what_is_there() {
    let wheel = demo()
        .file("demo,1.py", "")
        .file("unlisted.py", "u")
        .file("demo-1.0.data/scripts/run", "#!python\n")
        .file("demo-1.0.dist-info/entry_points.txt", "[console_scripts]\ndemo = demo:main\n")
        .record("demo-1.0.dist-info/RECORD,,\ngone.py,sha256=47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU,0\n")
        .install()
        .unwrap();
    let contents = contents(&wheel);
    let site = "lib/python3.11/site-packages";
    let record = &contents[&format!("{site}/demo-1.0.dist-info/RECORD")].1;
    let paths: Vec<&str> = record.lines().map(|line| line.rsplitn(3, ',').last().unwrap()).collect();
    let expected = [
        "\"demo,1.py\"",
        "../../../bin/demo",
        "../../../bin/run",
        "demo-1.0.dist-info/INSTALLER",
        "demo-1.0.dist-info/METADATA",
        "demo-1.0.dist-info/RECORD",
        "demo-1.0.dist-info/WHEEL",
        "demo-1.0.dist-info/entry_points.txt",
        "unlisted.py",
    ];
    let mut sorted = paths.clone();
    sorted.sort_unstable();
    assert_eq!(sorted, expected);
    assert!(
        record.contains("\"demo,1.py\",sha256=47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU,0\n"),
        "{record}"
    );
    assert!(record.contains("demo-1.0.dist-info/RECORD,,\n"));
    assert_eq!(contents[&format!("{site}/demo-1.0.dist-info/INSTALLER")].1, "imagewright\n");
}

#[test]
fn entry_points_become_scripts_and_replace_old_wrappers() {
    let wheel = demo()
        .file(
            "demo-1.0.dist-info/entry_points.txt",
            "[console_scripts]\ndemo = demo.cli:App.run [extra]\n[gui_scripts]\nwin=demo:w\n",
        )
        .file("demo-1.0.data/scripts/demo", "old wrapper")
        .file("demo-1.0.data/scripts/win-script.py", "old wrapper")
        .file("demo-1.0.data/scripts/other", "kept")
        .install()
        .unwrap();
    let contents = contents(&wheel);
    let scripts: Vec<&str> = contents.keys().filter_map(|path| path.strip_prefix("bin/")).collect();
    assert_eq!(scripts, ["demo", "other", "win"]);
    let text = "#!/opt/venv/bin/python\nimport sys\nfrom demo.cli import App\nif __name__ == '__main__':\n    \
                sys.argv[0] = sys.argv[0].removesuffix('.exe')\n    sys.exit(App.run())\n";
    assert_eq!(contents["bin/demo"], (true, text.to_owned()));
}

#[test]
fn other_environments_have_other_places() {
    let other = InstallScheme::virtual_environment("/srv/env", PythonMinor(12)).unwrap();
    let wheel = demo().file("demo-1.0.data/headers/a/b.h", "").file("demo.py", "").open().unwrap();
    let paths: Vec<String> =
        wheel.install(&other).unwrap().files().iter().map(|file| file.path.to_string()).collect();
    assert_eq!(paths[0], "srv/env/include/site/python3.12/demo/a/b.h");
    assert!(paths[1].starts_with("srv/env/lib/python3.12/site-packages/"));
}

#[test]
fn wheels_that_cannot_be_installed_say_why() {
    let new = demo;
    let entry = |line: &str| {
        new().file("demo-1.0.dist-info/entry_points.txt", format!("[console_scripts]\n{line}\n"))
    };
    let cases = [
        (new().file("other-2.0.dist-info/METADATA", ""), "has 2 `.dist-info` directories"),
        (
            new().metadata("Name: other\nVersion: 1.0\n"),
            "its metadata is of other 1.0 in demo-1.0.dist-info and its file name of demo 1.0",
        ),
        (new().metadata("Name: demo\nVersion: 1.1\n"), "its metadata is of demo 1.1"),
        (new().metadata("Name: demo\n\nVersion: 1.0\n"), "its METADATA has no usable `Version`"),
        (new().wheel_file("Wheel-Version: 2.0\n"), "has Wheel-Version 2.0"),
        (new().record("a,sha256=zz,1\n"), "line 1 of its RECORD is malformed"),
        (new().file("demo-1.0.data/unknown/a", ""), "`demo-1.0.data/unknown/a` is in no known folder"),
        (new().file("demo-1.0.data/a", ""), "is in no known folder"),
        (new().file("demo-1.0.data/scripts/python3", ""), "would replace opt/venv/bin/python3"),
        (new().file("demo-1.0.data/data/pyvenv.cfg", ""), "would replace opt/venv/pyvenv.cfg"),
        (new().file("demo-1.0.data/data/bin/python", ""), "would replace opt/venv/bin/python"),
        (new().file("a", "").file("demo-1.0.data/purelib/a/b", ""), "a file and a directory at"),
        (entry("python = demo:main"), "would replace opt/venv/bin/python"),
        (entry("../x = demo:main"), "has a name that is no file name"),
        (entry("x = demo"), "`x = demo` names no callable"),
    ];
    for (wheel, expected) in cases {
        let error = wheel.install().expect_err(expected);
        assert!(error.to_string().starts_with("the wheel demo-1.0-py3-none-any.whl cannot be installed: "));
        assert!(error.to_string().contains(expected), "{error}");
        assert!(error.hint().is_some());
    }
}

#[test]
fn spellings_of_a_name_and_a_version_are_equal() {
    demo().metadata("Name: DEMO\nVersion: 1.0.0\n").install().unwrap();
    let accented = demo().metadata("Name: demo\nVersion: 1.0\nSummary: \u{e9}\n").install();
    assert!(accented.unwrap().wheel().metadata().unwrap().contains("Summary: é"));
    let sources = demo().file("demo.py", "").file("demo.pyi", "").file("demo-1.0.data/scripts/x.py", "");
    let sources = sources.install().unwrap();
    let scheme = scheme();
    let found: Vec<&str> = sources.sources(&scheme).map(|file| file.path.file_name()).collect();
    assert_eq!(found, ["demo.py"]);
}

#[test]
fn bytecode_of_the_wheel_is_left_out_where_its_source_is_there() {
    let wheel = demo()
        .file("demo/a.py", "")
        .file("demo/__pycache__/a.cpython-311.pyc", "stale")
        .file("demo/__pycache__/b.cpython-311.pyc", "without source")
        .file("demo/c.pyc", "without source")
        .install()
        .unwrap();
    let names: Vec<&str> = wheel.files().iter().map(|file| file.path.file_name()).collect();
    assert_eq!(names[names.len() - 3..], ["b.cpython-311.pyc", "a.py", "c.pyc"]);
    assert!(!names.contains(&"a.cpython-311.pyc"));
}
