//! A document as JSON text, with numbers as they were written where JSON has them so.

use crate::node::{Content, Node, Scalar};
use crate::{PyValue, json};

/// The document, with a newline at its end.
pub(crate) fn text(node: &Node) -> String {
    let mut out = String::new();
    write(&mut out, node, 0);
    out.push('\n');
    out
}

fn write(out: &mut String, node: &Node, indent: usize) {
    match &node.content {
        Content::Scalar(value) => out.push_str(&scalar(value)),
        Content::Sequence(items) => {
            let write = |out: &mut String, item: &Node| write(out, item, indent + 1);
            joined(out, ('[', ']'), items, indent, write);
        }
        Content::Mapping(entries) => joined(out, ('{', '}'), entries, indent, |out, (key, value)| {
            out.push_str(&quoted(&key.scalar.text));
            out.push_str(": ");
            write(out, value, indent + 1);
        }),
    }
}

fn joined<T>(
    out: &mut String,
    (open, close): (char, char),
    items: &[T],
    indent: usize,
    write: impl Fn(&mut String, &T),
) {
    out.push(open);
    for (index, item) in items.iter().enumerate() {
        out.push_str(if index == 0 { "\n" } else { ",\n" });
        out.push_str(&"  ".repeat(indent + 1));
        write(out, item);
    }
    if !items.is_empty() {
        out.push('\n');
        out.push_str(&"  ".repeat(indent));
    }
    out.push(close);
}

fn scalar(scalar: &Scalar) -> String {
    let Scalar { text, value } = scalar;
    let is_written_so = || {
        json::document(text)
            .is_ok_and(|node| matches!(node.content, Content::Scalar(read) if read == *scalar))
    };
    match value {
        PyValue::None => "null".to_owned(),
        PyValue::Bool(value) => value.to_string(),
        PyValue::Int(_) | PyValue::Float(_) if is_written_so() => text.clone(),
        PyValue::Int(value) => value.to_string(),
        PyValue::Float(value) if value.is_finite() => format!("{value:?}"),
        _ => quoted(text),
    }
}

fn quoted(text: &str) -> String {
    serde_json::to_string(text).expect("a text serialises")
}
