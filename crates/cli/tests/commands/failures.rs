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
fn an_item_of_packages_that_asks_for_nothing_is_told() {
    let Some(world) = Offline::new() else { return };
    world.spec(&["gamma", "''", "'# later: delta'"]);
    let built = world.workshop.run(&["build", "image.yaml"]).expect(0);
    built.says(&["warning: `packages[1]` asks for no package", "warning: `packages[2]` asks for no package"]);
}

#[test]
fn a_package_index_that_is_none_is_named_by_its_field() {
    let Some(world) = Offline::new() else { return };
    let workshop = &world.workshop;
    fs_err::create_dir(workshop.project().join("wheels")).unwrap();
    let spec = |more: &str| {
        workshop.write(
            "image.yaml",
            format!(
                "base_image: {}/base:1\npackages: [gamma]\nbuilder_options: {{bytecode: false}}\n{more}\n",
                world.registry.host()
            ),
        );
    };
    for (more, told) in [
        ("pip_index: not-a-url", "`not-a-url` in `pip_index` is no package index"),
        ("pip_index: localhost:5000/simple", "`localhost:5000/simple` in `pip_index`"),
        ("pip_extra_index_url: [wheels, nowhere]", "`nowhere` in `pip_extra_index_url[1]`"),
        (
            "pip_extra_index_url: ['team=ftp://u:secret@x/y']",
            "`ftp://u:****@x/y` in `pip_extra_index_url[0]`",
        ),
    ] {
        spec(more);
        for command in ["build", "lock", "plan"] {
            workshop
                .run(&[command, "image.yaml"])
                .expect(2)
                .says(&[told, "hint: write a URL"])
                .never_says(&["secret"]);
        }
    }
    spec(&format!(
        "pip_index: {}\npip_extra_index_url: [\"file://{}\", ./wheels]",
        world.index.url(),
        workshop.project().join("wheels").display()
    ));
    workshop.run(&["lock", "image.yaml", "-o", "-"]).expect(0);
}

#[test]
fn credentials_that_the_spec_names_must_be_there() {
    let Some(world) = Offline::new() else { return };
    world.spec_with(&["gamma"], "registry_config: none.json\n");
    for command in [["build", "image.yaml"], ["exists", "image.yaml"], ["plan", "image.yaml"]] {
        let refused = world.workshop.run(&command).expect(2);
        refused.says(&["registry_config: there is no `none.json`"]).never_says(&["checking"]);
    }
    world.workshop.write("none.json", "{}");
    world.workshop.run(&["build", "image.yaml"]).expect(0);
}

#[test]
fn what_the_caches_lack_is_not_asked_for_offline() {
    let Some(world) = Offline::new() else { return };
    let workshop = &world.workshop;
    let hint = "hint: leave out `--offline`";
    world.spec(&["gamma"]);
    let refused = workshop.run(&["plan", "image.yaml", "--offline"]).expect(4);
    refused.says(&["the caches do not have all that is needed", hint]);
    workshop.run(&["build", "image.yaml"]).expect(0);
    workshop.run(&["plan", "image.yaml", "--offline"]).expect(0);
    workshop.run(&["build", "image.yaml", "--force", "--offline"]).expect(0);
    // Its page is known, its bytes are not.
    world.spec(&["beta"]);
    workshop.run(&["plan", "image.yaml"]).expect(0);
    let refused = workshop.run(&["build", "image.yaml", "--force", "--offline"]).expect(4);
    refused.says(&["is not in the store, and the network may not be used", hint]);
}

#[test]
fn of_several_specs_the_one_that_failed_is_named() {
    let Some(world) = Offline::new() else { return };
    world.spec(&["gamma"]);
    world.workshop.write("bad.yaml", "packages: [gamma]\nenv: {1A: b}\n");
    let first = world.workshop.run(&["build", "bad.yaml", "image.yaml"]).expect(2);
    first.says(&["error: bad.yaml: "]);
    let second = world.workshop.run(&["build", "image.yaml", "bad.yaml"]).expect(2);
    second.says(&["error: bad.yaml: "]).never_says(&["checking"]);
    let spec = fs_err::read_to_string(world.workshop.project().join("image.yaml")).unwrap();
    world.workshop.write("none.yaml", spec.replace("gamma", "delta"));
    world
        .workshop
        .run(&["build", "image.yaml", "none.yaml"])
        .expect(3)
        .says(&["done ", "error: none.yaml: "]);
    world.workshop.run(&["build", "bad.yaml"]).expect(2).never_says(&["not begun"]);
    // The plans of the others are told, and every failure.
    world.workshop.write("nothing.yaml", spec.replace("gamma", "epsilon"));
    let plan = world.workshop.run(&["plan", "--json", "none.yaml", "image.yaml", "nothing.yaml"]).expect(3);
    let plan = plan.says(&["error: none.yaml: ", "error: nothing.yaml: "]);
    assert_eq!(plan.stdout.lines().count(), 1, "{}", plan.stdout);
    assert_base_is_told_once(&world, &spec);
}

/// Whoever came first made the base, and its failure is the command's; the other says that it is the base's.
fn assert_base_is_told_once(world: &Offline, spec: &str) {
    let base: String = spec.replace("gamma", "delta").lines().flat_map(|line| ["\n  ", line]).collect();
    let own = spec.lines().filter(|line| !line.starts_with("base_image"));
    let own: String = own.flat_map(|line| [line, "\n"]).collect();
    for name in ["upper", "other"] {
        let own = own.replace("name: app", &format!("name: {name}"));
        world.workshop.write(&format!("{name}.yaml"), format!("{own}base_image:{base}\n"));
    }
    let plan = world.workshop.run(&["plan", "upper.yaml", "other.yaml"]).expect(3);
    let plan = plan.says(&["error: upper.yaml: ", "error: other.yaml: ", "could not be made", "delta"]);
    let last = plan.stderr.rfind("error: ").unwrap();
    assert!(!plan.stderr[last..].contains("could not be made"), "{}", plan.stderr);
    let build = world.workshop.run(&["build", "--json", "upper.yaml", "other.yaml"]).expect(3);
    assert_eq!(build.stdout.matches("\"exit_code\":3").count(), 2, "{}", build.stdout);
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
    workshop.write("pending.yaml", "packages: [gamma]\nconda_packages: [gcc]\n");
    check("a field that is not done yet", &mut workshop.command(&["build", "pending.yaml"]));
    world.spec(&["delta"]);
    check("no such package", &mut workshop.command(&["build", "image.yaml"]));
    world.spec(&["alpha==1.0", "alpha==2.0"]);
    check("versions that conflict", &mut workshop.command(&["build", "image.yaml"]));
    insta::assert_snapshot!(all.trim_end());
}
