//! The specs in `tests/specs`, one for each field: built, and asked inside a running container.
//!
//! The comments at the top of a spec are what is asked, as in a terminal: a line `$ COMMAND`, and what it prints. Where
//! a line says `docker`, a Docker daemon is asked as well.

use std::path::{Path, PathBuf};

use crate::support::{Docker, Peers, Workshop, assert_valid, run, unique};

/// Makes a test of each spec by its name.
macro_rules! specs {
    ($($name:ident),+ $(,)?) => {
        $(#[test]
        fn $name() {
            check(stringify!($name));
        })+

        /// The specs that have a test.
        const TESTED: &[&str] = &[$(stringify!($name)),+];
    };
}

specs! { builder_options, commands, copy, source_copy_mode, source_root }

/// A command and what it prints.
#[derive(Debug)]
struct Question {
    command: String,
    answer: String,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/specs")
}

fn questions(text: &str) -> Vec<Question> {
    let mut questions: Vec<Question> = Vec::new();
    for line in text.lines().map_while(|line| line.strip_prefix('#')) {
        let line = line.strip_prefix(' ').unwrap_or(line);
        if let Some(command) = line.strip_prefix("$ ") {
            questions.push(Question { command: command.to_owned(), answer: String::new() });
        } else if let Some(question) = questions.last_mut() {
            question.answer.extend([line, "\n"]);
        }
    }
    questions
}

#[track_caller]
fn check(name: &str) {
    let Some(peers) = Peers::find() else { return };
    let text = fs_err::read_to_string(folder().join(format!("{name}.yaml"))).unwrap();
    let questions = questions(&text);
    assert!(!questions.is_empty(), "{name} asks nothing");
    let workshop = Workshop::warm();
    let (from, to) = (folder().join("."), workshop.project());
    run("cp", &["--recursive", "--no-dereference", from.to_str().unwrap(), to.to_str().unwrap()]);
    let (spec, image) = (format!("{name}.yaml"), unique(name));
    let with_docker = text.lines().any(|line| line == "# docker");
    let named = ["--registry", &peers.registry, "--name", &image];
    let named = if with_docker { &named[..] } else { &[] };
    let report = workshop.build(&spec, named);
    for Question { command, answer } in &questions {
        let arguments = [&["run", &spec], named, &["--", "sh", "-c", command]].concat();
        assert_eq!(workshop.run(&arguments).expect(0).stdout, *answer, "{name}: {command}");
    }
    if with_docker {
        assert_valid(report.text("image"));
        let container = Docker::pull(&peers.docker, report.text("image"));
        for Question { command, answer } in &questions {
            assert_eq!(container.run(&["sh", "-c", command]), answer.trim_end(), "{name}: {command}");
        }
    }
}

#[test]
fn every_spec_has_a_test() {
    let files = fs_err::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path());
    let specs = files.filter(|path| path.extension().is_some_and(|extension| extension == "yaml"));
    let mut names: Vec<String> =
        specs.map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned()).collect();
    names.sort();
    assert_eq!(names, TESTED);
}
