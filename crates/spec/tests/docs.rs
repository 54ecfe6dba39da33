//! `docs/spec.md` says what the tables of fields say.

use std::path::Path;

use imagewright_spec::{Arrives, FIELDS, FieldInfo, PENDING, ParseOptions, parse_yaml};

fn support(info: &FieldInfo) -> String {
    let pending = PENDING.iter().filter(|pending| pending.field == info.field);
    let notes: Vec<String> = pending
        .map(|pending| {
            let when = match pending.arrives {
                Arrives::Part(part) => format!("part {part}"),
                Arrives::Never => "never".to_owned(),
            };
            pending.what.map_or_else(|| when.clone(), |what| format!("{what}: {when}"))
        })
        .collect();
    let is_whole = PENDING.iter().any(|pending| pending.field == info.field && pending.what.is_none());
    let support = if is_whole { Vec::new() } else { vec!["yes".to_owned()] };
    [support, notes].concat().join("; ")
}

/// The spec that proves it, which `crates/cli/tests/e2e/specs.rs` builds.
fn proof(info: &FieldInfo) -> String {
    let file = format!("tests/specs/{}.yaml", info.name);
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(&file);
    let text = fs_err::read_to_string(path).unwrap();
    let proof = if text.contains("\n# error ") { "refused" } else { "run" };
    format!("[{proof}](../{file})")
}

fn table() -> String {
    let mut text =
        "| field | takes | what it does | example | native builder | test |\n|---|---|---|---|---|---|\n"
            .to_owned();
    for info in FIELDS {
        let row = format!(
            "| `{}` | {} | {} | `{}` | {} | {} |\n",
            info.name,
            info.takes,
            info.about,
            info.example,
            support(info),
            proof(info)
        );
        text.push_str(&row);
    }
    text
}

#[test]
fn the_table_of_fields_is_in_the_documentation() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/spec.md");
    let text = fs_err::read_to_string(&path).unwrap();
    let table = table();
    assert!(text.contains(&table), "docs/spec.md must have this table:\n{table}");
}

#[test]
fn every_example_is_valid() {
    for info in FIELDS {
        let needed = if info.name == "source_root" { "\nsource_copy_mode: ALL" } else { "" };
        let text = format!("{}{needed}", info.example);
        let spec = parse_yaml(&text, &ParseOptions::default());
        assert!(spec.is_ok(), "{text}: {}", spec.unwrap_err());
        assert!(info.example.starts_with(&format!("{}:", info.name)));
    }
}
