//! TOML to a document, in the order written.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::node::{Content, Key, Node, Scalar};
use crate::{Position, PyValue, SpecError};

/// A table of a TOML text.
pub(crate) type Table<'t> = DeTable<'t>;

/// The whole text; `offset` is how many lines and columns are before each of its lines.
pub(crate) fn table(text: &str, offset: Offset) -> Result<Table<'_>, SpecError> {
    let parsed = DeTable::parse(text).map_err(|error| SpecError::Syntax {
        file: None,
        format: "TOML",
        position: error.span().map(|span| offset.position(text, span.start)),
        message: error.message().replace('\n', ", "),
    })?;
    Ok(parsed.into_inner())
}

/// Where a text is in a file that has each of its lines behind something else.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Offset {
    pub(crate) lines: usize,
    pub(crate) columns: usize,
}

impl Offset {
    fn position(self, text: &str, at: usize) -> Position {
        let before = text.get(..at).unwrap_or(text);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        Position {
            line: before.matches('\n').count() + 1 + self.lines,
            column: before[line_start..].chars().count() + 1 + self.columns,
        }
    }

    /// The entries of a table, as written.
    pub(crate) fn entries(self, text: &str, table: &Table<'_>) -> Vec<(Key, Node)> {
        let mut entries: Vec<_> = table.iter().collect();
        entries.sort_by_key(|(key, _)| key.span().start);
        let entry = |(key, value): (&Spanned<std::borrow::Cow<'_, str>>, &Spanned<DeValue<'_>>)| {
            let position = Some(self.position(text, key.span().start));
            let key = Key { position, scalar: Scalar::string(key.get_ref()) };
            (key, self.node(text, value))
        };
        entries.into_iter().map(entry).collect()
    }

    fn node(self, text: &str, value: &Spanned<DeValue<'_>>) -> Node {
        let content = match value.get_ref() {
            DeValue::String(text) => Content::Scalar(Scalar::string(text)),
            DeValue::Integer(number) => {
                let value = i128::from_str_radix(number.as_str(), number.radix());
                // The parser has read its digits.
                let value = value.map_or_else(|_| PyValue::str(number.as_str()), PyValue::Int);
                Content::Scalar(Scalar { text: value.to_string(), value })
            }
            DeValue::Float(number) => {
                let text = number.as_str().to_owned();
                let value = text.parse().map_or_else(|_| PyValue::str(&text), PyValue::Float);
                Content::Scalar(Scalar { text, value })
            }
            // As Python writes it.
            DeValue::Boolean(value) => {
                let value = PyValue::Bool(*value);
                Content::Scalar(Scalar { text: value.to_string(), value })
            }
            DeValue::Datetime(time) => Content::Scalar(Scalar::string(&time.to_string())),
            DeValue::Array(items) => {
                Content::Sequence(items.iter().map(|item| self.node(text, item)).collect())
            }
            DeValue::Table(table) => Content::Mapping(self.entries(text, table)),
        };
        Node { position: Some(self.position(text, value.span().start)), content }
    }
}
