//! What a user reads when a spec is wrong.

use std::fmt::Write as _;
use std::path::Path;

use imagewright_spec::{ParseOptions, SpecError, load, parse_json, parse_yaml};

fn told(input: &str, error: &SpecError) -> String {
    let mut text = format!("--- {}\nerror: {error}\n", input.escape_debug());
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        writeln!(text, "  because: {cause}").unwrap();
        source = cause.source();
    }
    if let Some(hint) = error.hint() {
        writeln!(text, "hint: {}", hint.replace('\n', "\n      ")).unwrap();
    }
    text
}

fn yaml_errors(inputs: &[&str]) -> String {
    let tell = |input: &&str| match parse_yaml(input, &ParseOptions::default()) {
        Ok(_) => panic!("accepted: {input}"),
        Err(error) => told(input, &error),
    };
    inputs.iter().map(tell).collect()
}

#[test]
fn unknown_and_mistyped_fields() {
    insta::assert_snapshot!(yaml_errors(&[
        "package: [numpy]",
        "python: 3.12",
        "quux: 1",
        "pip_packages: [a]",
        "packages: numpy pandas",
        "packages: [1.0, {numpy: 1}]",
        "packages: {numpy: 1}",
        "name: 1.5",
        "name:",
        "name: ''",
        "env: [A=1]",
        "env: {A: null}",
        "env: {A: [1]}",
        "env: {1A: x}",
        "pip_secret_mounts: [.netrc]",
        "pip_secret_mounts: [[.netrc, .netrc], ['', /x], ['env:A B', /y], [a, /z], [b, '~/../z'], [c, /z]]",
        "builder_config: {uv_imag: x}",
        "builder_config: {foo: x}",
        "builder_options: {foo: x, copy: [{foo: x, source: y}]}",
        "builder_config: {uv_image: 1}",
        "builder_options: {bytecode: maybe}",
        "builder_options: {bytecod: true}",
        "builder_options: {commands: each}",
        "registry: 5",
        "base_image: 12",
        "base_image: {pakages: [x]}",
        "- a",
        "just text",
    ]));
}

#[test]
fn impossible_values() {
    insta::assert_snapshot!(yaml_errors(&[
        "name: My Image",
        "name: a:b",
        "registry: https://ghcr.io/me/",
        "registry: ghcr.io/",
        "registry: localhost:99999",
        "platform: darwin/arm64",
        "platform: linux/amd64,windows/amd64",
        "platform: linux/sparc",
        "platform: arm64",
        "platform: linux/amd64,linux/x86_64",
        "platform: ''",
        "python_version: 3.1",
        "python_version: 2.7",
        "python_version: '>=3.9'",
        "builder: dockr",
        "copy: [/etc/passwd, ../x, a/../b, '']",
        "source_copy_mode: some\nsource_root: .",
        "source_copy_mode: ALL",
        "base_image: Debian:12",
        "base_image: 'oci:'",
        "python_exec: /usr/bin/python3\nconda_packages: [x]",
        "requirements: a/uv.lock\npackages: [x]",
        "commands: [\"a\\0b\"]",
        "nam: a\npackages: x\nplatform: windows/amd64\n",
    ]));
}

#[test]
fn broken_text() {
    let mut told_all = yaml_errors(&[
        "",
        "# nothing\n",
        "a: [",
        "a: b: c",
        "env:\n\tA: 1",
        "name: a\n\nenv:\n  A: 1\n\tB: 2",
        "packages:\n\t- numpy\n\t- six",
        "env:\n  A: one\n\n  \tB: two",
        "env:\n    A: 1\n  # \t\n\tB: 2\nname: a",
        "name: a\n\tregistry: b",
        "commands: [\n\ta\n\t\"b\"\n]",
        "name: a\nname: b",
        "a: *b",
        "packages: &p [*p]",
        "<<: 1",
        "? [a]\n: b",
        "a: 1\n---\nb: 2",
        "env: {A: 2024-02-31}",
        "env: {A: !!binary aGk=}",
    ]);
    for input in [
        "",
        " \n",
        "{",
        "{\"name\": \"a\",\n}",
        "{'name': 1}",
        "{\"packages\": [\"a\",]}",
        "{\n# why\n}",
        "{\"a\": 1, \"a\": 2}",
        "{\"name\": 1e}",
        "[]",
        "{\n  \"nam\": \"a\"}",
    ] {
        told_all.push_str(&told(input, &parse_json(input, &ParseOptions::default()).unwrap_err()));
    }
    insta::assert_snapshot!(told_all);
}

