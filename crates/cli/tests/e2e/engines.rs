//! Images that engines take and run.

use std::path::Path;
use std::time::Duration;

use crate::support::{Docker, Peers, Report, Workshop, is_skipped_without, run_within, unique};

const LIMIT: Duration = Duration::from_mins(2);

/// What each engine is asked, and what it answers: the package, a variable with a space, the user, the directory.
const QUESTION: &str =
    "import os, six; print(six.__version__, os.environ['WORDS'], os.getuid(), os.getcwd())";
const ANSWER: &str = "1.17.0 two words 1000 /root";

fn workshop(peers: &Peers) -> Workshop {
    let workshop = Workshop::warm();
    let (name, base) = (unique("loaded"), format!("{}/debian-python:bookworm", peers.bases));
    let spec =
        format!("name: {name}\nbase_image: {base}\npackages: [six==1.17.0]\nenv: {{WORDS: two words}}\n");
    workshop.write("image.yaml", spec);
    workshop
}

/// Loads the image where `variables` point to.
fn load(workshop: &Workshop, engine: &str, variables: &[(&str, &str)]) -> Report {
    let mut command = workshop.command(&["build", "image.yaml", "--json", "--load", engine]);
    let ended = run_within(command.envs(variables.iter().copied()), LIMIT).expect(0);
    let report = Report::parse(&ended.stdout);
    assert_eq!(report.outputs()[0].0, engine);
    report
}

/// What an engine's program prints.
#[expect(clippy::disallowed_methods, reason = "peers are programs")]
fn ask(program: &str, arguments: &[&str], variables: &[(&str, &str)]) -> String {
    let mut command = std::process::Command::new(program);
    run_within(command.args(arguments).envs(variables.iter().copied()), LIMIT)
        .expect(0)
        .stdout
        .trim_end()
        .to_owned()
}

#[test]
fn docker_takes_an_image() {
    let Some(peers) = Peers::find() else { return };
    let workshop = workshop(&peers);
    let report = load(&workshop, "docker", &[("DOCKER_HOST", &format!("unix://{}", peers.docker))]);
    let container = Docker::loaded(&peers.docker, report.text("image"));
    assert_eq!(container.python(QUESTION), ANSWER);
    container.check_requirements();

    let mut command = workshop.command(&["build", "image.yaml", "--load", "docker"]);
    run_within(command.env("DOCKER_HOST", "unix:///nowhere/docker.sock"), LIMIT).expect(6).says(&[
        "docker did not load the image",
        "/nowhere/docker.sock",
        "hint:",
    ]);
}

#[test]
fn containerd_takes_an_image_with_its_digest() {
    let Some(peers) = Peers::find() else { return };
    if is_skipped_without("ctr") {
        return;
    }
    let workshop = workshop(&peers);
    // dockerd starts a containerd of its own.
    let socket = Path::new(&peers.docker).with_file_name("exec/containerd/containerd.sock");
    let variables = [("CONTAINERD_ADDRESS", socket.to_str().unwrap())];
    let namespace = unique("imagewright");
    let report = load(&workshop, &format!("containerd:{namespace}"), &variables);
    let ctr =
        |arguments: &[&str]| ask("ctr", &[&["--namespace", &namespace], arguments].concat(), &variables);
    let listed = ctr(&["images", "list"]);
    let name = format!("docker.io/library/{}", report.text("image"));
    assert!(listed.contains(&name) && listed.contains(report.digest()), "{listed}");
    let run = ["run", "--rm", &name, "asked", "python", "-c", QUESTION];
    assert_eq!(ctr(&run), ANSWER);
    ctr(&["images", "remove", &name]);
}

#[test]
fn podman_takes_an_image() {
    let Some(peers) = Peers::find() else { return };
    if is_skipped_without("podman") {
        return;
    }
    let workshop = workshop(&peers);
    let (storage, running) = (workshop.path("podman"), workshop.path("podman-run"));
    let settings = format!("[storage]\ndriver = \"vfs\"\ngraphroot = {storage:?}\nrunroot = {running:?}\n");
    let settings_file = workshop.path("storage.conf");
    fs_err::write(&settings_file, settings).unwrap();
    let variables = [("CONTAINERS_STORAGE_CONF", settings_file.to_str().unwrap())];
    let report = load(&workshop, "podman", &variables);
    let name = format!("docker.io/library/{}", report.text("image"));
    // Limits and groups are those that a container within a container may have.
    let run = ["run", "--rm", "--network=none", "--cgroup-manager=cgroupfs", "--runtime=runc"];
    let limits = ["--ulimit=nofile=1024:1024", "--ulimit=nproc=1000:1000", &name, "python", "-c", QUESTION];
    assert_eq!(ask("podman", &[&run[..], &limits].concat(), &variables), ANSWER);
    ask("podman", &["system", "reset", "--force"], &variables);
}
