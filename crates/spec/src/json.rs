//! JSON text to a document, keeping how numbers are written.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::node::{Content, Key, Node, Scalar, insert};
use crate::{Position, PyValue, SpecError};

/// Reads `text`, which is one JSON value.
pub(crate) fn document(text: &str) -> Result<Node, SpecError> {
    // Windows' editors put a mark in front, which the JSON specification lets a reader ignore.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if text.trim().is_empty() {
        return Err(syntax(None, "it is empty".to_owned()));
    }
    let raw: &RawValue = serde_json::from_str(text).map_err(|error| {
        let position = Position { line: error.line(), column: error.column().max(1) };
        let message = slip(text, position).map_or_else(|| said(&error), str::to_owned);
        syntax(Some(position), message)
    })?;
    Reader { text }.node(raw, 0)
}

/// Deeper documents are refused, so that no input can exhaust the stack.
const MAX_DEPTH: usize = 64;

struct Reader<'a> {
    text: &'a str,
}

impl<'a> Reader<'a> {
    fn node(&self, raw: &'a RawValue, depth: usize) -> Result<Node, SpecError> {
        let text = raw.get();
        if depth > MAX_DEPTH {
            return Err(syntax(self.position(raw), "it is nested too deeply".to_owned()));
        }
        let content = match text.as_bytes().first() {
            Some(b'[') => {
                let items: Vec<&'a RawValue> = self.parse(raw)?;
                Content::Sequence(
                    items.into_iter().map(|item| self.node(item, depth + 1)).collect::<Result<_, _>>()?,
                )
            }
            Some(b'{') => Content::Mapping(self.mapping(raw, depth)?),
            Some(b'"') => Content::Scalar(Scalar::string(&self.parse::<String>(raw)?)),
            // Where Python makes text of a truth value, as in an environment variable, it writes it so.
            Some(b't' | b'f') => {
                let value = self.plain(raw)?;
                Content::Scalar(Scalar { text: value.to_string(), value })
            }
            _ => Content::Scalar(Scalar { text: text.to_owned(), value: self.plain(raw)? }),
        };
        Ok(Node { position: self.position(raw), content })
    }

    fn mapping(&self, raw: &'a RawValue, depth: usize) -> Result<Vec<(Key, Node)>, SpecError> {
        let Entries(entries) = self.parse(raw)?;
        let mut mapping = Vec::new();
        for (key, value) in entries {
            let position = self.position(value);
            let key = Key { position, scalar: Scalar::string(&key) };
            if let Some(key) = insert(&mut mapping, key, self.node(value, depth + 1)?) {
                return Err(syntax(position, format!("the key `{}` is there twice", key.scalar.text)));
            }
        }
        Ok(mapping)
    }

    /// `null`, `true`, `false` or a number; a number without point and exponent is whole, as in Python.
    fn plain(&self, raw: &'a RawValue) -> Result<PyValue, SpecError> {
        let text = raw.get();
        let number = match text {
            "null" => return Ok(PyValue::None),
            "true" => return Ok(PyValue::Bool(true)),
            "false" => return Ok(PyValue::Bool(false)),
            _ if text.contains(['.', 'e', 'E']) => text.parse().map(PyValue::Float).ok(),
            _ => text.parse().map(PyValue::Int).ok(),
        };
        number.ok_or_else(|| syntax(self.position(raw), format!("the number {text} cannot be read")))
    }

    fn parse<T: Deserialize<'a>>(&self, raw: &'a RawValue) -> Result<T, SpecError> {
        serde_json::from_str(raw.get()).map_err(|error| syntax(self.position(raw), said(&error)))
    }

    /// A raw value borrows from the text, so its address says where in it it is.
    fn position(&self, raw: &RawValue) -> Option<Position> {
        let offset = (raw.get().as_ptr() as usize).checked_sub(self.text.as_ptr() as usize)?;
        let before = self.text.get(..offset)?;
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        Some(Position {
            line: before.matches('\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
        })
    }
}

/// What the parser says, without the place, which is told apart.
fn said(error: &serde_json::Error) -> String {
    let text = error.to_string();
    text.rsplit_once(" at line ").map_or(text.clone(), |(message, _)| message.to_owned())
}

/// What Python and YAML allow and JSON does not, when that is what is at `position`.
fn slip(text: &str, position: Position) -> Option<&'static str> {
    let line: usize = text.split_inclusive('\n').take(position.line - 1).map(str::len).sum();
    let (before, at) = text.split_at_checked(line + position.column - 1)?;
    match at.chars().next()? {
        '}' | ']' if before.trim_end().ends_with(',') => Some("a comma is before the closing bracket"),
        '\'' => Some("texts are in double quotes"),
        '#' => Some("there are no comments in JSON"),
        _ => None,
    }
}

fn syntax(position: Option<Position>, message: String) -> SpecError {
    SpecError::Syntax { file: None, format: "JSON", position, message }
}

/// An object's entries as written, duplicates and all.
struct Entries<'a>(Vec<(String, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Entries<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct EntriesVisitor;

        impl<'de> Visitor<'de> for EntriesVisitor {
            type Value = Entries<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Entries(entries))
            }
        }

        deserializer.deserialize_map(EntriesVisitor)
    }
}
