//! What people read when something fails: what, on which input, what to do; and the exit code for programs.

use std::fmt::Write as _;
use std::process::Command;

use crate::support::{Offline, run_within};

/// The exit code and what was printed, without the names that differ between runs.
#[track_caller]
fn told(world: &Offline, command: &mut Command) -> String {
    let run = run_within(command, std::time::Duration::from_mins(1));
    let index = world.index.url();
    let index = index.trim_start_matches("http://").trim_end_matches("/simple");
    let mut text = format!("exit code {}\n", run.code.unwrap());
    for (stream, printed) in [("out", &run.stdout), ("err", &run.stderr)] {
        let printed = printed
            .replace(&world.registry.host(), "registry.test")
            .replace(index, "index.test")
            .replace(&world.workshop.path("").display().to_string(), "/workshop/");
        // What uv says of a conflict is in the words of its release.
        let passing = ["resolving ", " checking ", "  cause: "];
        let lines = printed.lines().filter(|line| !passing.iter().any(|start| line.starts_with(start)));
        lines.for_each(|line| writeln!(text, "{stream}: {}", without_tag(line)).unwrap());
    }
    text
}

/// The tag depends on the port of the registry.
fn without_tag(line: &str) -> String {
    match line.split_once("/app:") {
        Some((before, rest)) => {
            let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == '-'));
            format!("{before}/app:TAG{}", &rest[end.unwrap_or(rest.len())..])
        }
        None => line.to_owned(),
    }
}

#[test]
fn a_variable_that_nothing_sets_is_told() {
    let Some(world) = Offline::new() else { return };
    world.spec_with(
        &["gamma"],
        "env: {PASS: 'pa$$w0rd', KEPT: 'pa\\$\\$w0rd', SEARCH: '/x:$PATH:${NONE:-y}'}\n",
    );
    let built = world.workshop.run(&["build", "image.yaml"]).expect(0);
    built.says(&["warning: `env`: PASS refers to $w0rd", "`\\$`"]).never_says(&["KEPT", "SEARCH"]);
}

#[test]
fn of_several_specs_the_one_that_failed_is_named() {
    let Some(world) = Offline::new() else { return };
    world.spec(&["gamma"]);
    world.workshop.write("bad.yaml", "packages: [gamma]\nenv: {1A: b}\n");
    let first = world.workshop.run(&["build", "bad.yaml", "image.yaml"]).expect(2);
    first.says(&["bad.yaml failed; not tried: image.yaml"]);
    world.workshop.run(&["build", "image.yaml", "bad.yaml"]).expect(2).says(&["bad.yaml failed\n"]);
    world.workshop.run(&["build", "bad.yaml"]).expect(2).never_says(&["bad.yaml failed"]);
}

#[test]
fn every_exit_code_has_a_message_that_helps() {
    let Some(world) = Offline::new() else { return };
    let workshop = &world.workshop;
    let mut all = String::new();
    let mut check = |title: &str, command: &mut Command| {
        writeln!(all, "# {title}\n{}", told(&world, command)).unwrap();
    };
    world.spec(&["gamma"]);
    check("it does not exist", &mut workshop.command(&["exists", "image.yaml"]));
    check("no such file", &mut workshop.command(&["build", "none.yaml"]));
    let base = format!("base_image: {}/none:1\npackages: [gamma]\n", world.registry.host());
    workshop.write("base.yaml", base);
    check("no such base", &mut workshop.command(&["build", "base.yaml"]));
    check(
        "the registry does not answer",
        &mut workshop.command(&["exists", "image.yaml", "--registry", "localhost:1"]),
    );
    check(
        "the store is in a file",
        workshop
            .command(&["build", "image.yaml"])
            .env("IMAGEWRIGHT_STORE", workshop.project().join("image.yaml/store")),
    );
    workshop.write("field.yaml", "pakages: [gamma]\n");
    check("a field that there is not", &mut workshop.command(&["build", "field.yaml"]));
    workshop.write("pending.yaml", "packages: [gamma]\ncommands: [date]\n");
    check("a field that is not done yet", &mut workshop.command(&["build", "pending.yaml"]));
    world.spec(&["delta"]);
    check("no such package", &mut workshop.command(&["build", "image.yaml"]));
    world.spec(&["alpha==1.0", "alpha==2.0"]);
    check("versions that conflict", &mut workshop.command(&["build", "image.yaml"]));
    insta::assert_snapshot!(all.trim_end());
}
