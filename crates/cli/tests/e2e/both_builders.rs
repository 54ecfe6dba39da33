//! Both builders make the same of a spec: packages, environment, user, working directory and entry point, as `diff` tells
//! them and as Docker does.

use std::path::Path;

use serde_json::Value;

use super::asked::Project;
use crate::support::{Docker, Engine, Peers, Report, unique};

/// What may differ, and why.
const TOLERATED: &[(&str, &str, &str)] =
    &[("environment", "_F_IMG_ID", "it is the spec's, which names the image, and two images have two names")];

/// What a container tells of itself.
const PACKAGES: &str = "python -m pip list --format=freeze; dpkg-query --show; id; pwd; env | sort | grep -v -e HOSTNAME= -e _F_IMG_ID=";

/// Two images that ought to be the same.
struct Pair {
    native: String,
    docker: String,
}

/// Builds a spec of the workshop with both builders.
#[track_caller]
fn build(engine: &Engine, spec: &str, more: &[&str]) -> Pair {
    let text = fs_err::read_to_string(engine.workshop.project().join(spec)).unwrap();
    engine.workshop.write(spec, format!("{text}builder_config: {{uv_image: '{}'}}\n", engine.uv_image));
    let registry = &engine.peers.registry;
    let build = |builder: &str| {
        let name = unique(&format!("{}-{builder}", spec.trim_end_matches(".yaml").replace('_', "-")));
        let arguments =
            ["build", spec, "--json", "--builder", builder, "--name", &name, "--registry", registry];
        let built = engine.run(&[&arguments[..], more].concat()).expect(0);
        Report::parse(&built.stdout).text("image").to_owned()
    };
    Pair { native: build("native"), docker: build("docker") }
}

impl Pair {
    /// Whether they are the same but for what is tolerated.
    #[track_caller]
    fn assert_same(&self, engine: &Engine) {
        let told = engine.run(&["diff", &self.native, &self.docker, "--json"]).expect(1).stdout;
        let told: Value = serde_json::from_str(&told).unwrap();
        for (part, changes) in told["changes"].as_object().unwrap() {
            for change in changes.as_array().unwrap() {
                let is_tolerated =
                    TOLERATED.iter().any(|(known, name, _)| known == part && change["name"] == *name);
                assert!(is_tolerated, "{part}: {change}");
            }
        }
        let [native, docker] = [&self.native, &self.docker].map(|image| {
            let container = Docker::pull(&engine.peers.docker, image);
            container.check_requirements();
            let config = engine.docker(&["image", "inspect", "--format", "{{json .Config}}", image]);
            let config: Value = serde_json::from_str(&config).unwrap();
            let config = ["User", "WorkingDir", "Entrypoint", "Cmd"].map(|name| config[name].clone());
            (container.run(&["sh", "-c", PACKAGES]), config)
        });
        assert_eq!(native, docker);
        assert!(native.0.contains("pip==") && native.0.contains("dpkg\t"), "{}", native.0);
    }
}

/// Compares what both make of a spec that is there already.
#[track_caller]
fn check(folder: &str, name: &str) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests").join(folder);
    let Some(project) = Project::of(&folder, name) else { return };
    let Some(peers) = Peers::find() else { return };
    let Some(engine) = Engine::with(peers, project.workshop) else { return };
    build(&engine, &project.spec, &[]).assert_same(&engine);
}

#[test]
#[ignore = "takes a minute, and copies are among everything at once: cargo xtask test --long"]
fn of_the_guides_spec_with_copies() {
    check("guide", "several_copies");
}

#[test]
fn of_commands_in_an_assembled_base() {
    check("specs", "commands");
}

#[test]
fn of_everything_at_once() {
    let Some(engine) = Engine::find() else { return };
    let workshop = &engine.workshop;
    workshop.write("data/a.csv", "a,b\n");
    workshop.write("app/greeter.py", "GREETING = 'hello'\n");
    workshop.write(
        "app/pyproject.toml",
        "[build-system]\nrequires = ['setuptools']\nbuild-backend = 'setuptools.build_meta'\n\
         [project]\nname = 'greeter'\nversion = '1.2'\ndependencies = ['six']\n[tool.setuptools]\npy-modules = ['greeter']\n",
    );
    let spec = format!(
        "base_image: {}/debian-python:bookworm\napt_packages: [git, 'tree=2.*']\n\
         packages: [./app, requests]\ncopy: [data]\nenv: {{COLOUR: 'light \"green\"', SEARCH: '/x:$PATH'}}\n\
         entrypoint: [env, GREETING=hello]\ncommands: ['git --version > /opt/git', 'cat /root/data/a.csv >> /opt/git']\n",
        engine.peers.bases
    );
    workshop.write("image.yaml", &spec);
    let pair = build(&engine, "image.yaml", &[]);
    pair.assert_same(&engine);
    let container = Docker::pull(&engine.peers.docker, &pair.docker);
    let said = container.run(&["sh", "-c", "cat /opt/git; echo $GREETING; apt-mark showauto git git-man"]);
    assert!(said.starts_with("git version 2.") && said.ends_with("a,b\nhello\ngit-man"), "{said}");

    // The lock has what apt chose, for Docker as well, and Docker chooses nothing else.
    let (registry, name) = (&engine.peers.registry, pair.native.rsplit_once(':').unwrap().0);
    let name = name.strip_prefix(registry.as_str()).unwrap().trim_start_matches('/');
    engine.run(&["lock", "image.yaml", "--name", name, "--registry", registry]).expect(0);
    let version = container.run(&["dpkg-query", "--show", "--showformat=git=${Version}", "git"]);
    let printed = engine.run(&["dockerfile", "image.yaml", "--frozen"]).expect(0).stdout;
    let install = printed.lines().find(|line| line.contains("apt-get install")).unwrap();
    assert!(install.contains(&format!(" {version} ")) && install.contains(" tree=2."), "{install}");
    assert!(
        printed.lines().any(|line| line.contains("apt-mark auto") && line.contains(" git-man ")),
        "{printed}"
    );

    let lock = fs_err::read_to_string(workshop.project().join("image.lock")).unwrap();
    workshop.write("image.lock", lock.replace(&version, "git=1:0.1-1"));
    let other = unique("gone");
    let arguments =
        ["build", "image.yaml", "--frozen", "--builder", "docker", "--name", &other, "--registry", registry];
    engine.run(&arguments).expect(5).says(&["Version '1:0.1-1' for 'git' was not found", "--upgrade apt"]);
    engine.run(&["exists", "image.yaml", "--name", &other, "--registry", registry]).expect(1);
}