#[test]
fn deep_and_wide_documents_are_refused() {
    let deep = format!("a: {}1{}", "[".repeat(100), "]".repeat(100));
    let laughs = (0..9).fold("a0: &a0 [x, x, x, x, x, x, x, x]\n".to_owned(), |text, index| {
        format!("{text}a{}: &a{} [{}]\n", index + 1, index + 1, vec![format!("*a{index}"); 9].join(", "))
    });
    for (input, message) in [(deep, "nested too deeply"), (laughs, "too many values")] {
        let error = parse_yaml(&input, &ParseOptions::default()).unwrap_err();
        assert!(error.to_string().contains(message), "{error}");
    }
}

#[test]
fn wrong_copies_of_the_builder() {
    let entry = |text: &str| format!("builder_options: {{copy: [{text}]}}");
    let inputs = [
        entry("data"),
        "builder_options: {copy: data}".to_owned(),
        "builder_options: {copi: []}".to_owned(),
        entry("{}"),
        entry("{source: data, dest: /opt/data}"),
        entry("{source: /data}"),
        entry("{source: a/../../b}"),
        entry("{source: data, destination: /}"),
        entry("{source: data, destination: /opt/../etc}"),
        entry("{source: data, destination: /proc/x}"),
        entry("{source: data, owner: 'a b'}"),
        entry("{source: data, owner: 'a:'}"),
        entry("{source: data, mode: 644}"),
        entry("{source: data, mode: '4755'}"),
        entry("{source: data, mode: u+x}"),
        entry("{source: 1, mode: '9'}"),
    ];
    let inputs: Vec<&str> = inputs.iter().map(String::as_str).collect();
    insta::assert_snapshot!(yaml_errors(&inputs));
    for right in ["mode: 0644", "mode: 0o644", "mode: '644'", "owner: 0", "owner: '0:0'", "destination: x/"] {
        let text = entry(&format!("{{source: data, {right}}}"));
        assert!(parse_yaml(&text, &ParseOptions::default()).is_ok(), "{text}");
    }
}

#[test]
fn no_identity() {
    let folder = tempfile::tempdir().unwrap();
    let mut told_all = String::new();
    for input in [
        "requirements: missing.txt",
        "copy: [missing]",
        "source_root: missing\nsource_copy_mode: ALL",
        "source_root: .",
        "tag_format: '{spec_hash'",
        "tag_format: '{version}'",
        "tag_format: '{{spec_hash}}'",
    ] {
        let spec = parse_yaml(input, &ParseOptions::default()).unwrap();
        let text = told(input, &spec.image_name(folder.path()).unwrap_err());
        told_all.push_str(&text.replace(folder.path().to_str().unwrap(), "DIR"));
    }
    let spec = parse_yaml(
        "conda_packages: [git]\ncudnn: 8\nplatform: linux/amd64,linux/arm64",
        &ParseOptions::default(),
    );
    told_all.push_str(&told("unsupported", &spec.unwrap().check_supported().unwrap_err()));
    let paths = [
        ("no file", "no/such.yaml"),
        ("a folder", "src"),
        ("Python", "no/such.py"),
        ("a lock", "image.lock"),
    ];
    for (input, path) in paths {
        told_all.push_str(&told(input, &load(Path::new(path), &ParseOptions::default()).unwrap_err()));
    }
    insta::assert_snapshot!(told_all);
}

#[test]
fn the_same_hint_is_given_once() {
    let spec = parse_yaml("env: {1A: a, 2B: b, 3C: c}", &ParseOptions::default());
    let hint = spec.unwrap_err().hint().unwrap();
    assert_eq!(hint.lines().count(), 1, "{hint}");
}
