//! Rust source as tidy sees it: code without comments and without what is inside literals.

/// Replaces comments and the insides of string and character literals with spaces; lines stay where they are.
pub(crate) fn code_only(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut code = bytes.to_vec();
    let mut at = 0;
    while at < bytes.len() {
        let (keep, end) = match literal_or_comment(bytes, at) {
            Some(span) => span,
            None => (1, at + 1),
        };
        for byte in &mut code[(at + keep).min(end)..end] {
            if *byte != b'\n' {
                *byte = b' ';
            }
        }
        at = end;
    }
    String::from_utf8(code).expect("every byte of a character is kept or every one replaced")
}

/// How many bytes to keep of the literal or comment that starts here, and where it ends.
fn literal_or_comment(bytes: &[u8], at: usize) -> Option<(usize, usize)> {
    let rest = &bytes[at..];
    let until = |from: usize, end: &[u8]| {
        let found = bytes[from.min(bytes.len())..].windows(end.len()).position(|window| window == end);
        found.map_or(bytes.len(), |position| from + position + end.len())
    };
    match rest {
        [b'/', b'/', ..] => Some((0, until(at, b"\n"))),
        [b'/', b'*', ..] => Some((0, end_of_comment(bytes, at))),
        [b'"', ..] => Some((1, end_of_string(bytes, at))),
        [b'r', b'"' | b'#', ..] if !is_word(bytes, at) => {
            let hashes = rest[1..].iter().take_while(|byte| **byte == b'#').count();
            let opened = rest.get(1 + hashes) == Some(&b'"');
            let end = [&b"\""[..], &vec![b'#'; hashes]].concat();
            opened.then(|| (1, until(at + 2 + hashes, &end)))
        }
        [b'\'', b'\\', ..] => Some((1, until(at + 3, b"'"))),
        [b'\'', first, ..] => {
            let length = 1 + usize::try_from(first.leading_ones()).expect("at most 8").saturating_sub(1);
            (rest.get(1 + length) == Some(&b'\'')).then_some((1, at + length + 2))
        }
        _ => None,
    }
}

/// Whether the byte before `at` continues a word: then an `r` here begins no raw string.
fn is_word(bytes: &[u8], at: usize) -> bool {
    let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    at > 0 && word(bytes[at - 1]) && !(bytes[at - 1] == b'b' && (at < 2 || !word(bytes[at - 2])))
}

fn end_of_string(bytes: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while at < bytes.len() && bytes[at] != b'"' {
        at += if bytes[at] == b'\\' { 2 } else { 1 };
    }
    (at + 1).min(bytes.len())
}

fn end_of_comment(bytes: &[u8], start: usize) -> usize {
    let (mut at, mut depth) = (start, 0);
    while at < bytes.len() {
        match bytes[at..] {
            [b'/', b'*', ..] => (at, depth) = (at + 2, depth + 1),
            [b'*', b'/', ..] => (at, depth) = (at + 2, depth - 1),
            _ => at += 1,
        }
        if depth == 0 {
            break;
        }
    }
    at
}

/// A function with a body.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Function {
    /// Its name.
    pub(crate) name: String,
    /// Lines from the signature to the closing brace that hold code.
    pub(crate) lines: usize,
}

/// The functions of [`code_only`] text, in order.
pub(crate) fn functions(code: &str) -> Vec<Function> {
    let mut found = Vec::new();
    let mut from = 0;
    while let Some(at) = code[from..].find("fn ").map(|at| from + at) {
        from = at + 3;
        let starts =
            at == 0 || !code.as_bytes()[at - 1].is_ascii_alphanumeric() && code.as_bytes()[at - 1] != b'_';
        let name: String = code[from..].chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
        if !starts || name.is_empty() {
            continue;
        }
        if let Some(end) = end_of_body(code, from) {
            let lines = code[at..end].lines().filter(|line| !line.trim().is_empty()).count();
            found.push(Function { name, lines });
        }
    }
    found
}

/// Where the block that follows ends; none when a semicolon outside of brackets comes first.
pub(crate) fn end_of_body(code: &str, from: usize) -> Option<usize> {
    let mut brackets = 0_i32;
    let mut braces = 0_i32;
    for (offset, byte) in code.bytes().enumerate().skip(from) {
        match byte {
            b'(' | b'[' => brackets += 1,
            b')' | b']' => brackets -= 1,
            b'{' => braces += 1,
            b'}' => braces -= 1,
            b';' if brackets == 0 && braces == 0 => return None,
            _ => continue,
        }
        if byte == b'}' && braces == 0 && brackets == 0 {
            return Some(offset + 1);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_literals_are_blank() {
        let cases = [
            ("a // fn b() {}\nc", "a             \nc"),
            ("/* x /* y */ z */d", "                 d"),
            (r#"f("{ \" }")"#, "f(\"       )"),
            ("r#\"{\"#;", "r     ;"),
            ("'{' 'a '\\'' br\"{\"", "'   'a '    br   "),
            ("'é'x", "'   x"),
        ];
        for (text, code) in cases {
            assert_eq!(code_only(text), code, "{text}");
        }
    }

    #[test]
    fn functions_are_measured_in_lines_of_code() {
        let code = code_only(
            "trait T { fn a(x: [u8; 2]); }\nfn b() {\n\n  // no code\n  if x { \"}\" }\n}\nfn c() {}\n",
        );
        let function = |name: &str, lines| Function { name: name.to_owned(), lines };
        assert_eq!(functions(&code), [function("b", 3), function("c", 1)]);
    }
}
