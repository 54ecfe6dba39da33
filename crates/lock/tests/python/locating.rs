//! Where uv is found, and what is said when it is not.

use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use imagewright_lock::uv::{Uv, UvError, UvSearch, locate};

use super::machine::{Machine, oracle};

/// A program that says it is a uv of some version and otherwise does as the real one does.
fn program(machine: &Machine, below: &str, version: &str) -> PathBuf {
    let real = oracle().unwrap().parent().unwrap().join("uv");
    let script = format!(
        "#!/bin/sh\nif [ \"$1\" = --version ]; then echo '{version}'; else exec {} \"$@\"; fi\n",
        real.display()
    );
    let path = machine.write(below, script);
    fs_err::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    path
}

/// Looks in `beside/`, and on `PATH` in `path/` only.
async fn find(machine: &mut Machine, explicit: Option<&str>) -> Result<Uv, UvError> {
    machine.variables.insert("PATH".to_owned(), machine.path("path").display().to_string());
    let (explicit, beside) = (explicit.map(|below| machine.path(below)), machine.path("beside"));
    let (tools, host) = (machine.path("tools"), machine.host());
    let search =
        UvSearch { explicit: explicit.as_deref(), beside: Some(&beside), tools: &tools, host: &host };
    locate(&search, || ()).await
}

#[tokio::test]
async fn the_named_one_then_beside_then_path_then_installed() {
    let Some(mut machine) = Machine::new() else { return };
    for below in ["tools/uv/bin/uv", "path/uv", "beside/uv", "named"] {
        let written = program(&machine, below, "uv 0.13.8");
        let explicit = (below == "named").then_some("named");
        assert_eq!(find(&mut machine, explicit).await.unwrap().executable(), written);
    }
}

#[tokio::test]
async fn one_that_is_too_old_is_passed_over_unless_it_was_named() {
    let Some(mut machine) = Machine::new() else { return };
    program(&machine, "beside/uv", "uv 0.5.1");
    program(&machine, "path/uv", "uv 0.13.8");
    assert_eq!(find(&mut machine, None).await.unwrap().executable(), machine.path("path/uv"));
    let error = find(&mut machine, Some("beside/uv")).await.unwrap_err();
    assert!(matches!(error, UvError::Unsupported { .. }), "{error}");
    assert!(error.to_string().contains("is uv 0.5.1, but uv>="), "{error}");
    assert!(error.hint().unwrap().contains("pip install --upgrade"));
}

#[tokio::test]
async fn what_is_not_uv_is_said_to_be_so() {
    let Some(mut machine) = Machine::new() else { return };
    program(&machine, "other", "pip 26.0");
    let error = find(&mut machine, Some("other")).await.unwrap_err();
    assert!(matches!(error, UvError::NotUv { .. }), "{error}");
    let error = find(&mut machine, Some("missing")).await.unwrap_err();
    assert!(matches!(error, UvError::NotStarted { .. }), "{error}");
}

#[tokio::test]
async fn without_uv_and_pip_the_fix_is_one_line() {
    let Some(mut machine) = Machine::new() else { return };
    program(&machine, "path/uv", "uv 0.5.1");
    machine.write("path/pip3", "#!/bin/sh\necho 'ERROR: no index' >&2\nexit 1\n");
    fs_err::set_permissions(machine.path("path/pip3"), std::fs::Permissions::from_mode(0o755)).unwrap();
    let error = find(&mut machine, None).await.unwrap_err();
    let message = error.to_string();
    for part in ["is uv 0.5.1", "`python3 -m pip`, `pip`: not on PATH", "`pip3`: ERROR: no index"] {
        assert!(message.contains(part), "{part} is not in:\n{message}");
    }
    let hint = error.hint().unwrap();
    assert!(hint.contains("python3 -m pip install 'uv>=") && hint.contains("IMAGEWRIGHT_UV"), "{hint}");
    assert_eq!(fs_err::read_dir(machine.path("tools")).unwrap().count(), 1, "nothing half-made is left");
}

#[tokio::test]
async fn a_replaced_program_is_asked_again() {
    let Some(mut machine) = Machine::new() else { return };
    program(&machine, "path/uv", "uv 0.13.8");
    assert_eq!(find(&mut machine, None).await.unwrap().capabilities().version.to_string(), "0.13.8");
    program(&machine, "path/uv", "uv 0.14.0 later");
    assert_eq!(find(&mut machine, None).await.unwrap().capabilities().version.to_string(), "0.14.0");
}
