//! What is chosen, where everything can be had.

use std::os::unix::fs::PermissionsExt as _;

use imagewright_lock::LockError;
use imagewright_lock::python::{
    ChosenPackage, LockedPackage, Origin, PythonError, PythonResolution, Requirement, WheelSource,
};
use imagewright_oci::{Digest, Platform};
use imagewright_pypa::{Libc, TargetPython};

use super::index::{Index, Running};
use super::machine::{Ask, Machine, pins};
use super::wheel::wheel;

const ANY: &str = "py3-none-any";

fn index() -> Running {
    filled(Index::default()).start()
}

fn filled(index: Index) -> Index {
    index
        .with("alpha", "1.0", ANY, &[])
        .with("alpha", "2.0", ANY, &[])
        .with("alpha", "3.0rc1", ANY, &[])
        .with("beta", "1.0", ANY, &["alpha<2", "gamma ; python_version < '3.11'", "delta ; extra == 'more'"])
        .with("beta", "2.0", ANY, &["alpha"])
        .with("gamma", "1.0", ANY, &[])
        .with("delta", "1.0", "cp311-cp311-manylinux_2_28_x86_64", &[])
        .with("delta", "1.0", "cp311-cp311-manylinux_2_40_x86_64", &[])
        .with("delta", "1.0", "cp39-abi3-manylinux_2_17_x86_64", &[])
        .with("delta", "1.0", "cp311-cp311-musllinux_1_2_x86_64", &[])
        .with("delta", "1.0", "cp311-cp311-manylinux_2_28_aarch64", &[])
}

/// One question to a fresh machine; none when there is no oracle.
async fn answer(ask: impl Fn(&str) -> Ask) -> Option<PythonResolution> {
    let machine = Machine::new()?;
    Some(machine.resolve(&ask(&index().url())).await.unwrap())
}

#[tokio::test]
async fn extras_markers_and_who_brought_whom() {
    let Some(found) = answer(|url| Ask::of(&["beta[more]==1.0"], url)).await else { return };
    assert_eq!(pins(&found), ["alpha==1.0", "beta==1.0", "delta==1.0"]);
    let [alpha, beta, delta] = &found.packages[..] else { panic!("{found:?}") };
    assert!(beta.requested && !alpha.requested);
    assert_eq!(alpha.required_by, ["beta".parse().unwrap()]);
    assert_eq!(delta.filename.as_str(), "delta-1.0-cp311-cp311-manylinux_2_28_x86_64.whl");
    assert_eq!(alpha.sha256, Some(Digest::of(&wheel("alpha", "1.0", ANY, &[]))));
}

#[tokio::test]
async fn wheels_follow_the_target() {
    for (minor, platform, libc, expected) in [
        (11, "linux/amd64", Libc::Glibc(2, 41), "delta-1.0-cp311-cp311-manylinux_2_40_x86_64.whl"),
        (12, "linux/amd64", Libc::Glibc(2, 36), "delta-1.0-cp39-abi3-manylinux_2_17_x86_64.whl"),
        (11, "linux/amd64", Libc::Musl(1, 2), "delta-1.0-cp311-cp311-musllinux_1_2_x86_64.whl"),
        (11, "linux/arm64", Libc::Glibc(2, 36), "delta-1.0-cp311-cp311-manylinux_2_28_aarch64.whl"),
    ] {
        let platform: Platform = platform.parse().unwrap();
        let target = TargetPython::new(3, minor, platform, libc).unwrap();
        let ask = |url: &str| Ask { target: target.clone(), ..Ask::of(&["delta"], url) };
        let Some(found) = answer(ask).await else { return };
        assert_eq!(found.packages[0].filename.as_str(), expected);
    }
}

