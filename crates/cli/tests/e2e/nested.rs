//! A base that another spec makes.

use imagewright_testkit::registry::{Login, Rules, TestRegistry};

use crate::support::{Docker, Offline, Peers, Workshop, assert_valid, unique};

#[test]
fn a_spec_over_a_spec_over_a_spec_replaces_a_version() {
    let Some(peers) = Peers::find() else { return };
    let workshop = Workshop::warm();
    let (outer, inner) = (unique("outer"), unique("inner"));
    let registry = &peers.registry;
    let spec = |innermost: &str| {
        format!(
            "name: {outer}\nregistry: {registry}\npackages: [numpy==2.2.6, six]\n\
             base_image:\n  name: middle\n  packages: [certifi]\n  env: {{MIDDLE: set}}\n\
             \x20 base_image:\n    name: {inner}\n    registry: {registry}\n    python_version: '3.11'\n\
             \x20   packages: [{innermost}]\n"
        )
    };
    workshop.write("image.yaml", spec("numpy==1.26.4, requests"));
    assert!(workshop.run(&["exists", "image.yaml"]).expect(1).stderr.is_empty());
    let report = workshop.build("image.yaml", &["--progress", "none"]);
    assert_valid(report.text("image"));
    let container = Docker::pull(&peers.docker, report.text("image"));
    let program = "import certifi, importlib.metadata as m, numpy, os, requests, six\n\
                   found = [d.version for d in m.distributions() if d.metadata['Name'] == 'numpy']\n\
                   print(found, numpy.__version__, os.environ['MIDDLE'])";
    assert_eq!(container.python(program), "['2.2.6'] 2.2.6 set");
    container.check_requirements();

    workshop.run(&["exists", "image.yaml"]).expect(0);
    assert_eq!(workshop.build("image.yaml", &[]).text("status"), "exists");
    let forced = workshop.build("image.yaml", &["--force"]);
    assert_eq!((forced.digest(), forced.produced().len()), (report.digest(), 0));

    // The lock pins the base, so that a machine with nothing but it makes the same image.
    let lock = workshop.run(&["lock", "image.yaml", "-o", "-"]).expect(0).stdout;
    assert!(lock.contains("\"base_image: base_image: spec\"") && lock.contains("middle"), "{lock}");
    workshop.write("image.lock", lock);
    let frozen = workshop.build("image.yaml", &["--frozen", "--force"]);
    assert_eq!(frozen.digest(), report.digest());

    // A nested base counts by its name, which has its tag: another base is another image, and the lock is not its.
    workshop.write("image.yaml", spec("numpy==1.26.4, requests, idna"));
    workshop.run(&["exists", "image.yaml"]).expect(1);
    let refused = workshop.run(&["build", "image.yaml", "--frozen"]).expect(2);
    assert!(refused.stderr.contains("base_image: base_image: "), "{}", refused.stderr);
}

#[test]
fn an_entry_point_is_kept_or_replaced_or_removed() {
    let Some(peers) = Peers::find() else { return };
    let workshop = Workshop::warm();
    let spec = |entrypoint: &str| {
        format!(
            "name: {}\nregistry: {}\n{entrypoint}\nbase_image:\n  name: greeting\n\
             \x20 base_image: {}/debian-python:bookworm\n  entrypoint: [env, GREETING=hello]\n",
            unique("entrypoint"),
            peers.registry,
            peers.bases
        )
    };
    let question = ["sh", "-c", "echo ${GREETING:-silence}"];
    for (entrypoint, answer) in
        [("", "hello"), ("entrypoint: [env, GREETING=bye]", "bye"), ("entrypoint: []", "silence")]
    {
        workshop.write("image.yaml", spec(entrypoint));
        let built = workshop.build("image.yaml", &[]);
        let said = workshop.run(&[&["run", "image.yaml", "--"], &question[..]].concat()).expect(0).stdout;
        assert_eq!(said.trim_end(), answer, "{entrypoint}");
        let container = Docker::pull(&peers.docker, built.text("image"));
        assert_eq!(container.run(&question), answer, "docker, {entrypoint}");
    }
}

#[test]
fn commands_run_in_a_base_that_is_in_no_registry() {
    let Some(peers) = Peers::find() else { return };
    let workshop = Workshop::warm();
    let name = unique("over-commands");
    workshop.write(
        "image.yaml",
        format!(
            "name: {name}\nregistry: {}\npackages: [six]\ncommands: ['cat /opt/below > /opt/above']\n\
             base_image:\n  name: below\n  base_image: {}/debian-python:bookworm\n\
             \x20 commands: ['echo from below > /opt/below']\n",
            peers.registry, peers.bases
        ),
    );
    let plan = workshop.run(&["plan", "image.yaml"]).expect(0);
    assert!(plan.stdout.contains("below"), "{}", plan.stdout);
    let report = workshop.build("image.yaml", &[]);
    assert_valid(report.text("image"));
    let container = Docker::pull(&peers.docker, report.text("image"));
    assert_eq!(container.run(&["cat", "/opt/above"]), "from below");
    container.check_requirements();
    let said = workshop.run(&["run", "image.yaml", "--", "cat", "/opt/above"]).expect(0);
    assert_eq!(said.stdout.trim(), "from below");
}

