//! The docker and the noop builder.

use std::time::Duration;

use imagewright_oci::Platform;
use imagewright_testkit::image::ImageBuilder;
use imagewright_testkit::registry::{Login, Rules, TestRegistry};
use serde_json::Value;

use crate::support::{Docker, Engine, Offline, Report, Workshop, run_within, unique};

const LIMIT: Duration = Duration::from_mins(5);

/// A text without what differs between runs: ports, tags and digests.
fn normalised(world: &Offline, text: &str) -> String {
    let printed =
        |command: &str| world.workshop.run(&[command, "image.yaml"]).expect(0).stdout.trim().to_owned();
    let (tag, id) = (printed("tag"), printed("id"));
    let index = world.index.url();
    let index = index.trim_start_matches("http://").trim_end_matches("/simple");
    let text = text
        .replace(&world.registry.host(), "registry.test")
        .replace(index, "index.test")
        .replace(&tag, "TAG")
        .replace(&id, "ID");
    without_digits(&without_digits(&text, "sha256:"), "-amd64-")
}

/// A text without the digits of digests behind `mark`.
fn without_digits(text: &str, mark: &str) -> String {
    let mut parts = text.split(mark);
    let first = parts.next().unwrap().to_owned();
    parts.fold(first, |text, part| {
        text + mark + "…" + part.trim_start_matches(|c: char| c.is_ascii_hexdigit())
    })
}

#[test]
fn a_dockerfile_says_what_the_plan_has() {
    let Some(world) = Offline::new() else { return };
    let base = ImageBuilder::like_debian(Platform::linux_amd64(), "3.11.2");
    base.file("usr/bin/apt-get", "").put(&world.registry, "base", "1");
    world.workshop.write("data/a.csv", "a,b\n");
    world.workshop.write("netrc", "machine index.test\n");
    world.spec_with(
        &["beta"],
        "builder: docker\nbuilder_config: {uv_image: 'uv.test/uv:1'}\nruntime_packages: []\n\
         apt_packages: [git, 'curl=8.*']\ncommands: [cd /opt, 'echo \"$HOME\" > it''s']\n\
         env: {COLOUR: 'light \"green\"', SEARCH: '/x:$PATH'}\nentrypoint: [python, -u]\ncopy: [data]\n\
         pip_secret_mounts: [[netrc, /root/.netrc], [netrc, 'env:TOKEN']]\n",
    );
    let mut command = world.workshop.command(&["dockerfile", "image.yaml"]);
    let printed = run_within(command.env_remove("SSL_CERT_FILE"), LIMIT).expect(0);
    insta::assert_snapshot!("dockerfile", normalised(&world, &printed.stdout));
    let printed = printed.says(&["needs packages/pylock.toml, copies/0.tar.gz", "--secret id=secret_0,src="]);

    let mut command = world.workshop.command(&["dockerfile", "image.yaml", "-o", "context"]);
    let written = run_within(command.env_remove("SSL_CERT_FILE"), LIMIT).expect(0);
    assert_eq!(written.stdout, "context/Dockerfile\n");
    let context = world.workshop.project().join("context");
    let read = |name: &str| fs_err::read_to_string(context.join(name)).unwrap();
    assert_eq!(read("Dockerfile"), printed.stdout);
    insta::assert_snapshot!("pylock", normalised(&world, &read("packages/pylock.toml")));
    assert!(context.join("copies/0.tar.gz").is_file());
}

#[test]
fn what_docker_cannot_fetch_is_beside_the_dockerfile() {
    let Some(world) = Offline::new() else { return };
    let url = world.index.url().replacen("http://", "http://me:secret@", 1);
    let host = world.registry.host();
    world.workshop.write(
        "image.yaml",
        format!(
            "name: app\nregistry: {host}\nbase_image: {host}/base:1\npip_index: {url}\npackages: [gamma]\n"
        ),
    );
    world.workshop.run(&["dockerfile", "image.yaml", "-o", "context"]).expect(0).never_says(&["me:secret"]);
    let context = world.workshop.project().join("context");
    let read = |name: &str| fs_err::read_to_string(context.join(name)).unwrap();
    let lock = read("packages/pylock.toml");
    assert!(lock.contains("path = \"gamma-1.0-py3-none-any.whl\"") && !lock.contains("http"), "{lock}");
    assert!(context.join("packages/gamma-1.0-py3-none-any.whl").is_file());
    assert!(!read("Dockerfile").contains("me:secret"), "the password is in the Dockerfile");
}

