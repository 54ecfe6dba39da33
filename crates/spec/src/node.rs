//! A document as it was read, before it is a spec: every value with its place, its text and its Python type.

use crate::{Position, PyValue};

/// One value of a YAML or JSON document.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Node {
    pub(crate) position: Option<Position>,
    pub(crate) content: Content,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Content {
    Scalar(Scalar),
    Sequence(Vec<Node>),
    /// In the order written, without duplicates.
    Mapping(Vec<(Key, Node)>),
}

/// A value without parts, as it was written and as Python reads it.
///
/// `3.10` is the float 3.1 for flytekit's id, and the text "3.10" for the image.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Scalar {
    pub(crate) text: String,
    pub(crate) value: PyValue,
}

/// The key of an entry.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Key {
    pub(crate) position: Option<Position>,
    pub(crate) scalar: Scalar,
}

impl Node {
    /// The value that Python has of it.
    pub(crate) fn python(&self) -> PyValue {
        match &self.content {
            Content::Scalar(scalar) => scalar.value.clone(),
            Content::Sequence(items) => PyValue::List(items.iter().map(Self::python).collect()),
            Content::Mapping(entries) => PyValue::Dict(
                entries.iter().map(|(key, value)| (key.scalar.value.clone(), value.python())).collect(),
            ),
        }
    }

    /// The text, when it is one.
    pub(crate) fn as_str(&self) -> Option<&str> {
        match &self.content {
            Content::Scalar(Scalar { value: PyValue::Str(text), .. }) => Some(text),
            _ => None,
        }
    }

    pub(crate) fn is_null(&self) -> bool {
        matches!(&self.content, Content::Scalar(Scalar { value: PyValue::None, .. }))
    }

    /// What it is, in the words of an error.
    pub(crate) fn describe(&self) -> String {
        match &self.content {
            Content::Scalar(Scalar { text, value }) => match value {
                PyValue::None => "nothing".to_owned(),
                PyValue::Bool(_) => format!("the truth value `{text}`"),
                PyValue::Int(_) | PyValue::Float(_) => format!("the number {text}"),
                PyValue::Date(_) | PyValue::DateTime(_) => format!("the date {text}"),
                _ => format!("the text `{text}`"),
            },
            Content::Sequence(_) => "a list".to_owned(),
            Content::Mapping(_) => "a mapping".to_owned(),
        }
    }
}

impl Scalar {
    pub(crate) fn string(text: &str) -> Self {
        Self { text: text.to_owned(), value: PyValue::str(text) }
    }
}

/// Adds `key: value` to `entries`; the key it replaces, if Python's dictionary would have both as one.
pub(crate) fn insert(entries: &mut Vec<(Key, Node)>, key: Key, value: Node) -> Option<&Key> {
    let same = |(other, _): &(Key, Node)| other.scalar.value.is_same_key(&key.scalar.value);
    let Some(index) = entries.iter().position(same) else {
        entries.push((key, value));
        return None;
    };
    entries[index].1 = value;
    Some(&entries[index].0)
}
