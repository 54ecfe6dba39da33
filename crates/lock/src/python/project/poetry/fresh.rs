//! Whether a lock is of the project as it is: both have a hash of what the project asks for.

use std::fmt::Write as _;

use imagewright_oci::Digest;
use toml::{Table, Value};

use super::wire::{Lock, Pyproject};

/// What counts of `[project]`.
const OF_PROJECT: [&str; 3] = ["requires-python", "dependencies", "optional-dependencies"];

/// What counts of `[tool.poetry]`; the first four do even where they are missing, unless `[project]` says something.
const OF_POETRY: [&str; 5] = ["dependencies", "source", "extras", "dev-dependencies", "group"];
const LEGACY: usize = 4;

/// Whether the lock was made of this. Before 2.3, Poetry left dependency groups out of the hash.
pub(super) fn fits(lock: &Lock, pyproject: &Pyproject) -> bool {
    let is_same = |groups: bool| {
        let digest = Digest::of(relevant(pyproject, groups).as_bytes()).to_string();
        digest.strip_prefix("sha256:") == Some(&lock.metadata.content_hash)
    };
    is_same(true) || is_same(false)
}

/// The text that is hashed: what counts, as Python writes it in JSON with sorted keys.
fn relevant(pyproject: &Pyproject, with_groups: bool) -> String {
    let mut project = Table::new();
    let section = pyproject.table(&["project"]);
    for name in OF_PROJECT {
        if let Some(value) = section.and_then(|section| section.get(name)) {
            project.insert(name.to_owned(), value.clone());
        }
    }
    let groups = pyproject.table(&["dependency-groups"]).filter(|groups| with_groups && !groups.is_empty());
    let is_modern = !project.is_empty() || groups.is_some();
    let section = pyproject.table(&["tool", "poetry"]);
    let poetry = OF_POETRY.iter().enumerate().filter_map(|(at, name)| {
        let value = section.and_then(|section| section.get(*name));
        let is_written = value.is_some() || (at < LEGACY && !is_modern);
        is_written.then(|| (*name, value.map_or_else(|| "null".to_owned(), json)))
    });
    let poetry = object(poetry.collect());
    if !is_modern {
        return poetry;
    }
    let mut content = vec![("tool", object(vec![("poetry", poetry)]))];
    if !project.is_empty() {
        content.push(("project", json(&Value::Table(project))));
    }
    content.extend(groups.map(|groups| ("dependency-groups", json(&Value::Table(groups.clone())))));
    object(content)
}

fn json(value: &Value) -> String {
    match value {
        Value::String(text) => quoted(text),
        Value::Integer(number) => number.to_string(),
        Value::Float(number) => format!("{number:?}"),
        Value::Boolean(truth) => truth.to_string(),
        Value::Datetime(time) => quoted(&time.to_string()),
        Value::Array(items) => format!("[{}]", items.iter().map(json).collect::<Vec<_>>().join(", ")),
        Value::Table(table) => {
            object(table.iter().map(|(name, value)| (name.as_str(), json(value))).collect())
        }
    }
}

fn object(mut entries: Vec<(&str, String)>) -> String {
    entries.sort();
    let entries: Vec<String> =
        entries.iter().map(|(name, value)| format!("{}: {value}", quoted(name))).collect();
    format!("{{{}}}", entries.join(", "))
}

/// A string of Python's `json.dumps`, which writes ASCII only.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for character in text.chars() {
        match character {
            '"' | '\\' => quoted.extend(['\\', character]),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            '\u{8}' => quoted.push_str("\\b"),
            '\u{c}' => quoted.push_str("\\f"),
            ' '..='~' => quoted.push(character),
            _ => {
                for unit in character.encode_utf16(&mut [0; 2]) {
                    write!(quoted, "\\u{unit:04x}").expect("a String takes every write");
                }
            }
        }
    }
    quoted.push('"');
    quoted
}
