//! Physical lines to logical ones.

use super::Environment;

/// A line with its continuations, without its comment.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct LogicalLine {
    /// Of its first physical line, from 1.
    pub(super) number: usize,
    pub(super) text: String,
}

/// All logical lines that say something.
pub(super) fn lines(text: &str) -> Vec<LogicalLine> {
    let mut found = Vec::new();
    let mut open: Option<LogicalLine> = None;
    for (index, line) in split_lines(text).enumerate() {
        // A comment ends a continuation, even when it ends in a backslash.
        let comment = line.trim_start().starts_with('#');
        let separator = if comment && open.is_some() { " " } else { "" };
        let continued = !comment && line.ends_with('\\');
        let part = if continued { line.trim_matches('\\') } else { line };
        let logical = open.get_or_insert_with(|| LogicalLine { number: index + 1, text: String::new() });
        logical.text.push_str(separator);
        logical.text.push_str(part);
        if !continued {
            found.extend(open.take());
        }
    }
    found.extend(open);
    let found = found.into_iter().map(|line| LogicalLine { text: without_comment(&line.text), ..line });
    found.filter(|line| !line.text.is_empty()).collect()
}

/// Python's `str.splitlines`.
fn split_lines(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = Some(text).filter(|text| !text.is_empty());
    std::iter::from_fn(move || {
        let text = rest?;
        let is_end = |c: char| {
            matches!(c, '\n' | '\r' | '\x0b' | '\x0c' | '\x1c'..='\x1e' | '\u{85}' | '\u{2028}' | '\u{2029}')
        };
        let Some(end) = text.find(is_end) else {
            rest = None;
            return Some(text);
        };
        let (line, after) = text.split_at(end);
        let width =
            if after.starts_with("\r\n") { 2 } else { after.chars().next().map_or(1, char::len_utf8) };
        rest = Some(&after[width..]).filter(|after| !after.is_empty());
        Some(line)
    })
}

/// A comment starts at a `#` that is first or behind white space.
fn without_comment(line: &str) -> String {
    let mut before = ' ';
    let comment = line.char_indices().find(|(_, character)| {
        let starts = *character == '#' && before.is_whitespace();
        before = *character;
        starts
    });
    comment.map_or(line, |(index, _)| &line[..index]).trim().to_owned()
}

/// Puts the values of `${NAME}` in, and returns those used; an unset or empty variable stays as it is written.
pub(super) fn expand(text: &str, environment: &Environment) -> (String, Environment) {
    let mut used = Environment::new();
    let mut expanded = String::new();
    let mut rest = text;
    while let Some(start) = rest.find("${") {
        let (before, after) = rest.split_at(start);
        expanded.push_str(before);
        let name = after[2..].split_once('}').map(|(name, _)| name).filter(|name| is_variable(name));
        let value =
            name.and_then(|name| environment.get_key_value(name)).filter(|(_, value)| !value.is_empty());
        if let Some((name, value)) = value {
            expanded.push_str(value);
            used.insert(name.clone(), value.clone());
            rest = &after[name.len() + 3..];
        } else {
            expanded.push_str("${");
            rest = &after[2..];
        }
    }
    expanded.push_str(rest);
    (expanded, used)
}

fn is_variable(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(text: &str) -> Vec<(usize, String)> {
        lines(text).into_iter().map(|line| (line.number, line.text)).collect()
    }

    #[test]
    fn continuations_and_comments() {
        let text = "# first\nnumpy \\\n  --hash=sha256:aa \\\n  --hash=sha256:bb # why\n\n  requests#1 \r\na \\\n# c \\\nb\\";
        let expected = [
            (2, "numpy   --hash=sha256:aa   --hash=sha256:bb".to_owned()),
            (6, "requests#1".to_owned()),
            (7, "a".to_owned()),
            (9, "b".to_owned()),
        ];
        assert_eq!(texts(text), expected);
    }

    #[test]
    fn variables() {
        let environment =
            Environment::from([("A_1".to_owned(), "x${B}".to_owned()), ("E".to_owned(), String::new())]);
        assert_eq!(expand("${A_1}-${B}-${E}-${a}-$A_1-${", &environment).0, "x${B}-${B}-${E}-${a}-$A_1-${");
    }
}
