//! The machine's own index, with real packages.

use std::time::Instant;

use imagewright_lock::uv::{UvSearch, locate};

use super::machine::{Ask, Machine, pins};

#[tokio::test]
async fn real_packages_are_pinned_by_hash() {
    let Some(machine) = Machine::real() else { return };
    let uv = machine.uv().await;
    let mut seconds = Vec::new();
    let mut timed = async |requirements: &[&str]| {
        let start = Instant::now();
        let found = machine.resolve_with(&uv, &Ask::machine(requirements)).await.unwrap();
        seconds.push(start.elapsed().as_secs_f32());
        found
    };
    let set = ["numpy", "pandas", "scikit-learn", "requests"];
    let cold = timed(&set).await;
    let warm = timed(&set).await;
    let more = timed(&[&set[..], &["httpx"]].concat()).await;
    println!("cold {:?}, warm {:?}, with httpx {:?}", seconds[0], seconds[1], seconds[2]);
    assert_eq!(cold, warm);
    assert!(cold.packages.iter().all(|package| package.sha256.is_some()));
    let numpy = cold.packages.iter().find(|package| package.name.as_str() == "numpy").unwrap();
    assert!(numpy.requested && numpy.filename.as_str().contains("cp311-manylinux"), "{numpy:?}");
    assert!(numpy.required_by.iter().any(|name| name.as_str() == "pandas"), "{numpy:?}");
    assert!(pins(&cold).iter().all(|pin| pins(&more).contains(pin)));
}

#[tokio::test]
async fn old_pins_are_explained() {
    let Some(machine) = Machine::real() else { return };
    for (line, expected) in [
        ("tensorflow==2.5.0", "has a wheel for this Python and platform"),
        ("sklearn", "called scikit-learn"),
    ] {
        let error = machine.resolve(&Ask::machine(&[line])).await.unwrap_err();
        let hint = error.hint().unwrap();
        println!("{error}\nhint: {hint}\n");
        assert!(hint.contains(expected), "{error}\n{hint}");
    }
}

#[tokio::test]
async fn uv_is_installed_with_the_machines_pip() {
    let Some(mut machine) = Machine::real() else { return };
    let path = machine.variables["PATH"].clone();
    let without: Vec<&str> =
        path.split(':').filter(|folder| !std::path::Path::new(folder).join("uv").exists()).collect();
    machine.variables.insert("PATH".to_owned(), without.join(":"));
    let (tools, host) = (machine.path("tools"), machine.host());
    let search = UvSearch { explicit: None, beside: None, tools: &tools, host: &host };
    let mut is_told = false;
    let installed = locate(&search, || is_told = true).await.unwrap();
    assert!(is_told);
    assert_eq!(installed.executable(), tools.join("uv/bin/uv"));
    let again = locate(&search, || panic!("it is there")).await.unwrap();
    assert_eq!(again.executable(), installed.executable());
    assert_eq!(fs_err::read_dir(&tools).unwrap().count(), 2, "nothing is left behind");
}
