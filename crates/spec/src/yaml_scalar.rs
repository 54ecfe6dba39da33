//! What YAML 1.1, as PyYAML's `safe_load` reads it, makes of a plain scalar.
//!
//! Follows `yaml/resolver.py` and `yaml/constructor.py` of PyYAML 6: `017` is octal, `0o17` and `1e3` are texts,
//! `1:30` is ninety, `yes` is true. The patterns quoted below are PyYAML's.

use thiserror::Error;

use crate::yaml_timestamp::timestamp;
use crate::{PyDate, PyValue};

/// A plain scalar that looks like a number or a time and is none; PyYAML refuses these, too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum ScalarError {
    /// A whole number beyond 127 bits, or `0b` and `0x` without digits.
    #[error("this whole number cannot be read")]
    Number,
    /// A date or time that is in no calendar.
    #[error("there is no such date or time")]
    Time,
}

/// The Python value of the plain scalar `text`.
pub(crate) fn resolve(text: &str) -> Result<PyValue, ScalarError> {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Ok(PyValue::None),
        "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => {
            return Ok(PyValue::Bool(true));
        }
        "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => {
            return Ok(PyValue::Bool(false));
        }
        _ => {}
    }
    if !text.starts_with(|first: char| first.is_ascii_digit() || "-+.".contains(first)) {
        return Ok(PyValue::str(text));
    }
    if let Some(value) = float(text) {
        return Ok(PyValue::Float(value));
    }
    if let Some(value) = int(text)? {
        return Ok(PyValue::Int(value));
    }
    Ok(timestamp(text)?.unwrap_or_else(|| PyValue::str(text)))
}

fn split_sign(text: &str) -> (bool, &str) {
    match text.as_bytes().first() {
        Some(b'-') => (true, &text[1..]),
        Some(b'+') => (false, &text[1..]),
        _ => (false, text),
    }
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

fn is_digits_or_underscores(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_digit() || b == b'_')
}

/// `[0-9][0-9_]*`
fn is_number(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_digit()) && is_digits_or_underscores(text)
}

/// `(:[0-5]?[0-9])+`, without its first colon.
fn is_sixtieths(text: &str) -> bool {
    text.split(':')
        .all(|part| is_digits(part) && (part.len() == 1 || (part.len() == 2 && part.as_bytes()[0] <= b'5')))
}

/// A float by one of
/// `[-+]?[0-9][0-9_]*\.[0-9_]*([eE][-+][0-9]+)?`, `\.[0-9][0-9_]*([eE][-+][0-9]+)?`,
/// `[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+\.[0-9_]*`, `[-+]?\.(inf|Inf|INF)`, `\.(nan|NaN|NAN)`.
fn float(text: &str) -> Option<f64> {
    let (negative, rest) = split_sign(text);
    let signed = |value: f64| if negative { -value } else { value };
    let (whole, fraction) = rest.split_once('.')?;
    if whole.is_empty() {
        return match fraction {
            "inf" | "Inf" | "INF" => Some(signed(f64::INFINITY)),
            "nan" | "NaN" | "NAN" if rest == text => Some(f64::NAN),
            _ if rest == text && is_number(split_exponent(fraction)?) => plain_float(rest),
            _ => None,
        };
    }
    if let Some((first, sixtieths)) = whole.split_once(':') {
        let matches = is_number(first) && is_sixtieths(sixtieths) && is_digits_or_underscores(fraction);
        return if matches { sexagesimal_float(rest).map(signed) } else { None };
    }
    let matches = is_number(whole) && is_digits_or_underscores(split_exponent(fraction)?);
    if matches { plain_float(rest).map(signed) } else { None }
}

/// What is before the exponent, if there is one; nothing when it has no sign or no digits.
fn split_exponent(fraction: &str) -> Option<&str> {
    let Some((digits, exponent)) = fraction.split_once(['e', 'E']) else { return Some(fraction) };
    let magnitude = exponent.strip_prefix(['-', '+'])?;
    is_digits(magnitude).then_some(digits)
}

fn plain_float(text: &str) -> Option<f64> {
    text.replace('_', "").parse().ok()
}

fn sexagesimal_float(text: &str) -> Option<f64> {
    let mut base = 1.0;
    let mut sum = 0.0;
    for part in text.rsplit(':') {
        sum += plain_float(part)? * base;
        base *= 60.0;
    }
    Some(sum)
}

