//! How Python writes texts and floats.

use std::fmt::{self, Write};

use crate::printable::is_printable;

/// Writes `text` as `repr(str)` does.
///
/// Single quotes, unless the text has single and no double quotes; what is not printable is escaped with the
/// shortest of `\x`, `\u` and `\U`.
pub(crate) fn write_str_repr(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    let quote = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
    f.write_char(quote)?;
    for character in text.chars() {
        let code = u32::from(character);
        match character {
            '\\' => f.write_str("\\\\")?,
            '\n' => f.write_str("\\n")?,
            '\r' => f.write_str("\\r")?,
            '\t' => f.write_str("\\t")?,
            _ if character == quote => write!(f, "\\{quote}")?,
            _ if is_printable(character) => f.write_char(character)?,
            _ if code <= 0xff => write!(f, "\\x{code:02x}")?,
            _ if code <= 0xffff => write!(f, "\\u{code:04x}")?,
            _ => write!(f, "\\U{code:08x}")?,
        }
    }
    f.write_char(quote)
}

/// `repr(float)`: the fewest digits that read back as the same double, with an exponent below 1e-4 and from 1e16.
pub(crate) fn float_repr(value: f64) -> String {
    if value.is_nan() {
        return "nan".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "inf" } else { "-inf" }.to_owned();
    }
    let scientific = format!("{:e}", value.abs());
    let (mantissa, exponent) = scientific.split_once('e').expect("this format has an exponent");
    let exponent: i32 = exponent.parse().expect("the exponent is a number");
    let digits = mantissa.replace('.', "");
    let sign = if value.is_sign_negative() { "-" } else { "" };
    format!("{sign}{}", layout(&digits, exponent))
}

/// Places the point among `digits`, of which the first counts 10^`exponent`.
fn layout(digits: &str, exponent: i32) -> String {
    if !(-4..16).contains(&exponent) {
        let (first, rest) = digits.split_at(1);
        let point = if rest.is_empty() { "" } else { "." };
        let sign = if exponent < 0 { '-' } else { '+' };
        return format!("{first}{point}{rest}e{sign}{:02}", exponent.unsigned_abs());
    }
    let magnitude = exponent.unsigned_abs() as usize;
    if exponent < 0 {
        return format!("0.{}{digits}", "0".repeat(magnitude - 1));
    }
    let whole = magnitude + 1;
    if digits.len() <= whole {
        format!("{digits}{}.0", "0".repeat(whole - digits.len()))
    } else {
        format!("{}.{}", &digits[..whole], &digits[whole..])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::PyValue;

    #[test]
    fn floats() {
        let cases = [
            (3.1, "3.1"),
            (3.0, "3.0"),
            (-0.0, "-0.0"),
            (0.0001, "0.0001"),
            (0.00001, "1e-05"),
            (1e15, "1000000000000000.0"),
            (1e16, "1e+16"),
            (1.5e-7, "1.5e-07"),
            (123_456_789.125, "123456789.125"),
            (1e300, "1e+300"),
            (5e-324, "5e-324"),
            (f64::NEG_INFINITY, "-inf"),
            (f64::NAN, "nan"),
        ];
        for (value, text) in cases {
            assert_eq!(float_repr(value), text);
        }
    }

    #[test]
    fn texts() {
        let cases = [
            ("plain", "'plain'"),
            ("it's", "\"it's\""),
            ("it's \"so\"", "'it\\'s \"so\"'"),
            ("a\\b\n\t\r\0\x7f", "'a\\\\b\\n\\t\\r\\x00\\x7f'"),
            ("é\u{a0}\u{200b}\u{10ffff}", "'é\\xa0\\u200b\\U0010ffff'"),
            ("😀", "'😀'"),
        ];
        for (text, repr) in cases {
            assert_eq!(PyValue::str(text).to_string(), repr);
        }
    }
}
