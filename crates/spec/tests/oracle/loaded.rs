//! What `LOADED_MODULES` copies, against flytekit in a process that has loaded some.

use std::path::{Path, PathBuf};
use std::process::Command;

use imagewright_spec::requirements::Environment;
use imagewright_spec::{DeclaredContext, ImageSpec, ParseOptions, declared, parse_json};
use imagewright_testkit::peers::oracle;
use serde_json::{Value, json};

/// Loads modules of a folder, one of them twice, and says what flytekit makes of a spec with that root.
const SCRIPT: &str = r#"
import importlib.util, json, sys

root = sys.argv[1]
sys.path.insert(0, root)
import pack.below.deep, top, generated
alias = importlib.util.spec_from_file_location("alias", top.__file__)
module = importlib.util.module_from_spec(alias)
sys.modules["alias"] = module
import outside

from flytekit.image_spec import ImageSpec
from flytekit.tools.script_mode import list_imported_modules_as_files

spec = ImageSpec(name="app", source_root=root, copy=["kept.txt"])
files = list_imported_modules_as_files(root, list(sys.modules.values()))
print(json.dumps({"id": spec.id, "tag": spec.tag, "files": files}))
"#;

const FILES: [(&str, &str); 9] = [
    ("src/top.py", "x = 1\n"),
    ("src/pack/__init__.py", ""),
    ("src/pack/unused.py", "# no one loads it\n"),
    ("src/pack/below/__init__.py", "y = 2\n"),
    ("src/pack/below/deep.py", "z = 3\n"),
    ("src/generated.py", "# flytekit copies what is loaded, also where it is ignored\n"),
    ("src/.dockerignore", "generated.py\n"),
    ("outside.py", "o = 1\n"),
    ("kept.txt", "kept\n"),
];

fn spec(root: &Path, modules: Vec<PathBuf>) -> ImageSpec {
    let text = json!({ "name": "app", "source_root": root, "copy": ["kept.txt"] }).to_string();
    parse_json(&text, &ParseOptions::default()).unwrap().with_loaded_modules(modules)
}

#[test]
fn loaded_modules_have_flytekits_tag() {
    let Some(python) = oracle() else { return };
    let folder = tempfile::tempdir().unwrap();
    let directory = fs_err::canonicalize(folder.path()).unwrap();
    for (name, text) in FILES {
        let path = directory.join(name);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(path, text).unwrap();
    }
    let root = directory.join("src");
    #[expect(clippy::disallowed_methods, reason = "flytekit is the oracle")]
    let mut command = Command::new(python);
    command.args(["-B", "-c", SCRIPT]).arg(&root).current_dir(&directory).env("PYTHONPATH", &directory);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let theirs: Value = serde_json::from_slice(&output.stdout).unwrap();
    let files: Vec<PathBuf> = serde_json::from_value(theirs["files"].clone()).unwrap();
    assert_eq!(files.iter().filter(|file| file.ends_with("top.py")).count(), 2, "{files:?}");

    // What is not below the root is not copied, whoever names it.
    let ours = spec(&root, files.into_iter().chain([directory.join("outside.py")]).rev().collect());
    assert_eq!(ours.id(), theirs["id"].as_str().unwrap());
    assert_eq!(ours.tag(&directory).unwrap(), theirs["tag"].as_str().unwrap());
    let environment = Environment::new();
    let context = DeclaredContext {
        directory: &directory,
        python: None,
        with: &[],
        environment: &environment,
        left_out: &[],
    };
    let (before, sources) = declared(&ours, &context).unwrap();
    let copied: Vec<&str> = sources["source_root"].tree.entries.keys().map(String::as_str).collect();
    let expected = [".", "generated.py", "pack", "pack/__init__.py", "pack/below", "pack/below/__init__.py"];
    assert_eq!(copied, [&expected[..], &["pack/below/deep.py", "top.py"]].concat());
    fs_err::write(root.join("pack/unused.py"), "changed\n").unwrap();
    assert_eq!(declared(&ours, &context).unwrap().0, before);
    fs_err::write(root.join("top.py"), "x = 2\n").unwrap();
    assert_ne!(declared(&ours, &context).unwrap().0, before);
    assert_ne!(ours.tag(&directory).unwrap(), theirs["tag"].as_str().unwrap());
}
