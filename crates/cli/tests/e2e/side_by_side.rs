//! Several specs of one command: each image once, and what they have in common once.

use std::collections::BTreeMap;

use imagewright_testkit::registry::{Effect, Fault, Request};
use serde_json::{Value, json};

use crate::support::{Offline, Report, assert_valid, small};

/// How often each of `what` is there.
fn counted<T: Ord>(what: impl IntoIterator<Item = T>) -> BTreeMap<T, usize> {
    let mut counts = BTreeMap::new();
    for one in what {
        *counts.entry(one).or_default() += 1;
    }
    counts
}

#[track_caller]
fn assert_each_once<T: Ord + std::fmt::Debug>(what: impl IntoIterator<Item = T>) {
    let counts = counted(what);
    assert!(!counts.is_empty() && counts.values().all(|count| *count == 1), "{counts:?}");
}

/// The reports count the bytes that the registry was sent.
#[track_caller]
fn assert_sent(requests: &[Request], reports: &[Report]) {
    let bytes: u64 = reports.iter().map(|report| report.number("bytes_uploaded")).sum();
    let patched = requests.iter().filter(|it| it.method == "PATCH").filter_map(|it| it.content_length);
    assert_eq!(bytes, patched.sum::<u64>());
}

/// The lines of stdout.
fn lines(stdout: &str) -> Vec<Value> {
    stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// A spec of the world, for other packages and by another name.
fn spec(world: &Offline, name: &str, packages: &[&str]) -> String {
    world.spec(packages);
    let text = fs_err::read_to_string(world.workshop.project().join("image.yaml")).unwrap();
    text.replace("name: app", &format!("name: {name}"))
}

/// A spec on top of another one.
fn over(world: &Offline, name: &str, packages: &[&str], base: &str) -> String {
    let base: String = base.lines().flat_map(|line| ["\n  ", line]).collect();
    let own = spec(world, name, packages);
    let own: String =
        own.lines().filter(|line| !line.starts_with("base_image")).flat_map(|line| [line, "\n"]).collect();
    format!("{own}base_image:{base}\n")
}

#[test]
fn what_several_images_have_in_common_is_made_and_sent_once() {
    let Some(world) = Offline::new() else { return };
    let own = ["own0", "own1", "own2", "own3", "own4", "own5"];
    for name in own {
        world.index.add(&small(name, "1.0"));
    }
    let below = spec(&world, "below", &["beta"]);
    let over = |name: &str, own: &str| over(&world, name, &[own], &below);
    let spec = |name: &str, own: &str| spec(&world, name, &["beta", own]);
    let (workshop, registry) = (&world.workshop, &world.registry);
    // Two are one image, two are on top of a third one, and that comes last.
    let specs = [
        ("a", spec("a", own[0])),
        ("b", spec("b", own[1])),
        ("same", spec("a", own[0])),
        ("c", spec("c", own[2])),
        ("d", spec("d", own[3])),
        ("over4", over("over4", own[4])),
        ("over5", over("over5", own[5])),
        ("below", below.clone()),
    ];
    let files = specs.each_ref().map(|(file, text)| {
        workshop.write(&format!("{file}.yaml"), text);
        format!("{file}.yaml")
    });
    world.index.forget_requests();
    registry.forget_requests();
    let files: Vec<&str> = files.iter().map(String::as_str).collect();
    let built = workshop.run(&[&["build", "--json"], &files[..]].concat()).expect(0);
    let reports: Vec<Report> = built.stdout.lines().map(Report::parse).collect();
    let name = |report: &Report| {
        report.text("image").split_once('/').unwrap().1.split_once(':').unwrap().0.to_owned()
    };
    let names: Vec<String> = reports.iter().map(name).collect();
    assert_eq!(names, ["a", "b", "a", "c", "d", "over4", "over5", "below"]);
    assert_eq!(reports[0].digest(), reports[2].digest());
    assert_eq!(reports[2].number("requests"), 0);
    for report in &reports {
        assert_valid(report.text("image"));
    }

    let distinct: Vec<&Report> =
        reports.iter().enumerate().filter(|(at, _)| *at != 2).map(|it| it.1).collect();
    assert_each_once(distinct.iter().flat_map(|report| report.produced()).map(|layer| layer.digest));
    let wheels = world.index.requests().into_iter();
    assert_each_once(wheels.filter(|path| path.starts_with("GET /files/") && !path.contains(".metadata")));
    let requests = registry.requests();
    let commits = requests.iter().filter(|it| it.method == "PUT" && it.path.contains("/blobs/uploads/"));
    let digest = |path: &str| path.split_once("digest=").unwrap().1.to_owned();
    let sent: Vec<String> = commits.map(|it| digest(&it.path)).collect();
    assert_each_once(&sent);
    // alpha is in all of them, and in no repository twice.
    let is_alpha = |layer: &&crate::support::Layer| layer.packages.iter().any(|it| it.starts_with("alpha "));
    let alpha = reports[0].own_layers().iter().find(is_alpha).unwrap().digest.replace(':', "%3A");
    assert!(sent.iter().any(|sent| sent.replace(':', "%3A") == alpha), "{alpha} {sent:?}");
    let tagged = requests.iter().filter(|it| it.method == "PUT" && it.path.contains("/manifests/"));
    let tagged: Vec<&str> = tagged.map(|it| &*it.path).filter(|path| !path.contains("sha256")).collect();
    assert_each_once(&tagged);
    assert_sent(&requests, &reports);
    // Lines say which image they are about.
    built.says(&["[over4] resolving over4", "[below] resolving below"]);

    // Nothing is left to do, which is found out side by side as well.
    let again = workshop.run(&[&["build", "--json"], &files[..]].concat()).expect(0);
    assert!(lines(&again.stdout).iter().all(|it| it["status"] == "exists"), "{}", again.stdout);
    // What is made anew is made anew once.
    let anew = workshop.run(&[&["build", "--json", "--no-cache"], &files[..]].concat()).expect(0);
    let reports: Vec<Report> = anew.stdout.lines().map(Report::parse).collect();
    let distinct = reports.iter().enumerate().filter(|(at, _)| *at != 2).map(|it| it.1);
    assert_each_once(distinct.flat_map(Report::produced).map(|layer| layer.digest));
}

#[test]
fn when_one_fails_those_under_way_are_finished() {
    let Some(world) = Offline::new() else { return };
    let workshop = &world.workshop;
    let none = spec(&world, "none", &["delta"]);
    workshop.write("none.yaml", &none);
    workshop.write("over.yaml", over(&world, "over", &["beta"], &none));
    workshop.write("missing.yaml", spec(&world, "missing", &["epsilon"]));
    workshop.write("good.yaml", spec(&world, "good", &["beta"]));
    let files = ["over.yaml", "missing.yaml", "good.yaml", "none.yaml"];
    let failed = workshop.run(&[&["build", "--json", "--progress", "none"], &files[..]].concat()).expect(3);
    let told = lines(&failed.stdout);
    let statuses: Vec<&str> = told.iter().map(|it| it["status"].as_str().unwrap()).collect();
    assert_eq!(statuses, ["not-begun", "failed", "built", "failed"]);
    let of = |file: &str| failed.count(&format!("error: {file}: the packages for"));
    assert_eq!((of("none.yaml"), of("missing.yaml"), of("over.yaml")), (1, 1, 0), "{}", failed.stderr);
    assert_eq!(told[3]["failure"]["exit_code"], 3);
    assert!(told[1]["failure"]["message"].as_str().unwrap().contains("missing.yaml"), "{}", told[1]);
    let plain = workshop.run(&["build", "over.yaml", "none.yaml"]).expect(3);
    plain.says(&["not begun: over.yaml\n", "error: none.yaml: "]);
}

#[test]
fn questions_are_answered_in_the_order_of_the_specs() {
    let Some(world) = Offline::new() else { return };
    let (workshop, registry) = (&world.workshop, &world.registry);
    for name in ["a", "b"] {
        workshop.write(&format!("{name}.yaml"), spec(&world, name, &["gamma"]));
    }
    let both = |verb: &str, code| workshop.run(&[verb, "b.yaml", "a.yaml"]).expect(code).stdout;
    let one = |verb: &str, name: &str| workshop.run(&[verb, &format!("{name}.yaml")]).expect(0).stdout;
    for verb in ["tag", "id", "name"] {
        assert_eq!(both(verb, 0), one(verb, "b") + &one(verb, "a"));
    }
    // Standard input may have several, too.
    let text = |name: &str| json!({ "name": name, "registry": registry.host(), "packages": ["gamma"] });
    let array = json!([text("b"), { "spec": text("a") }]).to_string();
    let names = workshop.run_on(&array, &["name", "-"]).expect(0).stdout;
    let names: Vec<&str> = names.lines().map(|it| it.split(['/', ':']).nth(2).unwrap()).collect();
    assert_eq!(names, ["b", "a"]);

    let plan = workshop.run(&["plan", "--json", "b.yaml", "a.yaml"]).expect(0);
    let images: Vec<Value> = lines(&plan.stdout).into_iter().map(|it| it["image"].clone()).collect();
    assert_eq!(images, [one("name", "b").trim(), one("name", "a").trim()]);
    plan.says(&["[a] resolving a", "[b] resolving b"]);

    workshop.build("b.yaml", &[]);
    assert_eq!(both("exists", 1), "true\nfalse\n");
    workshop.build("a.yaml", &[]);
    assert_eq!(both("exists", 0), "true\ntrue\n");
    registry.inject(Fault::on("*", "/v2/b/manifests/", Effect::status(403)));
    let files = ["a.yaml", "missing.yaml", "b.yaml"];
    workshop.run(&[&["exists"], &files[..]].concat()).expect(2).says(&["missing.yaml"]);
    workshop.write("missing.yaml", spec(&world, "missing", &["gamma"]));
    let unknown = workshop.run(&[&["exists", "--json"], &files[..]].concat()).expect(4);
    let answers: Vec<Value> = lines(&unknown.stdout).into_iter().map(|it| it["answer"].clone()).collect();
    assert_eq!(answers, ["exists", "missing", "unknown"]);
    unknown.says(&["error: b.yaml: "]);
    // That nobody knows counts, wherever it stands.
    workshop.write("wrong.yaml", spec(&world, "wrong", &["gamma"]) + "copy: [nowhere]\n");
    workshop.run(&["exists", "wrong.yaml", "a.yaml"]).expect(2).says(&["nowhere"]);
    let both = workshop.run(&["exists", "wrong.yaml", "b.yaml", "wrong.yaml"]).expect(4);
    both.says(&["error: b.yaml: ", "nowhere"]);
}