#[tokio::test]
async fn a_previous_lock_moves_nothing() {
    let Some(machine) = Machine::new() else { return };
    let index = filled(Index::default()).without_sizes().start();
    let first = machine.resolve(&Ask::of(&["alpha<2"], &index.url())).await.unwrap();
    let pinned = machine.complete(first.packages).await.unwrap();
    let previous = vec![LockedPackage { size: 7, ..pinned[0].clone() }];
    let second = Ask { previous, ..Ask::of(&["alpha", "beta"], &index.url()) };
    let found = machine.resolve(&second).await.unwrap();
    assert_eq!(pins(&found), ["alpha==1.0", "beta==2.0"]);
    assert_eq!(found.packages.iter().map(|package| package.size).collect::<Vec<_>>(), [Some(7), None]);
    let fresh = Ask::of(&["alpha", "beta"], &index.url());
    assert_eq!(pins(&machine.resolve(&fresh).await.unwrap()), ["alpha==2.0", "beta==2.0"]);
}

#[tokio::test]
async fn what_the_base_has_is_kept() {
    let asks = |url: &str| Ask::of(&["beta"], url).installed("alpha", "1.0");
    let Some(found) = answer(asks).await else { return };
    assert_eq!(pins(&found), ["beta==2.0"]);
    assert_eq!(found.kept, [("alpha".parse().unwrap(), "1.0".parse().unwrap())]);
    let found = answer(|url| asks(url).arguments("--force-reinstall")).await.unwrap();
    assert_eq!(pins(&found), ["alpha==2.0", "beta==2.0"]);
}

#[tokio::test]
async fn what_only_the_base_has_is_kept_too() {
    let own = [("alpha", "1.5.0a0+vendor"), ("private", "1.0")];
    for (name, version) in own {
        let Some(found) = answer(|url| Ask::of(&["beta", name], url).installed(name, version)).await else {
            return;
        };
        assert_eq!(found.kept, [(name.parse().unwrap(), version.parse().unwrap())]);
        assert!(found.packages.iter().all(|package| package.name.as_str() != name));
    }
    let newer = answer(|url| Ask::of(&["alpha>=2"], url).installed("alpha", "1.5+vendor")).await.unwrap();
    assert_eq!((pins(&newer), newer.kept), (vec!["alpha==2.0".to_owned()], vec![]));
}

#[tokio::test]
async fn options_come_from_the_field_and_from_files() {
    let Some(machine) = Machine::new() else { return };
    let index = index();
    machine.write("project/requirements.txt", "# tools\n-r more/base.txt\n--pre\n--no-deps\n");
    machine.write("project/more/base.txt", "alpha\nbeta --config-settings x=y\n-c limits.txt\n");
    machine.write("project/more/limits.txt", "beta<2\ngamma==1.0\n");
    let ask = Ask::of(&[], &index.url()).file("requirements.txt");
    let found = machine.resolve(&ask).await.unwrap();
    assert_eq!(pins(&found), ["alpha==3.0rc1", "beta==1.0"]);
    let warning = found.warnings[0].to_string();
    assert!(warning.starts_with("`--config-settings` in more/base.txt line 2 has no effect"), "{warning}");
    let found = machine.resolve(&ask.arguments("--prerelease disallow --no-cache-dir gamma")).await.unwrap();
    assert_eq!(pins(&found), ["alpha==2.0", "beta==1.0", "gamma==1.0"]);
    let warning = found.warnings[0].to_string();
    assert!(warning.starts_with("`--no-cache-dir` in `pip_extra_args` has no effect"), "{warning}");
}

#[tokio::test]
async fn files_named_by_options_are_read() {
    let Some(machine) = Machine::new() else { return };
    machine.write("project/more.txt", "beta\n");
    machine.write("project/limits.txt", "alpha==1.0\ngamma==1.0\n");
    let index = index();
    let ask = Ask::of(&[], &index.url()).arguments("-r more.txt -c 'limits.txt'");
    assert_eq!(pins(&machine.resolve(&ask).await.unwrap()), ["alpha==1.0", "beta==2.0"]);
}

/// From the field and from a file, several of them, and for what the packages themselves ask for.
#[tokio::test]
async fn overrides_take_the_place_of_what_packages_ask_for() {
    let Some(machine) = Machine::new() else { return };
    let index = index();
    machine.write("project/one.txt", "alpha==2.0 ; python_version > '3.8'\n");
    machine.write("project/two.txt", "# why\ngamma==1.0\n");
    machine.write("project/requirements.txt", "beta==1.0\n--overrides two.txt\n");
    let ask = Ask::of(&[], &index.url()).file("requirements.txt").arguments("--override=one.txt");
    assert_eq!(pins(&machine.resolve(&ask).await.unwrap()), ["alpha==2.0", "beta==1.0", "gamma==1.0"]);
}