#[test]
fn a_base_with_commands_is_read_once() {
    let Some(peers) = Peers::find() else { return };
    let (registry, elsewhere) = (TestRegistry::start(), Workshop::warm());
    let base = format!(
        "name: below\nregistry: {}\nbase_image: {}/debian-python:bookworm\ncommands: ['echo below > /opt/below']\n",
        registry.host(),
        peers.bases
    );
    elsewhere.write("base.yaml", &base);
    elsewhere.build("base.yaml", &[]);
    let workshop = Workshop::warm();
    let layers_read = |packages: &str| {
        let below: String = base.lines().flat_map(|line| ["  ", line, "\n"]).collect();
        workshop.write("image.yaml", format!("name: over\npackages: [{packages}]\nbase_image:\n{below}"));
        registry.forget_requests();
        workshop.build("image.yaml", &[]);
        let requests = registry.requests();
        requests.iter().filter(|it| it.method == "GET" && it.path.contains("/blobs/")).count()
    };
    // What its commands have changed, only its layers say.
    assert!(layers_read("six") > 1);
    assert_eq!(layers_read("six, idna"), 0);
}

#[test]
fn each_spec_brings_the_credentials_of_its_registry() {
    let Some(world) = Offline::new() else { return };
    let workshop = &world.workshop;
    let private = |user: &str| {
        let login = Login::Basic { user: user.to_owned(), password: "secret".to_owned() };
        TestRegistry::start_with(Rules { login, ..Rules::default() })
    };
    let (above, below) = (private("above"), private("below"));
    // Each names the other registry, too, where it is nobody.
    let config = |own: &TestRegistry, auth: &str, other: &TestRegistry| {
        let host = own.host();
        let other = other.host();
        format!(
            "{{\"auths\": {{\"{host}\": {{\"auth\": \"{auth}\"}}, \"{other}\": {{\"auth\": \"bm9ib2R5Og==\"}}}}}}"
        )
    };
    workshop.write("above.json", config(&above, "YWJvdmU6c2VjcmV0", &below));
    workshop.write("below.json", config(&below, "YmVsb3c6c2VjcmV0", &above));
    let spec = |packages: &str| {
        format!(
            "name: over\nregistry: {}\nregistry_config: above.json\npip_index: {index}\npackages: [{packages}]\n\
             builder_options: {{bytecode: false}}\nbase_image:\n  name: below\n  registry: {}\n\
             \x20 registry_config: below.json\n  base_image: {}/base:1\n  pip_index: {index}\n\
             \x20 packages: [gamma]\n  builder_options: {{bytecode: false}}\n",
            above.host(),
            below.host(),
            world.registry.host(),
            index = world.index.url(),
        )
    };
    workshop.write("image.yaml", spec("beta"));
    workshop.build("image.yaml", &[]);
    assert_eq!((above.tags("over").len(), below.tags("below").len()), (1, 1));
    // A machine that has neither gets the base from its registry.
    let elsewhere = Workshop::new();
    for file in ["above.json", "below.json"] {
        elsewhere.write(file, fs_err::read(workshop.project().join(file)).unwrap());
    }
    elsewhere.write("image.yaml", spec("beta, gamma"));
    below.forget_requests();
    let built = elsewhere.build("image.yaml", &[]);
    assert_eq!(above.tags("over").len(), 2);
    assert!(below.requests().iter().all(|request| request.method != "PUT"), "the base is there");
    elsewhere.run(&["inspect", built.text("image")]).expect(0);
    elsewhere.run(&["diff", "image.yaml", built.text("image")]).expect(0);

    fs_err::remove_file(elsewhere.project().join("below.json")).unwrap();
    elsewhere.run(&["build", "image.yaml"]).expect(2).says(&["registry_config", "below.json"]);
}

#[test]
fn an_image_is_not_its_own_base() {
    let Some(world) = Offline::new() else { return };
    let workshop = &world.workshop;
    let refused = |spec: &str, says: &str| {
        workshop.write("image.yaml", spec);
        for command in ["build", "exists", "lock"] {
            workshop.run(&[command, "image.yaml"]).expect(2).says(&[says, "hint: "]);
        }
    };
    workshop.write("image.yaml", "&a\nname: app\nbase_image: *a\n");
    workshop.run(&["build", "image.yaml"]).expect(2).says(&["an alias refers to what it is part of"]);
    let named = "name: app\ntag_format: latest\npackages: [gamma]\nbase_image:\n  ";
    let same = format!("{named}name: app\n  tag_format: latest\n  packages: [beta]\n");
    refused(
        &same,
        "base_image: docker.io/library/app:latest would be made on top of an image of the same name",
    );
    let between = format!("{named}name: between\n  base_image: {{name: app, tag_format: latest}}\n");
    refused(&between, "app:latest");
    let host = world.registry.host();
    refused(
        &format!("name: app\nregistry: {host}\ntag_format: latest\nbase_image: {host}/app:latest\n"),
        "app:latest",
    );
    assert!(world.registry.tags("app").is_empty());
}
