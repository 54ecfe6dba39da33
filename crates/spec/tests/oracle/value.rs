//! A value of a generated spec, and its two notations.

use std::fmt::Write as _;

use super::random::Random;

/// What JSON and YAML can both say.
#[derive(Clone, Debug)]
pub(crate) enum Value {
    Text(String),
    /// As it is written in JSON.
    Number(String),
    Truth(bool),
    /// A scalar as it is written in YAML; JSON has it as a text.
    Plain(String),
    List(Vec<Value>),
    Mapping(Vec<(String, Value)>),
}

impl Value {
    pub(crate) fn text(text: &str) -> Self {
        Self::Text(text.to_owned())
    }

    pub(crate) fn to_json(&self) -> String {
        match self {
            Self::Text(text) | Self::Plain(text) => quote(text),
            Self::Number(text) => text.clone(),
            Self::Truth(value) => value.to_string(),
            Self::List(items) => {
                format!("[{}]", items.iter().map(Self::to_json).collect::<Vec<_>>().join(", "))
            }
            Self::Mapping(entries) => {
                let entries =
                    entries.iter().map(|(key, value)| format!("{}: {}", quote(key), value.to_json()));
                format!("{{{}}}", entries.collect::<Vec<_>>().join(","))
            }
        }
    }

    /// A whole document: the entries of a mapping in block style.
    pub(crate) fn to_yaml(&self, random: &mut Random) -> String {
        let Self::Mapping(entries) = self else { panic!("a document is a mapping") };
        let mut text = String::new();
        if random.one_in(4) {
            text.push_str("# a comment\n---\n");
        }
        if entries.is_empty() {
            return "{}".to_owned();
        }
        write_mapping(&mut text, entries, 0, random);
        text
    }
}

fn write_mapping(out: &mut String, entries: &[(String, Value)], indent: usize, random: &mut Random) {
    for (key, value) in entries {
        out.push_str(&" ".repeat(indent));
        out.push_str(&yaml_text(key, random));
        out.push(':');
        write_block(out, value, indent, random);
    }
}

/// The value behind a `:` or a `-`, with the end of its line.
fn write_block(out: &mut String, value: &Value, indent: usize, random: &mut Random) {
    let block = !random.one_in(3);
    match value {
        Value::List(items) if block && !items.is_empty() => {
            out.push('\n');
            let indent = if random.one_in(2) { indent } else { indent + 2 };
            for item in items {
                out.push_str(&" ".repeat(indent));
                out.push('-');
                out.push(' ');
                out.push_str(&flow(item, random));
                out.push('\n');
            }
        }
        Value::Mapping(entries) if block && !entries.is_empty() => {
            out.push('\n');
            write_mapping(out, entries, indent + 1 + random.below(3), random);
        }
        Value::Text(text) if is_block_text(text) && random.one_in(2) => {
            out.push_str(" |-\n");
            for line in text.split('\n') {
                out.push_str(&" ".repeat(indent + 2));
                out.push_str(line);
                out.push('\n');
            }
        }
        other => {
            out.push(' ');
            out.push_str(&flow(other, random));
            out.push_str(if random.one_in(9) { "  # why\n" } else { "\n" });
        }
    }
}

fn flow(value: &Value, random: &mut Random) -> String {
    match value {
        Value::Text(text) => yaml_text(text, random),
        Value::Plain(text) | Value::Number(text) => text.clone(),
        Value::Truth(value) => value.to_string(),
        Value::List(items) => {
            let items: Vec<String> = items.iter().map(|item| flow(item, random)).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Mapping(entries) => {
            let entries = entries
                .iter()
                .map(|(key, value)| format!("{}: {}", yaml_text(key, random), flow(value, random)));
            let entries: Vec<String> = entries.collect();
            format!("{{{}}}", entries.join(", "))
        }
    }
}

fn is_block_text(text: &str) -> bool {
    text.contains('\n')
        && text.split('\n').all(|line| {
            line.starts_with(|c: char| c.is_ascii_alphanumeric())
                && line.chars().all(|c| (' '..='~').contains(&c))
        })
}

fn yaml_text(text: &str, random: &mut Random) -> String {
    let words = ["y", "n", "yes", "no", "on", "off", "true", "false", "null"];
    let is_word = text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "_-./=<>".contains(c))
        && !words.contains(&text.to_ascii_lowercase().as_str());
    let is_simple = text.chars().all(|c| (' '..='~').contains(&c) || ('é'..='ÿ').contains(&c));
    if is_word && random.one_in(2) {
        text.to_owned()
    } else if is_simple && random.one_in(2) {
        format!("'{}'", text.replace('\'', "''"))
    } else {
        quote(text)
    }
}

/// A double-quoted text that is both JSON's and YAML's.
fn quote(text: &str) -> String {
    let mut quoted = String::from("\"");
    for character in text.chars() {
        match character {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            c if (c as u32) < 0x20
                || (0x7f..0xa0).contains(&(c as u32))
                || ['\u{2028}', '\u{2029}', '\u{feff}'].contains(&c)
                || (0xfff0..=0xffff).contains(&(c as u32)) =>
            {
                write!(quoted, "\\u{:04x}", c as u32).unwrap();
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}
