//! `commands` run in the image as far as it is made, and what they change is in it.

use std::time::Duration;

use crate::support::{Docker, Peers, Workshop, assert_valid, network, run_within, unique};

/// What the image of `image.yaml` prints for a shell's command.
#[track_caller]
fn said(workshop: &Workshop, command: &str) -> String {
    workshop.run(&["run", "image.yaml", "--", "sh", "-c", command]).expect(0).stdout.trim_end().to_owned()
}

#[test]
fn commands_run_as_one_script_in_an_assembled_base() {
    let Some(()) = network() else { return };
    let workshop = Workshop::warm();
    let spec = |last: &str| {
        format!(
            "name: commands\npython_version: '3.11'\npackages: [six]\nenv: {{GREETING: hello there}}\ncommands:\n\
             - cd /opt\n- export A=1\n- echo \"$GREETING $A $PWD $(id -un)\" > said\n\
             - python -c 'import six; print(six.__version__)' > six\n- rm /etc/issue\n- {last}\n"
        )
    };
    workshop.write("image.yaml", spec("ln six seven"));
    let first = workshop.build("image.yaml", &[]);
    assert_eq!(
        said(&workshop, "cat /opt/said; id -un; stat -c %h,%U /opt/six"),
        "hello there 1 /opt root\nflytekit\n2,root"
    );
    assert_eq!(said(&workshop, "test -e /etc/issue || echo gone"), "gone");
    assert_eq!(said(&workshop, "dpkg --audit; dpkg-query -W -f '${db:Status-Abbrev}\\n' | sort -u"), "ii");

    let again = workshop.build("image.yaml", &["--force"]);
    assert_eq!(again.digest(), first.digest());
    assert!(
        again.layers().iter().all(|layer| layer.source == "cached"),
        "nothing runs twice: {:?}",
        again.layers()
    );
    let anew = workshop.build("image.yaml", &["--no-cache"]);
    assert_eq!(anew.digest(), first.digest(), "the same commands, the same bytes");

    workshop.write("image.yaml", spec("echo done"));
    let other = workshop.build("image.yaml", &[]);
    let (now, then) = (other.layers(), first.layers());
    let new: Vec<usize> = (0..now.len()).filter(|&at| now[at].digest != then[at].digest).collect();
    assert_eq!((new, other.produced().len()), (vec![now.len() - 1], 1), "only the commands run again");
}

#[test]
fn separate_commands_are_layers_of_their_own_over_any_base() {
    let Some(peers) = Peers::find() else { return };
    let workshop = Workshop::warm();
    let name = unique("separate");
    let spec = |second: &str| {
        format!(
            "name: {name}\nregistry: {}\nbase_image: {}/debian-python:bookworm\npackages: [six]\n\
             builder_options: {{commands: separate}}\ncommands: ['cd /tmp; echo one > /opt/one', '{second}']\n",
            peers.registry, peers.bases
        )
    };
    workshop.write("image.yaml", spec("pwd > /opt/two"));
    let first = workshop.build("image.yaml", &[]);
    assert_valid(first.text("image"));
    let container = Docker::pull(&peers.docker, first.text("image"));
    assert_eq!(container.python("print(open('/opt/one').read() + open('/opt/two').read())"), "one\n/");

    workshop.write("image.yaml", spec("echo 2 > /opt/two"));
    let second = workshop.build("image.yaml", &[]);
    assert_eq!(second.produced().len(), 1, "{:?}", second.layers());

    // What was pushed and pruned is taken from there for a command above it.
    workshop.run(&["cache", "prune", "--max-size", "0B"]).expect(0);
    workshop.write("image.yaml", spec("cp /opt/one /opt/two"));
    let third = workshop.build("image.yaml", &[]);
    assert_eq!(third.produced().len(), 1, "{:?}", third.layers());
    let container = Docker::pull(&peers.docker, third.text("image"));
    assert_eq!(container.python("print(open('/opt/two').read())"), "one");
}

#[test]
fn a_command_that_fails_is_told_and_nothing_is_pushed() {
    let Some(peers) = Peers::find() else { return };
    let workshop = Workshop::warm();
    workshop.write(
        "image.yaml",
        format!(
            "name: {}\nregistry: {}\nbase_image: {}/debian-python:bookworm\n\
             commands: [echo $ftp_proxy, echo before, echo at fault >&2, exit 7, echo after]\n",
            unique("failing"),
            peers.registry,
            peers.bases
        ),
    );
    let mut build = workshop.command(&["build", "image.yaml"]);
    // One of those that commands have; nothing else here uses it.
    build.env("ftp_proxy", "http://me:hunter-of-proxies@127.0.0.1:9");
    run_within(&mut build, Duration::from_mins(2))
        .expect(5)
        .says(&["error: commands failed with exit status 7", "    ***\n    before\n    at fault\n"])
        .says(&["hint: `imagewright run --failed`"])
        .never_says(&["after\n    ", "hunter-of-proxies"]);
    workshop.run(&["exists", "image.yaml"]).expect(1);
}

#[test]
fn a_command_has_the_network_uv_and_pip_and_leaves_no_trace_of_the_machine() {
    let Some(peers) = Peers::find() else { return };
    let workshop = Workshop::warm();
    workshop.write(
        "image.yaml",
        format!(
            "name: tools\nbase_image: {}/debian-python:bookworm\ncommands:\n\
             - uv pip install idna==3.10\n- pip install six==1.17.0\n- ls /run /root/.cache > /opt/seen || true\n",
            peers.bases
        ),
    );
    workshop.build("image.yaml", &[]);
    let python =
        "import idna, six, os; print(idna.__version__, six.__version__, os.path.exists('/run/imagewright'))";
    let told = workshop.run(&["run", "image.yaml", "--", "python", "-c", python]).expect(0);
    assert_eq!(told.stdout.trim_end(), "3.10 1.17.0 False");
    assert_eq!(said(&workshop, "env | grep -c imagewright; test -e /root/.cache || echo clean"), "0\nclean");
    // What they downloaded is counted, and goes with everything.
    let usage = workshop.run(&["cache", "du", "--json"]).expect(0).stdout;
    let usage: serde_json::Value = serde_json::from_str(&usage).unwrap();
    assert!(usage["caches"]["bytes"].as_u64().unwrap() > 10_000, "{usage}");
}
