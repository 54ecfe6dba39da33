use std::fmt::{self, Write as _};

use crate::py_text::{float_repr, write_str_repr};
use crate::{PyDate, PyDateTime, SourceCopyMode};

/// A value as Python's `yaml.safe_load` or `json.loads` would make it, printed as Python's `repr` prints it.
///
/// flytekit's `id` is the hash of such a `repr`, so every byte of it counts: quotes, escapes, the order of keys,
/// the shortest form of a float.
#[derive(Clone, Debug, PartialEq)]
pub enum PyValue {
    /// `None`
    None,
    /// `True` or `False`
    Bool(bool),
    /// A whole number. Python's have no bound; wider ones than this are refused when they are read.
    Int(i128),
    /// A double.
    Float(f64),
    /// A text.
    Str(String),
    /// `datetime.date`, which YAML 1.1 makes of `2024-01-31`.
    Date(PyDate),
    /// `datetime.datetime`.
    DateTime(PyDateTime),
    /// A list.
    List(Vec<PyValue>),
    /// A tuple.
    Tuple(Vec<PyValue>),
    /// A dictionary, in the order of insertion.
    Dict(Vec<(PyValue, PyValue)>),
    /// A member of flytekit's `CopyFileDetection`.
    CopyFileDetection(SourceCopyMode),
}

impl PyValue {
    /// A text.
    pub(crate) fn str(text: &str) -> Self {
        Self::Str(text.to_owned())
    }

    /// Whether both are the same key of a Python dictionary, where `1`, `1.0` and `True` are one.
    pub(crate) fn is_same_key(&self, other: &Self) -> bool {
        match (self.number(), other.number()) {
            (Some(left), Some(right)) => left.partial_cmp(&right).is_some_and(std::cmp::Ordering::is_eq),
            _ => self == other,
        }
    }

    #[expect(
        clippy::cast_precision_loss,
        reason = "only keys beyond 2^53 that differ in the last digits are confused"
    )]
    fn number(&self) -> Option<f64> {
        match *self {
            Self::Bool(value) => Some(f64::from(u8::from(value))),
            Self::Int(value) => Some(value as f64),
            Self::Float(value) => Some(value),
            _ => None,
        }
    }
}

impl fmt::Display for PyValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("None"),
            Self::Bool(true) => f.write_str("True"),
            Self::Bool(false) => f.write_str("False"),
            Self::Int(value) => write!(f, "{value}"),
            Self::Float(value) => f.write_str(&float_repr(*value)),
            Self::Str(text) => write_str_repr(f, text),
            Self::Date(date) => write!(f, "{date}"),
            Self::DateTime(time) => write!(f, "{time}"),
            Self::List(items) => {
                f.write_char('[')?;
                write_joined(f, items, |f, item| write!(f, "{item}"))?;
                f.write_char(']')
            }
            Self::Tuple(items) => {
                f.write_char('(')?;
                write_joined(f, items, |f, item| write!(f, "{item}"))?;
                f.write_str(if items.len() == 1 { ",)" } else { ")" })
            }
            Self::Dict(entries) => {
                f.write_char('{')?;
                write_joined(f, entries, |f, (key, value)| write!(f, "{key}: {value}"))?;
                f.write_char('}')
            }
            Self::CopyFileDetection(mode) => {
                write!(f, "<CopyFileDetection.{}: {}>", mode.name(), mode.value())
            }
        }
    }
}

fn write_joined<T>(
    f: &mut fmt::Formatter<'_>,
    items: &[T],
    write_one: impl Fn(&mut fmt::Formatter<'_>, &T) -> fmt::Result,
) -> fmt::Result {
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            f.write_str(", ")?;
        }
        write_one(f, item)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_as_python_does() {
        let dict = PyValue::Dict(vec![
            (PyValue::str("b"), PyValue::List(vec![PyValue::Int(-1), PyValue::None])),
            (PyValue::Bool(true), PyValue::Tuple(vec![PyValue::Float(0.1)])),
            (PyValue::str("mode"), PyValue::CopyFileDetection(SourceCopyMode::All)),
        ]);
        assert_eq!(dict.to_string(), "{'b': [-1, None], True: (0.1,), 'mode': <CopyFileDetection.ALL: 2>}");
        assert_eq!(PyValue::Tuple(vec![]).to_string(), "()");
        assert_eq!(PyValue::Dict(vec![]).to_string(), "{}");
    }

    #[test]
    fn equal_numbers_are_one_key() {
        assert!(PyValue::Bool(true).is_same_key(&PyValue::Int(1)));
        assert!(PyValue::Int(1).is_same_key(&PyValue::Float(1.0)));
        assert!(!PyValue::str("1").is_same_key(&PyValue::Int(1)));
    }
}
