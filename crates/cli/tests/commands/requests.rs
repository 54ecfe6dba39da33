//! Requests on standard input: what a front end asks for beside a spec, and whom an image serves that has it.

use imagewright_testkit::wheel::WheelBuilder;
use serde_json::{Value, json};

use crate::support::{Offline, Report, Workshop, small};

/// A request for packages over the base, with what `more` says.
fn request(world: &Offline, packages: &[&str], more: &Value) -> String {
    let host = world.registry.host();
    let spec = json!({
        "name": "app", "registry": host, "base_image": format!("{host}/base:1"), "pip_index": world.index.url(),
        "packages": packages, "builder_options": {"bytecode": false},
    });
    let mut request = json!({ "spec": spec });
    request.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    request.to_string()
}

fn build(workshop: &Workshop, request: &str) -> Report {
    Report::parse(&workshop.run_on(request, &["build", "-", "--json"]).expect(0).stdout)
}

/// A wheel beside the project, where a front end of that version keeps its own.
fn client(world: &Offline, version: &str) -> String {
    let wheel = WheelBuilder::new("client", version).file("client.py", "x = 1\n");
    let path = world.workshop.path("of the client").join(wheel.filename());
    fs_err::create_dir_all(path.parent().unwrap()).unwrap();
    fs_err::write(&path, wheel.bytes()).unwrap();
    path.display().to_string()
}

#[test]
fn what_a_front_end_asks_for_is_in_the_image_and_in_no_name() {
    let Some(world) = Offline::new() else { return };
    let workshop = &world.workshop;
    world.index.add(&small("gamma", "2.0"));
    world.spec(&["alpha==1.0"]);
    let ask = |gamma: &str, version: &str| {
        let more =
            json!({ "with": [gamma], "client": client(&world, version), "id": "its own", "python": "3.11" });
        request(&world, &["alpha==1.0"], &more)
    };
    let asked = ask("gamma==1.0", "1.0");
    let tag = workshop.run(&["tag", "image.yaml"]).expect(0).stdout;
    assert_eq!(workshop.run_on(&asked, &["tag", "-"]).expect(0).stdout, tag);
    let plan = workshop.run_on(&asked, &["plan", "-"]).expect(0).stdout;
    for because in
        ["packages[0] asks for alpha 1.0", "with[0] asks for gamma 1.0", "client asks for client 1.0"]
    {
        assert!(plan.contains(because), "{because}\n{plan}");
    }
    let built = build(workshop, &asked);
    assert_eq!(built.packages(), ["alpha 1.0", "client 1.0", "gamma 1.0", "pip 26.0", "setuptools 80.0"]);
    let image = built.text("image");
    let inspected = workshop.run(&["inspect", image, "--json"]).expect(0).stdout;
    assert!(inspected.contains("_F_IMG_ID=its own"), "{inspected}");

    // It has all that the spec asks for, on this machine and, by its annotations, on another one.
    let other = Workshop::new();
    let text = fs_err::read_to_string(workshop.project().join("image.yaml")).unwrap();
    other.write("image.yaml", text);
    for workshop in [workshop, &other] {
        workshop.run(&["exists", "image.yaml"]).expect(0);
        // Who asked for less has not made the other forget what there is.
        workshop.run_on(&asked, &["exists", "-"]).expect(0);
        let newer = ask("gamma==1.0", "2.0");
        assert_eq!(build(workshop, &newer).text("status"), "exists");
        assert_eq!(workshop.build("image.yaml", &[]).digest(), built.digest());
        let stale = workshop.run_on(&ask("gamma==2.0", "1.0"), &["exists", "-"]).expect(1).stdout;
        assert_eq!(stale.trim(), "stale: gamma 1.0 -> 2.0 (with) changed");
    }
}

#[test]
fn an_image_that_has_less_is_stale_and_made_again() {
    let Some(world) = Offline::new() else { return };
    let workshop = &world.workshop;
    world.spec(&["alpha==1.0"]);
    let first = workshop.build("image.yaml", &[]);
    let asked = request(&world, &["alpha==1.0"], &json!({ "with": ["gamma"] }));
    let stale = workshop.run_on(&asked, &["exists", "-"]).expect(1).stdout;
    assert_eq!(stale.trim(), "stale: with: gamma changed");
    let second = build(workshop, &asked);
    assert_eq!((second.text("status"), second.text("image")), ("stale-rebuilt", first.text("image")));
    assert_eq!(second.packages(), ["alpha 1.0", "gamma 1.0", "pip 26.0", "setuptools 80.0"]);
    // Nothing else moved.
    let produced: Vec<_> = second.produced().into_iter().flat_map(|layer| layer.packages).collect();
    assert_eq!(produced, ["gamma 1.0"]);
}