#[tokio::test]
async fn local_wheels_and_urls_are_taken_as_they_are() {
    let Some(machine) = Machine::new() else { return };
    let index = index();
    let bytes = wheel("own", "1.0+site", ANY, &["alpha"]);
    let path = machine.write("project/wheels/own-1.0+site-py3-none-any.whl", &bytes);
    let url = format!("http://{}/files/gamma-1.0-py3-none-any.whl", index.address);
    let ask = Ask::of(&["./wheels/own-1.0+site-py3-none-any.whl", &url], &index.url());
    let found = machine.resolve(&ask).await.unwrap();
    assert_eq!(pins(&found), ["alpha==2.0", "gamma==1.0", "own==1.0+site"]);
    let [_, gamma, own] = &found.packages[..] else { panic!("{found:?}") };
    assert_eq!(own.source, WheelSource::Path(path));
    assert_eq!((own.sha256, own.size), (Some(Digest::of(&bytes)), Some(bytes.len() as u64)));
    assert_eq!(gamma.source, WheelSource::Url(url.parse().unwrap()));
    assert!(own.requested && gamma.requested);
}

#[tokio::test]
async fn a_folder_of_wheels_serves_without_an_index() {
    let Some(machine) = Machine::new() else { return };
    machine.write("project/wheels/own-1.0-py3-none-any.whl", wheel("own", "1.0", ANY, &[]));
    let ask = Ask::machine(&["own"]).arguments("--no-index --find-links wheels");
    let found = machine.resolve(&ask).await.unwrap();
    assert_eq!(pins(&found), ["own==1.0"]);
    let ask = Ask::machine(&["own", "vendor"]).arguments("--no-index --find-links wheels");
    let kept = machine.resolve(&ask.installed("vendor", "1.0+x")).await.unwrap();
    assert_eq!((pins(&kept), kept.kept.len()), (vec!["own==1.0".to_owned()], 1));
    assert!(
        matches!(&found.packages[0].source, WheelSource::Path(path) if path.starts_with(machine.folder.path()))
    );
}

#[tokio::test]
async fn only_allowed_hashes_are_chosen() {
    let hash = Digest::of(&wheel("delta", "1.0", "cp39-abi3-manylinux_2_17_x86_64", &[]));
    let line = format!("delta==1.0 --hash={hash}");
    let Some(found) = answer(|url| Ask::of(&[&line], url)).await else { return };
    assert_eq!(found.packages[0].filename.as_str(), "delta-1.0-cp39-abi3-manylinux_2_17_x86_64.whl");
}

#[tokio::test]
async fn what_every_environment_has_needs_no_hash() {
    let Some(machine) = Machine::new() else { return };
    let index = index();
    let hash = Digest::of(&wheel("alpha", "1.0", ANY, &[]));
    let line = format!("alpha==1.0 --hash={hash}");
    let implied = vec![Requirement::new("gamma", Origin::EveryEnvironment)];
    let mut ask = Ask { implied, ..Ask::of(&[&line], &index.url()).arguments("--require-hashes") };
    assert_eq!(pins(&machine.resolve(&ask).await.unwrap()), ["alpha==1.0", "gamma==1.0"]);
    ask.step.packages[0].text = "alpha==1.0".to_owned();
    let error = machine.resolve(&ask).await.unwrap_err().to_string();
    assert!(error.starts_with("alpha 1.0 is needed, but no hash"), "{error}");
}

#[tokio::test]
async fn values_in_files_may_follow_a_space() {
    let Some(machine) = Machine::new() else { return };
    machine.write("project/requirements.txt", "--resolution lowest-direct\n--timeout 9\nalpha\n");
    let index = index();
    let ask = Ask::of(&[], &index.url()).file("requirements.txt");
    assert_eq!(pins(&machine.resolve(&ask).await.unwrap()), ["alpha==1.0"]);
}