#[test]
fn what_the_docker_builder_cannot_do_is_said() {
    let Some(world) = Offline::new() else { return };
    let dockerfile = |more: &str| {
        world.spec_with(&["gamma"], &format!("builder: docker\n{more}"));
        world.workshop.run(&["dockerfile", "image.yaml"])
    };
    dockerfile("env: {TEXT: \"a\\nb\"}\n")
        .expect(2)
        .says(&["line break in `TEXT`", "hint: the native builder"]);
    dockerfile("builder_config: {uv_imag: x}\n")
        .expect(2)
        .says(&["builder_config.uv_imag ", "did you mean `uv_image`?"]);
    dockerfile("builder_config: {uv_image: 1}\n")
        .expect(2)
        .says(&["builder_config.uv_image ", "a text is wanted here, not the number 1"]);
    dockerfile("pip_secret_mounts: [[none, /x]]\n").expect(2).says(&["there is no file", "none", "hint:"]);
    dockerfile("conda_packages: [gcc]\n").expect(2).says(&["conda_packages"]);
    let (host, index) = (world.registry.host(), world.index.url());
    let more = format!("pip_index: {index}, builder_options: {{bytecode: false}}");
    let below = format!("{{name: below, base_image: '{host}/base:1', {more}}}");
    let nested = format!("{{base_image: {below}, {more}}}");
    world.workshop.write("nested.yaml", nested);
    world
        .workshop
        .run(&["dockerfile", "nested.yaml"])
        .expect(2)
        .says(&["not build over below:", "hint: push it"]);
    world.spec_with(&["gamma"], "builder: docker\n");
    let build = |arguments: &[&str], variable: &str, value: &str| {
        let arguments = [&["build", "image.yaml"], arguments].concat();
        run_within(world.workshop.command(&arguments).env(variable, value), LIMIT)
    };
    build(&["--offline"], "PATH", "/nowhere")
        .expect(2)
        .says(&["with `--offline`", "hint: leave out `--offline`"]);
    build(&[], "PATH", "/nowhere").expect(2).says(&["there is no program `docker`", "hint: install Docker"]);
    let nowhere = "unix:///nowhere/docker.sock";
    build(&["--no-push"], "DOCKER_HOST", nowhere).expect(6).says(&["Docker does not answer", "hint:"]);
    build(&["--no-push", "--output", "oci:x"], "DOCKER_HOST", nowhere).expect(2).says(&["--output", "hint:"]);
    assert!(world.registry.tags("app").is_empty());
}

#[test]
fn the_noop_builder_names_the_base() {
    let Some(world) = Offline::new() else { return };
    world.spec_with(&["gamma"], "builder: noop\n");
    let base = format!("{}/base:1", world.registry.host());
    world.registry.forget_requests();
    let built = world.workshop.run(&["build", "image.yaml"]).expect(0);
    assert_eq!(built.stdout, format!("{base}\n"));
    assert!(world.registry.requests().is_empty(), "nobody was to be asked");
    assert_eq!(world.workshop.build("image.yaml", &[]).text("status"), "named");
    world.workshop.run(&["exists", "image.yaml"]).expect(0);
    world.workshop.run(&["exists", "image.yaml", "--platform", "linux/arm64"]).expect(1);
    world.workshop.run(&["plan", "image.yaml"]).expect(2).says(&["builds nothing", "hint:"]);
    world.workshop.write("image.yaml", "packages: [six]\nbuilder: noop\n");
    world.workshop.run(&["build", "image.yaml"]).expect(2).says(&["base_image", "hint:"]);
    // Of a spec that another builder makes, the command line has the last word.
    world.workshop.write("image.yaml", format!("base_image: {base}\nbuilder: remote\n"));
    let named = world.workshop.run(&["build", "image.yaml", "--builder", "noop"]).expect(0);
    assert_eq!(named.stdout, format!("{base}\n"));
    world.workshop.run(&["build", "image.yaml", "--builder", "pack"]).expect(2).says(&["--builder"]);
}