#[test]
fn what_is_asked_for_or_there_anyway_is_not_asked_for_again() {
    let Some(world) = Offline::new() else { return };
    let workshop = &world.workshop;
    workshop.write("requirements.txt", "-r more/nested.txt\n");
    workshop.write("more/nested.txt", "Gamma<2  # by its other name\n");
    world.spec_with(&["beta"], "requirements: requirements.txt\n");
    let image = workshop.build("image.yaml", &[]).text("image").to_owned();
    let text = fs_err::read_to_string(workshop.project().join("image.yaml")).unwrap();
    // No index has these versions, so whoever asked for them would fail.
    let more = json!({ "with": ["gamma==9.9", "beta==9.9"] });
    let mut asked: Value = serde_json::from_str(&request(&world, &["beta"], &more)).unwrap();
    asked["spec"]["requirements"] = "requirements.txt".into();
    assert_eq!(build(workshop, &asked.to_string()).text("status"), "exists", "{text}");
    // A base that has them is known when it is looked into.
    asked["spec"]["base_image"] = image.into();
    asked["spec"]["packages"] = json!(["alpha"]);
    asked["spec"].as_object_mut().unwrap().remove("requirements");
    let over = build(workshop, &asked.to_string());
    assert_eq!(over.text("status"), "built");
    assert!(!over.packages().iter().any(|package| package.contains("9.9")), "{:?}", over.packages());
    // That is known of the image, also on a machine that has not made it.
    asked["with"] = json!(["gamma==10.0", "beta==8.0"]);
    for workshop in [workshop, &Workshop::new()] {
        workshop.run_on(&asked.to_string(), &["exists", "-"]).expect(0);
    }
}

/// Machines whose front ends differ in version ask by turns; the image is made again once, for the newest.
#[test]
fn an_image_of_a_newer_version_serves_who_asks_for_an_older_one() {
    let Some(world) = Offline::new() else { return };
    let workshop = &world.workshop;
    world.index.add(&small("gamma", "1.1"));
    let ask = |packages: &[&str], gamma: &str| request(&world, packages, &json!({ "with": [gamma] }));
    let built = |asked: &str, arguments: &[&str]| {
        let told = workshop.run_on(asked, &[&["build", "-", "--json"], arguments].concat()).expect(0).stdout;
        let report = Report::parse(&told);
        let gamma = report.packages().into_iter().find(|package| package.starts_with("gamma"));
        (report.text("status").to_owned(), gamma.unwrap_or_default())
    };
    let (made, rebuilt, exists) = (
        |gamma: &str| ("built".to_owned(), format!("gamma {gamma}")),
        |gamma: &str| ("stale-rebuilt".to_owned(), format!("gamma {gamma}")),
        ("exists".to_owned(), String::new()),
    );
    assert_eq!(built(&ask(&["alpha"], "gamma==1.0"), &[]), made("1.0"));
    assert_eq!(built(&ask(&["alpha"], "gamma==1.1"), &[]), rebuilt("1.1"));
    for gamma in ["gamma==1.0", "gamma==1.1", "gamma", "gamma<2"] {
        assert_eq!(built(&ask(&["alpha"], gamma), &[]), exists, "{gamma}");
    }

    // What is asked for without a version has one in the image.
    assert_eq!(built(&ask(&["beta"], "gamma"), &[]), made("1.1"));
    assert_eq!(built(&ask(&["beta"], "gamma==1.1"), &[]), exists);

    // Who keeps to a lock has its version.
    let (lock, old) = ("old.lock", ask(&["alpha<9"], "gamma==1.0"));
    workshop.run_on(&old, &["lock", "-", "-o", lock]).expect(0);
    let new = old.replace("gamma==1.0", "gamma==1.1");
    assert_eq!(built(&new, &["--lock", lock, "--frozen"]), made("1.0"));
    for asked in [&new, &old] {
        assert_eq!(built(asked, &["--lock", lock]), exists);
    }

    // A marker leaves out what is asked for, or not.
    let marked =
        |operator: &str, gamma: &str| ask(&[&format!("gamma==1.0; python_version {operator} '3'")], gamma);
    assert_eq!(built(&marked("<", "gamma==1.1"), &[]), made("1.1"));
    assert_eq!(built(&marked(">", "gamma==9.8"), &[]), made("1.0"));
    assert_eq!(built(&marked(">", "gamma==9.9"), &[]), exists);
}

#[test]
fn a_request_says_whether_to_push_and_to_build_again() {
    let Some(world) = Offline::new() else { return };
    let workshop = &world.workshop;
    let local = request(&world, &["gamma"], &json!({ "push": false }));
    assert_eq!(build(workshop, &local).text("status"), "built");
    let pushed = request(&world, &["gamma"], &json!({ "push": true }));
    workshop.run_on(&pushed, &["exists", "-"]).expect(1);
    assert_eq!(build(workshop, &pushed).text("status"), "built");
    assert_eq!(build(workshop, &pushed).text("status"), "exists");
    let forced = request(&world, &["gamma"], &json!({ "force": true }));
    assert_eq!(build(workshop, &forced).text("status"), "built");
    let nowhere = r#"{"spec": {"packages": ["gamma"]}, "push": true}"#;
    workshop.run_on(nowhere, &["build", "-"]).expect(2).says(&["the spec has no registry to push to"]);
}

