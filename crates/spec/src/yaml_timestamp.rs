//! YAML 1.1 timestamps, as PyYAML reads them.

use crate::yaml_scalar::{ScalarError, date};
use crate::{PyDateTime, PyValue};

/// The date or time that the plain scalar `text` is, if it has the form of one:
/// `YYYY-MM-DD`, or `YYYY-M-D` followed by `T` or white space, `h:mm:ss`, a fraction and a zone.
pub(crate) fn timestamp(text: &str) -> Result<Option<PyValue>, ScalarError> {
    let Some(parts) = split(text) else { return Ok(None) };
    let day = date(parts.year, parts.month, parts.day)?;
    let Some(clock) = parts.clock else { return Ok(Some(PyValue::Date(day))) };
    let number = |text: &str| text.parse::<u8>().map_err(|_| ScalarError::Time);
    let fields = [number(clock.hour)?, number(clock.minute)?, number(clock.second)?];
    let offset = clock.zone.map(Zone::minutes).transpose()?;
    let time = PyDateTime::new(day, fields, microseconds(clock.fraction), offset);
    time.map(|time| Some(PyValue::DateTime(time))).ok_or(ScalarError::Time)
}

struct Parts<'a> {
    year: &'a str,
    month: &'a str,
    day: &'a str,
    clock: Option<Clock<'a>>,
}

struct Clock<'a> {
    hour: &'a str,
    minute: &'a str,
    second: &'a str,
    fraction: &'a str,
    zone: Option<Zone<'a>>,
}

enum Zone<'a> {
    Utc,
    Offset { west: bool, hours: &'a str, minutes: &'a str },
}

impl Zone<'_> {
    fn minutes(self) -> Result<i32, ScalarError> {
        let Self::Offset { west, hours, minutes } = self else { return Ok(0) };
        let number = |text: &str| text.parse::<i32>().map_err(|_| ScalarError::Time);
        let total = number(hours)? * 60 + number(minutes)?;
        Ok(if west { -total } else { total })
    }
}

/// The first six digits of a fraction, as microseconds.
fn microseconds(fraction: &str) -> u32 {
    let digits = fraction.bytes().chain(std::iter::repeat(b'0')).take(6);
    digits.fold(0, |sum, digit| sum * 10 + u32::from(digit - b'0'))
}

fn split(text: &str) -> Option<Parts<'_>> {
    let (year, rest) = digits(text, 4, 4)?;
    let (month, rest) = digits(rest.strip_prefix('-')?, 1, 2)?;
    let (day, rest) = digits(rest.strip_prefix('-')?, 1, 2)?;
    if rest.is_empty() {
        return (month.len() == 2 && day.len() == 2).then_some(Parts { year, month, day, clock: None });
    }
    let after_day = rest.strip_prefix(['T', 't']).or_else(|| {
        let trimmed = rest.trim_start_matches([' ', '\t']);
        (trimmed.len() < rest.len()).then_some(trimmed)
    })?;
    Some(Parts { year, month, day, clock: Some(split_clock(after_day)?) })
}

fn split_clock(text: &str) -> Option<Clock<'_>> {
    let (hour, rest) = digits(text, 1, 2)?;
    let (minute, rest) = digits(rest.strip_prefix(':')?, 2, 2)?;
    let (second, rest) = digits(rest.strip_prefix(':')?, 2, 2)?;
    let (fraction, rest) = match rest.strip_prefix('.') {
        Some(rest) => rest.split_at(rest.bytes().take_while(u8::is_ascii_digit).count()),
        None => ("", rest),
    };
    Some(Clock { hour, minute, second, fraction, zone: split_zone(rest)? })
}

/// The outer nothing: not a zone. The inner nothing: no zone.
#[expect(clippy::option_option, reason = "a parser that may fail, of a part that may be absent")]
fn split_zone(text: &str) -> Option<Option<Zone<'_>>> {
    if text.is_empty() {
        return Some(None);
    }
    let text = text.trim_start_matches([' ', '\t']);
    if text == "Z" {
        return Some(Some(Zone::Utc));
    }
    let west = text.starts_with('-');
    let (hours, rest) = digits(text.strip_prefix(['-', '+'])?, 1, 2)?;
    let minutes = match rest.strip_prefix(':') {
        Some(rest) => match digits(rest, 2, 2)? {
            (minutes, "") => minutes,
            _ => return None,
        },
        None if rest.is_empty() => "0",
        None => return None,
    };
    Some(Some(Zone::Offset { west, hours, minutes }))
}

/// Between `least` and `most` digits at the start, and what follows.
fn digits(text: &str, least: usize, most: usize) -> Option<(&str, &str)> {
    let count = text.bytes().take(most).take_while(u8::is_ascii_digit).count();
    (count >= least).then(|| text.split_at(count))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::yaml_scalar::resolve;

    #[test]
    fn dates_and_times() {
        for (text, repr) in [
            ("2024-02-29", "datetime.date(2024, 2, 29)"),
            ("2024-1-1", "'2024-1-1'"),
            (
                "2001-12-14t21:59:43.10-05:00",
                "datetime.datetime(2001, 12, 14, 21, 59, 43, 100000, tzinfo=datetime.timezone(datetime.timedelta(days=-1, seconds=68400)))",
            ),
            ("2001-1-4 1:00:00", "datetime.datetime(2001, 1, 4, 1, 0)"),
            ("2001-01-04 1:00:01 Z", "datetime.datetime(2001, 1, 4, 1, 0, 1, tzinfo=datetime.timezone.utc)"),
            (
                "2001-01-04 1:00:01 +5:30",
                "datetime.datetime(2001, 1, 4, 1, 0, 1, tzinfo=datetime.timezone(datetime.timedelta(seconds=19800)))",
            ),
            ("2001-01-04 1:00", "'2001-01-04 1:00'"),
        ] {
            assert_eq!(resolve(text).unwrap().to_string(), repr, "{text}");
        }
        for text in ["2023-02-29", "0000-01-01", "2024-01-01 24:00:00", "2024-01-01 1:00:00 +25:00"] {
            assert_eq!(timestamp(text), Err(ScalarError::Time), "{text}");
        }
    }
}
