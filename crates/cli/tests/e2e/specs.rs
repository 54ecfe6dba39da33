//! The specs in `tests/specs`, one for each field of a spec: built and run, or refused.

use std::path::{Path, PathBuf};

use imagewright_spec::{Arrives, FIELDS, PENDING};

use super::asked::{Asked, names, specs};
use crate::support::{oracle, run};

specs! {
    name,
    python_version,
    builder,
    source_root,
    env,
    registry,
    packages,
    conda_packages,
    conda_channels,
    requirements,
    apt_packages,
    cuda,
    cudnn,
    base_image,
    platform,
    pip_index,
    pip_extra_index_url,
    pip_secret_mounts,
    pip_extra_args,
    registry_config,
    entrypoint,
    commands,
    tag_format,
    source_copy_mode,
    copy,
    python_exec,
    runtime_packages,
    builder_options,
    builder_config,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/specs")
}

fn asked(name: &str) -> Asked {
    Asked::read(&fs_err::read_to_string(folder().join(format!("{name}.yaml"))).unwrap())
}

#[test]
fn every_field_has_a_spec_and_every_spec_a_test() {
    let fields: Vec<&str> = FIELDS.iter().map(|info| info.name).collect();
    assert_eq!(fields, TESTED);
    let mut tested = TESTED.to_vec();
    tested.sort_unstable();
    assert_eq!(names(&folder()), tested);
}

#[test]
fn only_what_is_pending_is_refused() {
    for name in TESTED {
        let pending = PENDING.iter().any(|pending| pending.field.name() == *name && pending.what.is_none());
        assert_eq!(asked(name).is_refused(), pending, "{name}");
    }
    let later = [Arrives::Part(3), Arrives::Part(4), Arrives::Part(6), Arrives::Never];
    assert!(PENDING.iter().all(|pending| later.contains(&pending.arrives)), "{PENDING:?}");
}

#[test]
fn docker_is_asked_for_a_third() {
    let count = TESTED.iter().filter(|name| asked(name).is_for_docker()).count();
    assert!(count * 3 >= TESTED.len(), "{count} of {}", TESTED.len());
}

#[test]
fn flytekit_looks_for_packages_at_start_where_the_spec_does() {
    let Some(python) = oracle() else { return };
    let program = "from flytekit.core.constants import RUNTIME_PACKAGES_ENV_NAME as name; print(name)";
    let name = run(python.to_str().unwrap(), &["-c", program]);
    let text = fs_err::read_to_string(folder().join("runtime_packages.yaml")).unwrap();
    assert!(text.contains(&format!("${};", name.trim())), "{name}");
}
