//! A document as YAML text that PyYAML reads as the same values.

use std::fmt::Write as _;

use crate::PyValue;
use crate::node::{Content, Node, Scalar};
use crate::yaml_scalar::resolve;

/// The document, in blocks, with a newline at its end.
pub(crate) fn text(node: &Node) -> String {
    let mut out = String::new();
    match inline(node) {
        Some(text) => out.push_str(&(text + "\n")),
        None => block(&mut out, node, 0),
    }
    out
}

/// What fits behind a key: a scalar, or a list or mapping without anything in it.
fn inline(node: &Node) -> Option<String> {
    match &node.content {
        Content::Scalar(value) => Some(scalar(value)),
        Content::Sequence(items) => items.is_empty().then(|| "[]".to_owned()),
        Content::Mapping(entries) => entries.is_empty().then(|| "{}".to_owned()),
    }
}

fn block(out: &mut String, node: &Node, indent: usize) {
    let mut entry = |start: String, value: &Node| {
        out.push_str(&" ".repeat(indent));
        out.push_str(&start);
        if let Some(text) = inline(value) {
            writeln!(out, " {text}").expect("a String takes every write");
        } else {
            out.push('\n');
            block(out, value, indent + 2);
        }
    };
    match &node.content {
        Content::Scalar(_) => {}
        Content::Sequence(items) => items.iter().for_each(|item| entry("-".to_owned(), item)),
        Content::Mapping(entries) => {
            for (key, value) in entries {
                entry(scalar(&key.scalar) + ":", value);
            }
        }
    }
}

fn scalar(scalar: &Scalar) -> String {
    let Scalar { text, value } = scalar;
    let reads_as = |text: &str| resolve(text).is_ok_and(|read| read == *value);
    match value {
        PyValue::Str(text) if is_plain(text) && reads_as(text) => text.clone(),
        PyValue::Str(text) => quoted(text),
        _ if !text.is_empty() && reads_as(text) => text.clone(),
        PyValue::None => "null".to_owned(),
        PyValue::Bool(value) => value.to_string(),
        PyValue::Int(value) => value.to_string(),
        PyValue::Float(value) => float(*value),
        _ => quoted(text),
    }
}

/// Whether a text means nothing but itself, wherever it stands.
fn is_plain(text: &str) -> bool {
    let is_word = |b: u8| b.is_ascii_alphanumeric();
    text.bytes().next().is_some_and(is_word) && text.bytes().all(|b| is_word(b) || b"_./-=<>+".contains(&b))
}

/// In double quotes, where every character can be written by its number.
fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for character in text.chars() {
        match character {
            '"' | '\\' => out.extend(['\\', character]),
            '\n' => out.push_str("\\n"),
            ' '..='~' => out.push(character),
            _ if character.is_alphanumeric() => out.push(character),
            _ => write!(out, "\\U{:08x}", u32::from(character)).expect("a String takes every write"),
        }
    }
    out.push('"');
    out
}

/// A number with the point and the signed exponent that YAML 1.1 asks for.
fn float(value: f64) -> String {
    if value.is_nan() {
        return ".nan".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { ".inf" } else { "-.inf" }.to_owned();
    }
    let text = format!("{value:?}");
    let Some((digits, exponent)) = text.split_once('e') else { return text };
    let point = if digits.contains('.') { "" } else { ".0" };
    let sign = if exponent.starts_with('-') { "" } else { "+" };
    format!("{digits}{point}e{sign}{exponent}")
}
