//! Registries that refuse, stumble or lie.

use imagewright_testkit::registry::{Effect, Fault, Login, Rules};

use crate::support::{Offline, assert_valid};

/// A Docker configuration with one login.
fn login(world: &Offline, user_and_secret: &str) {
    let host = world.registry.host();
    let text = format!("{{\"auths\": {{\"{host}\": {{\"auth\": \"{user_and_secret}\"}}}}}}");
    world.workshop.write("config.json", text);
}

/// `user:wrong-secret`.
const WRONG: &str = "dXNlcjp3cm9uZy1zZWNyZXQ=";
/// `user:secret`.
const RIGHT: &str = "dXNlcjpzZWNyZXQ=";

#[test]
fn a_refused_login_names_the_source_of_the_credentials_and_never_their_value() {
    let Some(world) = Offline::new() else { return };
    for rules in [Login::token(), Login::basic()] {
        world.registry.set_rules(Rules { login: rules, ..Rules::default() });
        world.spec(&["gamma"]);
        let host = world.registry.host();
        world.workshop.run(&["build", "image.yaml"]).expect(4).says(&[
            "no credentials",
            &host,
            "docker login",
        ]);
        login(&world, WRONG);
        world.spec_with(&["gamma"], "registry_config: config.json\n");
        let refused = world.workshop.run(&["build", "image.yaml"]).expect(4);
        refused.says(&["config.json", &host]).never_says(&["wrong-secret", WRONG]);
        login(&world, RIGHT);
        let built = world.workshop.run(&["build", "image.yaml", "--force", "--json"]).expect(0);
        built.never_says(&[RIGHT, ":secret"]);
    }
}

#[test]
fn a_forbidden_push_names_the_scope() {
    let Some(world) = Offline::new() else { return };
    world.spec(&["gamma"]);
    let denied = Effect::error(403, "DENIED", "requested access to the resource is denied");
    world.registry.inject(Fault::on("POST", "/v2/app/blobs/uploads/", denied));
    let run = world.workshop.run(&["build", "image.yaml"]).expect(4);
    run.says(&["app", "push", "denied", "no credentials"]);
    assert!(world.registry.tags("app").is_empty());
}

#[test]
fn a_tag_that_may_not_be_overwritten_is_left() {
    let Some(world) = Offline::new() else { return };
    world.workshop.write("requirements.txt", "-r more.txt\n");
    world.workshop.write("more.txt", "alpha==1.0\n");
    world.spec_with(&[], "requirements: requirements.txt\n");
    let first = world.workshop.build("image.yaml", &[]);
    world.workshop.write("more.txt", "alpha==2.0\n");
    world.registry.set_rules(Rules { immutable_tags: true, ..Rules::default() });
    let run = world.workshop.run(&["build", "image.yaml"]).expect(4);
    run.says(&["cannot be overwritten", "hint:"]);
    let tag = first.text("image").rsplit(':').next().unwrap();
    assert_eq!(world.registry.tag("app", tag).unwrap().to_string(), first.digest());
}

#[test]
fn what_passes_is_waited_for() {
    let Some(world) = Offline::new() else { return };
    let limited =
        Effect::Answer { status: 429, headers: vec![("retry-after", "1".to_owned())], body: String::new() };
    let cases = [
        ("429", Fault::on("POST", "/blobs/uploads/", limited).times(2)),
        ("500 before an upload", Fault::on("POST", "/blobs/uploads/", Effect::status(500)).times(1)),
        ("503 for the bytes", Fault::on("PATCH", "/blobs/uploads/", Effect::status(503)).times(1)),
        ("a dropped connection", Fault::on("PATCH", "/blobs/uploads/", Effect::DropBefore).times(2)),
        ("a lost commit", Fault::on("PUT", "/blobs/uploads/", Effect::DropAfter).times(1)),
        ("a lost answer to the tag", Fault::on("PUT", "/manifests/", Effect::DropAfter).times(1)),
        ("a base cut short", Fault::on("GET", "/v2/base/blobs/", Effect::Truncate(100)).times(1)),
    ];
    for (number, (what, fault)) in cases.into_iter().enumerate() {
        world.spec_with(&["gamma"], &format!("env: {{CASE: \"{number}\"}}\n"));
        world.registry.delete_repository("app");
        world.registry.inject(fault);
        let run = world.workshop.run(&["build", "image.yaml", "--json"]);
        assert_eq!(run.code, Some(0), "{what}: {}", run.stderr);
        assert_valid(crate::support::Report::parse(&run.stdout).text("image"));
        world.registry.heal();
    }
}

#[test]
fn what_does_not_pass_is_an_error_of_the_network() {
    let Some(world) = Offline::new() else { return };
    let cases = [
        ("500", Fault::on("POST", "/v2/app/blobs/uploads/", Effect::status(500)), "500"),
        ("no answer", Fault::on("PATCH", "/v2/app/", Effect::DropBefore), "app"),
        ("a refused tag", Fault::on("PUT", "/v2/app/manifests/", Effect::status(500)), "500"),
        ("a base that is another", Fault::on("GET", "/v2/base/manifests/", Effect::Corrupt), "base"),
    ];
    for (number, (what, fault, text)) in cases.into_iter().enumerate() {
        world.spec_with(&["gamma"], &format!("env: {{CASE: \"{number}\"}}\n"));
        world.registry.inject(fault);
        let store = format!("store-{number}");
        let mut command = world.workshop.command(&["build", "image.yaml"]);
        command.env("IMAGEWRIGHT_STORE", world.workshop.path(&store));
        let run = crate::support::run_within(&mut command, std::time::Duration::from_mins(2));
        assert_eq!(run.code, Some(4), "{what}: {}", run.stderr);
        run.says(&[text]);
        assert!(world.registry.tags("app").is_empty(), "{what}");
        world.registry.heal();
    }
}
