//! A build that is killed leaves a store that the next build uses.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use imagewright_store::Depth;
use imagewright_testkit::registry::{Effect, Fault};
use rustix::process::{Pid, Signal, kill_process};

use crate::support::{Offline, Peers, Workshop, assert_valid, run_within, spawn};

const LIMIT: Duration = Duration::from_mins(2);
const POINT: &str = "IMAGEWRIGHT_TEST_ABORT_AT";
/// How many points a build is killed at.
const POINTS: usize = 20;

/// The store has to be clean, and a build in it has to give the right image.
fn assert_recovers(workshop: &Workshop, expected: &str, after: &str) {
    let report = workshop.store().check(Depth::Digests).unwrap();
    assert!(report.is_clean(), "after {after}: {report:?}");
    let built = workshop.build("image.yaml", &[]);
    assert_eq!(built.digest(), expected, "after {after}");
    workshop.run(&["cache", "check", "--deep"]).expect(0);
    let report = workshop.store().check(Depth::Digests).unwrap();
    assert!(report.is_clean() && report.garbage.is_empty(), "after {after}: {report:?}");
}

/// The points that a build reaches, and how often.
fn points(listed: &str) -> BTreeMap<String, usize> {
    let mut points = BTreeMap::new();
    for name in listed.lines().filter_map(|line| line.strip_prefix("point ")) {
        *points.entry(name.to_owned()).or_default() += 1;
    }
    points
}

/// Twenty of the points: each name once, and the rest where a generator with a fixed seed says.
fn chosen(points: &BTreeMap<String, usize>) -> Vec<String> {
    let mut state = 2024_u64;
    let mut below = |limit: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).unwrap() % limit
    };
    let names: Vec<&String> = points.keys().collect();
    let mut chosen: Vec<String> = Vec::new();
    while chosen.len() < POINTS {
        let name = names.get(chosen.len()).copied().unwrap_or_else(|| names[below(names.len())]);
        chosen.push(format!("{name}:{}", below(points[name]) + 1));
    }
    chosen
}

#[test]
fn a_build_killed_at_any_point_is_repeated_with_the_same_result() {
    let Some(world) = Offline::new() else { return };
    world.spec(&["beta", "gamma"]);
    let listed =
        world.workshop.command(&["build", "image.yaml", "--json"]).env(POINT, "list").output().unwrap();
    let points = points(&String::from_utf8_lossy(&listed.stderr));
    assert!(listed.status.success() && points.len() >= 10, "{points:?}");
    let expected = world.workshop.build("image.yaml", &[]).digest().to_owned();
    for point in chosen(&points) {
        let workshop = Workshop::new();
        let spec = fs_err::read(world.workshop.project().join("image.yaml")).unwrap();
        workshop.write("image.yaml", spec);
        world.registry.delete_repository("app");
        let killed = run_within(workshop.command(&["build", "image.yaml"]).env(POINT, &point), LIMIT);
        assert_eq!(killed.code, None, "it was to be killed at {point}: {}", killed.stderr);
        if world.registry.tags("app").is_empty() {
            assert!(!point.contains("done"), "{point}");
        } else {
            assert_valid(&format!("{}/app:{}", world.registry.host(), tag(&world)));
        }
        assert_recovers(&workshop, &expected, &point);
        assert_valid(&format!("{}/app:{}", world.registry.host(), tag(&world)));
    }
}

fn tag(world: &Offline) -> String {
    world.registry.tags("app").into_iter().next().expect("something was pushed")
}

#[test]
fn a_build_killed_while_it_sends_is_repeated_with_the_same_result() {
    let Some(world) = Offline::new() else { return };
    world.spec(&["beta"]);
    let expected = world.workshop.build("image.yaml", &[]).digest().to_owned();
    for (method, path) in [("PATCH", "/blobs/uploads/"), ("PUT", "/blobs/uploads/"), ("PUT", "/manifests/")] {
        let workshop = Workshop::new();
        let spec = fs_err::read(world.workshop.project().join("image.yaml")).unwrap();
        workshop.write("image.yaml", spec);
        world.registry.delete_repository("app");
        world.registry.forget_requests();
        world
            .registry
            .inject(Fault::on(method, path, Effect::Hang).after(usize::from(path != "/manifests/")));
        let mut child = spawn(&mut workshop.command(&["build", "image.yaml"]));
        let began = Instant::now();
        let sent = || {
            let requests = world.registry.requests();
            requests.iter().filter(|request| request.method == method && request.path.contains(path)).count()
        };
        while sent() < 1 + usize::from(path != "/manifests/") {
            assert!(began.elapsed() < LIMIT && child.try_wait().unwrap().is_none(), "no {method} came");
            std::thread::sleep(Duration::from_millis(5));
        }
        child.kill().unwrap();
        child.wait().unwrap();
        world.registry.heal();
        assert!(world.registry.tags("app").is_empty(), "the tag comes last");
        assert_recovers(&workshop, &expected, &format!("a kill during {method} {path}"));
    }
}

#[test]
fn a_build_from_debian_packages_killed_at_any_time_is_repeated_with_the_same_result() {
    let Some(_) = Peers::find() else { return };
    let spec = "name: killed\npython_version: '3.11'\npackages: [six, idna]\n";
    let whole = Workshop::unbuilt();
    whole.write("image.yaml", spec);
    let began = Instant::now();
    let expected = whole.build("image.yaml", &[]).digest().to_owned();
    let took = began.elapsed();
    let workshop = Workshop::unbuilt();
    workshop.write("image.yaml", spec);
    for part in [1_u32, 3, 5, 7] {
        let mut child = spawn(&mut workshop.command(&["build", "image.yaml"]));
        std::thread::sleep(took * part / 8);
        let id = i32::try_from(child.id()).ok().and_then(Pid::from_raw).unwrap();
        kill_process(id, Signal::KILL).unwrap();
        child.wait().unwrap();
        let report = workshop.store().check(Depth::Digests).unwrap();
        assert!(report.is_clean(), "killed after {part} of 8 parts: {report:?}");
    }
    assert_recovers(&workshop, &expected, "four kills");
}