#[test]
fn a_spec_is_printed_normalised_from_wherever_it_is() {
    let workshop = Workshop::new();
    workshop.write("image.yaml", "packages: [numpy]\nenv: {A: 1.10}\nname: app\ncuda: null\n");
    let id = |file: &str| workshop.run(&["id", file]).expect(0).stdout;
    let printed = workshop.run(&["spec", "image.yaml"]).expect(0).never_says(&["warning"]).stdout;
    assert_eq!(printed, "name: app\nenv:\n  A: 1.10\npackages:\n  - numpy\n");
    let json = workshop.run(&["spec", "image.yaml", "--format", "json", "--name", "other"]).expect(0).stdout;
    assert_eq!(serde_json::from_str::<Value>(&json).unwrap()["name"], "other");
    let json = workshop.run(&["spec", "image.yaml", "--format", "json"]).expect(0).stdout;
    workshop.write("image.json", &json);
    assert_eq!(id("image.json"), id("image.yaml"));
    workshop.write("image.yaml", "source_root: .\nsource_copy_mode: ALL\n");
    let lossy = workshop.run(&["spec", "image.yaml", "--format", "json"]).expect(0);
    lossy.says(&["JSON cannot say all of it", "hint: `--format yaml` keeps all"]);

    // A script is a spec wherever one is taken, and says so without being run.
    let script =
        "# /// script\n# requires-python = '>=3.10'\n# dependencies = ['rich']\n# ///\nraise SystemExit(7)\n";
    workshop.write("tool.py", script);
    let json = workshop.run(&["spec", "tool.py"]).expect(0).stdout;
    workshop.write("tool.json", &json);
    assert_eq!(id("tool.py"), id("tool.json"));
    assert!(json.contains("\"python_version\": \"3.13\""), "{json}");
    workshop.write(
        "pyproject.toml",
        "[project]\nname = 'app'\ndependencies = ['six']\n[dependency-groups]\na = ['rich']\n",
    );
    let yaml = workshop.run(&["spec", "pyproject.toml", "--group", "a", "--format", "yaml"]).expect(0).stdout;
    assert_eq!(yaml, "name: app\npackages:\n  - six\n  - rich\n");
    workshop.run(&["id", "pyproject.toml"]).expect(0);
    workshop
        .run(&["spec", "tool.py", "--group", "a"])
        .expect(2)
        .says(&["tool.py has neither extras nor groups"]);
    workshop
        .run(&["spec", "pyproject.toml", "--extra", "b"])
        .expect(2)
        .says(&["pyproject.toml: there is no extra `b`"]);
}

#[test]
fn loaded_modules_are_copied_and_nothing_else_of_the_root() {
    let Some(world) = Offline::new() else { return };
    let workshop = &world.workshop;
    let loaded = workshop.write("src/pack/loaded.py", "x = 1\n");
    workshop.write("src/other.py", "x = 2\n");
    let ask = |modules: &[&std::path::Path]| {
        let mut asked: Value =
            serde_json::from_str(&request(&world, &["gamma"], &json!({ "loaded_modules": modules })))
                .unwrap();
        asked["spec"]["source_root"] = "src".into();
        asked["spec"]["source_copy_mode"] = "LOADED_MODULES".into();
        asked.to_string()
    };
    let built = build(workshop, &ask(&[&loaded]));
    let image = build(workshop, &ask(&[])).text("image").to_owned();
    assert_ne!(image, built.text("image"));
    let difference = workshop.run(&["diff", &image, built.text("image"), "--files"]).expect(1).stdout;
    assert!(difference.contains("root/pack/loaded.py") && !difference.contains("other.py"), "{difference}");
    let missing = ask(&[&workshop.project().join("src/gone.py")]);
    workshop.run_on(&missing, &["build", "-"]).expect(2).says(&["source_root: there is no `src/gone.py`"]);
}

#[test]
fn a_lock_of_somebody_else_gets_the_front_ends_wheel() {
    let Some(world) = Offline::new() else { return };
    let workshop = &world.workshop;
    world.spec(&["alpha==1.0"]);
    workshop.run(&["lock", "image.yaml"]).expect(0);
    // What the lock has stays, though there is a newer one.
    world.index.add(&small("setuptools", "81.0"));
    let asked = request(&world, &["alpha==1.0"], &json!({ "client": client(&world, "1.0") }));
    let build = |further: &[&str]| {
        let words = [&["build", "-", "--json", "--lock", "image.lock"], further].concat();
        Report::parse(&workshop.run_on(&asked, &words).expect(0).stdout)
    };
    let first = build(&[]);
    assert_eq!(first.packages(), ["alpha 1.0", "client 1.0", "pip 26.0", "setuptools 80.0"]);
    // Its image is made from another lock than that, so it is none that the lock speaks of.
    assert_eq!(build(&[]).digest(), first.digest());
    // Where it is insisted on, it is all there is.
    let frozen = build(&["--frozen"]);
    assert_eq!(frozen.packages(), ["alpha 1.0", "pip 26.0", "setuptools 80.0"]);
    assert_eq!(build(&["--frozen"]).text("status"), "exists");
}
