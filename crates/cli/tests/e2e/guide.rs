//! ImageSpec's documentation, block by block, as the specs in `tests/guide`: the page "ImageSpec" of Flyte's user guide,
//! and the docstring of the class in flytekit 1.16.31. The call that is printed is in `NAME.py`; `NAME.yaml`, which is
//! built, is the same to flytekit, but for the registry: the page says itself that it must be another one.
//!
//! Not here: `pyflyte run` and `pyflyte build --remote`, which need a Flyte backend.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use super::asked::{Project, names, specs};
use crate::support::{Report, Workshop, assert_valid, oracle, run_within};

specs! {
    python_and_apt_packages,
    conda_packages,
    python_versions,
    modules_of_one_image,
    tag,
    copied_files,
    yaml_file,
    yaml_file_with_another_package,
    several_copies,
}

/// Those that need a host which tests do not ask, and which.
const ELSEWHERE: &[(&str, &str)] = &[
    ("nvidia_image", "Docker Hub has the base"),
    ("extra_index", "PyTorch's index has the packages"),
    ("flytekit_of_a_commit", "GitHub has the packages"),
];

/// Those whose tests are below.
const OTHERS: &[&str] =
    &["another_architecture", "force_push", "modules_of_another_image", "noop_with_runtime_packages"];

/// Those that are printed as YAML, or are the YAML that was meant.
const YAML: &[&str] = &["yaml_file", "yaml_file_with_another_package"];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/guide")
}

fn project(name: &str) -> Option<Project> {
    assert!(OTHERS.contains(&name));
    Project::of(&folder(), name)
}

#[test]
fn every_block_has_a_test_or_a_reason() {
    let mut known = [TESTED, OTHERS].concat();
    known.extend(ELSEWHERE.iter().map(|(name, _)| name));
    known.sort_unstable();
    assert_eq!(names(&folder()), known);
}

/// The fields of a spec in `tests/guide` that are not as they are printed.
fn changed(name: &str) -> &'static [&'static str] {
    match name {
        "noop_with_runtime_packages" => &[],
        // The folder of the example is called `src`.
        "several_copies" => &["copy"],
        _ => &["registry"],
    }
}

/// What flytekit makes of the blocks in a directory that has the files of the specs; without flytekit the caller skips.
#[expect(clippy::disallowed_methods, reason = "the oracle")]
fn in_flytekit(directory: &Path) -> Option<BTreeMap<String, Value>> {
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/e2e/guide.py");
    let mut command = Command::new(oracle()?);
    command.arg(program).arg(folder()).current_dir(directory);
    let ended = run_within(&mut command, Duration::from_mins(2)).expect(0);
    Some(serde_json::from_str(&ended.stdout).unwrap())
}

#[test]
fn what_is_printed_is_what_is_built() {
    let workshop = Workshop::new();
    for file in ["files/input.txt", "files/file1.txt", "files/file2.txt", "src/file1.txt", "src/file2.txt"] {
        workshop.write(file, "content");
    }
    let Some(blocks) = in_flytekit(&workshop.project()) else { return };
    let mut names = names(&folder());
    names.retain(|name| !YAML.contains(&name.as_str()));
    assert!(blocks.keys().eq(&names), "{:?}", blocks.keys());
    for (name, block) in &blocks {
        assert_eq!(block["differing"], serde_json::json!(changed(name)), "{name}");
        let yaml = fs_err::read(folder().join(name).with_extension("yaml")).unwrap();
        workshop.write("written.yaml", yaml);
        workshop.write("printed.json", block["fields"].to_string());
        for (spec, key) in [("written.yaml", "written"), ("printed.json", "printed")] {
            for identity in ["id", "tag"] {
                let ours = workshop.run(&[identity, spec]).expect(0).stdout;
                assert_eq!(ours.trim_end(), block[key][identity], "{identity} of {name}, {key}");
            }
        }
    }
}

#[test]
fn what_needs_another_host_has_an_identity() {
    for (name, because) in ELSEWHERE {
        let Some(Project { workshop, spec, .. }) = Project::of(&folder(), name) else { return };
        let printed = workshop.run(&["tag", &spec]).expect(0).stdout;
        assert_eq!(printed.trim().len(), 22, "{name}, for which {because}: {printed}");
    }
}

#[test]
fn another_architecture() {
    let Some(Project { workshop, spec, .. }) = project("another_architecture") else { return };
    let report = workshop.build(&spec, &[]);
    let image = assert_valid(report.text("image"));
    assert_eq!(image.config.platform.architecture, "arm64");
    assert!(report.packages().iter().any(|package| package.starts_with("pandas ")));
}

#[test]
fn force_push() {
    let Some(Project { workshop, spec, .. }) = project("force_push") else { return };
    assert_eq!(workshop.build(&spec, &[]).text("status"), "built");
    assert_eq!(workshop.build(&spec, &[]).text("status"), "exists");
    let mut command = workshop.command(&["build", &spec, "--json"]);
    command.env("FLYTE_FORCE_PUSH_IMAGE_SPEC", "True");
    let forced = run_within(&mut command, Duration::from_mins(2)).expect(0);
    assert_eq!(Report::parse(&forced.stdout).text("status"), "built");
}

/// Its wheels have 650 MB, so it is locked and not built.
#[test]
fn modules_of_another_image() {
    let Some(Project { workshop, spec, .. }) = project("modules_of_another_image") else { return };
    let lock: Value =
        serde_json::from_str(&workshop.run(&["lock", &spec, "-o", "-"]).expect(0).stdout).unwrap();
    let packages = lock["platforms"]["linux/amd64"]["packages"].as_array().unwrap();
    for name in ["tensorflow", "pandas"] {
        assert!(packages.iter().any(|package| package["name"] == name), "{name}");
    }
}

#[test]
fn noop_with_runtime_packages() {
    let Some(Project { workshop, spec, .. }) = project("noop_with_runtime_packages") else { return };
    let built = workshop.run(&["build", &spec]).expect(0);
    assert_eq!(built.stdout, "ghcr.io/name/my-custom-image\n");
}