/// A whole number by one of `[-+]?0b[0-1_]+`, `[-+]?0[0-7_]+`, `[-+]?(0|[1-9][0-9_]*)`, `[-+]?0x[0-9a-fA-F_]+`,
/// `[-+]?[1-9][0-9_]*(:[0-5]?[0-9])+`.
fn int(text: &str) -> Result<Option<i128>, ScalarError> {
    let (negative, rest) = split_sign(text);
    let is_in =
        |digits: &str, alphabet: &str| !digits.is_empty() && digits.chars().all(|c| alphabet.contains(c));
    let magnitude = if let Some(digits) = rest.strip_prefix("0b").filter(|d| is_in(d, "01_")) {
        radix(digits, 2)?
    } else if let Some(digits) = rest.strip_prefix("0x").filter(|d| is_in(d, "0123456789abcdefABCDEF_")) {
        radix(digits, 16)?
    } else if rest.strip_prefix('0').is_some_and(|d| is_in(d, "01234567_")) {
        radix(rest, 8)?
    } else if rest == "0" || (is_number(rest) && !rest.starts_with('0')) {
        radix(rest, 10)?
    } else {
        match rest.split_once(':') {
            Some((first, sixtieths))
                if is_number(first) && !first.starts_with('0') && is_sixtieths(sixtieths) =>
            {
                sexagesimal_int(rest)?
            }
            _ => return Ok(None),
        }
    };
    Ok(Some(if negative { -magnitude } else { magnitude }))
}

fn radix(digits: &str, radix: u32) -> Result<i128, ScalarError> {
    i128::from_str_radix(&digits.replace('_', ""), radix).map_err(|_| ScalarError::Number)
}

fn sexagesimal_int(text: &str) -> Result<i128, ScalarError> {
    text.split(':').try_fold(0_i128, |sum, part| {
        let digit = radix(part, 10)?;
        sum.checked_mul(60).and_then(|sum| sum.checked_add(digit)).ok_or(ScalarError::Number)
    })
}

/// `[0-9]{4}-[0-9]{2}-[0-9]{2}` that is in the calendar.
pub(crate) fn date(year: &str, month: &str, day: &str) -> Result<PyDate, ScalarError> {
    let number = |text: &str| text.parse::<u16>().map_err(|_| ScalarError::Time);
    let small = |text: &str| text.parse::<u8>().map_err(|_| ScalarError::Time);
    PyDate::new(number(year)?, small(month)?, small(day)?).ok_or(ScalarError::Time)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, repr: &str) {
        assert_eq!(resolve(text).unwrap().to_string(), repr, "{text}");
    }

    #[test]
    fn numbers() {
        for (text, repr) in [
            ("3.10", "3.1"),
            ("3.", "3.0"),
            (".5", "0.5"),
            ("-.5", "'-.5'"),
            ("1_000", "1000"),
            ("1_0.5_0", "10.5"),
            ("017", "15"),
            ("0o17", "'0o17'"),
            ("08", "'08'"),
            ("0_", "0"),
            ("-0", "0"),
            ("0x_fF", "255"),
            ("-0b11", "-3"),
            ("1e3", "'1e3'"),
            ("1.0e3", "'1.0e3'"),
            ("1.5e+3", "1500.0"),
            ("1:30", "90"),
            ("-1:30:00.5", "-5400.5"),
            ("1:75", "'1:75'"),
            ("0:30", "'0:30'"),
            ("0:30.", "30.0"),
            ("-.INF", "-inf"),
            (".NaN", "nan"),
            ("+.nan", "'+.nan'"),
            ("3.11.2", "'3.11.2'"),
            ("-", "'-'"),
        ] {
            check(text, repr);
        }
        assert_eq!(resolve("0b_"), Err(ScalarError::Number));
        assert_eq!(resolve(&"9".repeat(50)), Err(ScalarError::Number));
    }

    #[test]
    fn words() {
        for (text, repr) in [
            ("~", "None"),
            ("", "None"),
            ("yes", "True"),
            ("OFF", "False"),
            ("y", "'y'"),
            ("nULL", "'nULL'"),
            ("oN", "'oN'"),
        ] {
            check(text, repr);
        }
    }
}