#[test]
fn docker_builds_pushes_and_knows_its_images() {
    let Some(engine) = Engine::find() else { return };
    let name = unique("docker");
    engine.workshop.write("data.csv", "a,b\n");
    engine.workshop.write("token", "s3cr3t-0f-the-build\n");
    let more = "packages: [six==1.17.0, requests]\nenv: {COLOUR: 'light \"green\"', SEARCH: '/x:$PATH'}\n\
                copy: [data.csv]\npip_secret_mounts: [[token, /run/token], [token, 'env:TOKEN']]\n\
                commands: [export A=$(wc -c </run/token), 'echo \"$A ${#TOKEN} $COLOUR\" >/opt/made']\n";
    engine.spec(&name, more);
    let report = Report::parse(&engine.run(&["build", "image.yaml", "--json"]).expect(0).stdout);
    assert_eq!(report.text("status"), "built");
    let image = report.text("image").to_owned();
    let container = Docker::pull(&engine.peers.docker, &image);
    assert_eq!(container.run(&["cat", "/opt/made", "/root/data.csv"]), "20 19 light \"green\"\na,b");
    assert_eq!(container.run(&["sh", "-c", "id -un; pwd; stat -c %U data.csv"]), "flytekit\n/root\nflytekit");
    assert_eq!(container.python("import six; print(six.__version__)"), "1.17.0");
    container.check_requirements();
    let everything = engine.docker(&["history", "--no-trunc", &image]) + &engine.docker(&["inspect", &image]);
    assert!(!everything.contains("s3cr3t"), "the secret is in the image");

    // It is there for a machine that did not build it, whatever its builder; and stale when an input changed.
    let elsewhere = Workshop::new();
    let spec = fs_err::read_to_string(engine.workshop.project().join("image.yaml")).unwrap();
    for (name, text) in
        [("image.yaml", spec.as_str()), ("data.csv", "a,b\n"), ("token", "s3cr3t-0f-the-build\n")]
    {
        elsewhere.write(name, text);
    }
    elsewhere.run(&["exists", "image.yaml"]).expect(0);
    let inspected = elsewhere.run(&["inspect", "image.yaml", "--json"]).expect(0).stdout;
    let inspected: Value = serde_json::from_str(&inspected).unwrap();
    assert_eq!(inspected["digest"], report.digest());
    assert_eq!(
        Report::parse(&engine.run(&["build", "image.yaml", "--json"]).expect(0).stdout).text("status"),
        "exists"
    );
}

#[test]
fn docker_pushes_with_the_credentials_of_the_spec() {
    let Some(engine) = Engine::find() else { return };
    let private = TestRegistry::start_with(Rules { login: Login::basic(), ..Rules::default() });
    let name = unique("login");
    let login = format!("{{\"auths\": {{\"{}\": {{\"auth\": \"dXNlcjpzZWNyZXQ=\"}}}}}}", private.host());
    engine.workshop.write("ci/login.json", login);
    engine.spec(&name, "packages: []\nregistry_config: ci/login.json\n");
    let built = engine.run(&["build", "image.yaml", "--registry", &private.host(), "--json"]).expect(0);
    let image = Report::parse(&built.stdout).text("image").to_owned();
    assert_eq!(private.tags(&name).len(), 1, "{image}");
    let _forgotten = Docker::loaded(&engine.peers.docker, &image);

    engine.workshop.write("ci/login.json", "no json");
    let again = ["build", "image.yaml", "--registry", &private.host(), "--force"];
    engine.run(&again).expect(2).says(&["login.json"]);
}

#[test]
fn what_is_not_pushed_stays_in_docker() {
    let Some(engine) = Engine::find() else { return };
    let name = unique("local");
    engine.spec(&name, "packages: [six==1.17.0]\n");
    let exists = |code: i32| engine.run(&["exists", "image.yaml"]).expect(code);
    let spec = fs_err::read_to_string(engine.workshop.project().join("image.yaml")).unwrap();
    let local: String =
        spec.lines().filter(|line| !line.starts_with("registry:")).flat_map(|line| [line, "\n"]).collect();
    engine.workshop.write("image.yaml", local);
    exists(1);
    let report =
        Report::parse(&engine.run(&["build", "image.yaml", "--tag", "latest", "--json"]).expect(0).stdout);
    let container = Docker::loaded(&engine.peers.docker, report.text("image"));
    let _latest = Docker::loaded(&engine.peers.docker, &format!("{name}:latest"));
    let id = engine.docker(&["image", "inspect", "--format", "{{.Id}}", &format!("{name}:latest")]);
    assert_eq!(id.trim(), report.digest());
    assert_eq!(container.python("import six; print(six.__version__)"), "1.17.0");
    exists(0);
    engine.run(&["build", "image.yaml"]).expect(0).says(&["exists"]);
    engine.run(&["inspect", "image.yaml"]).expect(2).says(&["is in Docker", "hint:"]);
}

#[test]
fn a_command_that_fails_is_told_with_its_last_lines() {
    let Some(engine) = Engine::find() else { return };
    engine.spec(&unique("failing"), "packages: []\ncommands: [echo one-two-three, exit 7]\n");
    let failed = engine.run(&["build", "image.yaml", "--progress", "plain"]).expect(5);
    failed.says(&["error: `docker build", "one-two-three", "hint: `imagewright dockerfile"]);
    engine.run(&["exists", "image.yaml"]).expect(1);
}