#[tokio::test]
async fn packages_may_hold_what_a_file_may() {
    let Some(machine) = Machine::new() else { return };
    let index = index();
    machine.write("project/limits.txt", "gamma==1.0\nbeta<2\n");
    let option = format!("--index-url {}", index.url());
    let ask = Ask::machine(&[&option, "--resolution lowest", "-c limits.txt", "beta # why", "alpha", "# no"]);
    let found = machine.resolve(&ask).await.unwrap();
    assert_eq!(pins(&found), ["alpha==1.0", "beta==1.0"]);
    assert!(found.packages.iter().all(|package| package.requested));
    assert!(found.warnings.iter().all(|it| !it.to_string().contains("--index-url")), "{:?}", found.warnings);
}

#[tokio::test]
async fn an_index_without_hashes_serves_too() {
    let Some(machine) = Machine::new() else { return };
    let index = Index::default().with("alpha", "1.0", ANY, &[]).without_hashes().start();
    let found = machine.resolve(&Ask::of(&["alpha"], &index.url())).await.unwrap();
    let expected = Digest::of(&wheel("alpha", "1.0", ANY, &[]));
    assert!(
        found.packages[0].sha256.is_none_or(|digest| digest == expected),
        "older releases of uv leave it open"
    );
}

/// Newer releases of uv find out the digests that an index does not state, older ones leave them open.
#[tokio::test]
async fn a_wheel_is_held_against_its_hash_when_the_index_states_none() {
    let Some(machine) = Machine::new() else { return };
    let index = Index::default().with("alpha", "1.0", ANY, &[]).without_hashes().start();
    let bytes = wheel("alpha", "1.0", ANY, &[]);
    let right = Digest::of(&bytes);
    let asks = |hash: Digest| Ask::of(&[&format!("alpha==1.0 --hash={hash}")], &index.url());
    let chosen = machine.resolve(&asks(right)).await.unwrap().packages;
    let as_older = |allowed| ChosenPackage { sha256: None, allowed, ..chosen[0].clone() };
    let pinned = machine.complete(vec![as_older(chosen[0].allowed.clone())]).await.unwrap();
    assert_eq!((pinned[0].sha256, pinned[0].size), (right, bytes.len() as u64));
    let wrong = Digest::of(b"something else");
    let is_refused =
        |error: &PythonError| matches!(error, PythonError::HashMismatch { found, .. } if *found == [right]);
    match machine.complete(vec![as_older(vec![wrong])]).await.unwrap_err() {
        LockError::Python { source } => assert!(is_refused(&source), "{source:?}"),
        other => panic!("{other}"),
    }
    match machine.resolve(&asks(wrong)).await {
        Err(error) => assert!(is_refused(&error), "{error:?}"),
        Ok(found) => {
            assert_eq!((found.packages[0].sha256, &found.packages[0].allowed[..]), (None, &[wrong][..]));
        }
    }
}

#[tokio::test]
async fn pages_are_not_asked_for_again_and_offline_works() {
    let Some(machine) = Machine::new() else { return };
    let index = index();
    let first = machine.resolve(&Ask::of(&["beta"], &index.url())).await.unwrap();
    let asked = index.requests();
    let second = machine.resolve(&Ask::of(&["beta"], &index.url())).await.unwrap();
    let offline = Ask { offline: true, ..Ask::of(&["beta"], &index.url()) };
    assert_eq!(machine.resolve(&offline).await.unwrap(), first);
    assert_eq!((second, index.requests()), (first, asked));
}

/// The scripts of version managers take 0.1 s on every start.
#[tokio::test]
async fn scripts_named_python_are_not_started() {
    let Some(mut machine) = Machine::new() else { return };
    let mark = machine.path("started");
    for name in ["python", "python3", "python3.11"] {
        let script =
            machine.write(&format!("shims/{name}"), format!("#!/bin/sh\ntouch {}\n", mark.display()));
        fs_err::set_permissions(script, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    let path = format!("{}:{}", machine.path("shims").display(), machine.variables["PATH"]);
    machine.variables.insert("PATH".to_owned(), path);
    machine.resolve(&Ask::of(&["alpha"], &index().url())).await.unwrap();
    assert!(!mark.exists());
}
