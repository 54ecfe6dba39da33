use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use imagewright_oci::Digest;

use super::WheelProblem;

/// What RECORD says of the files: their sha256, where it states one.
pub(super) type Record = BTreeMap<String, Option<Digest>>;

/// Reads a RECORD file.
pub(super) fn parse(text: &str) -> Result<Record, WheelProblem> {
    let mut record = Record::new();
    for (index, line) in rows(text) {
        let row = split_row(line).ok_or(WheelProblem::RecordLine { line: index + 1 })?;
        let digest = match row.get(1).and_then(|hash| hash.strip_prefix("sha256=")) {
            Some(text) => Some(parse_hash(text).ok_or(WheelProblem::RecordLine { line: index + 1 })?),
            None => None,
        };
        record.insert(row.into_iter().next().expect("a row has a field"), digest);
    }
    Ok(record)
}

/// The paths that a RECORD file lists, as written: relative to the directory that holds the `.dist-info`.
///
/// Lines that cannot be understood are left out.
pub fn record_paths(text: &str) -> Vec<String> {
    let first = |line| split_row(line)?.into_iter().next().filter(|path| !path.is_empty());
    rows(text).filter_map(|(_, line)| first(line)).collect()
}

/// One line of a RECORD file with hash and size.
pub(super) fn line(path: &str, digest: &Digest, size: u64) -> String {
    format!("{},sha256={},{size}\n", quote(path), URL_SAFE_NO_PAD.encode(digest.as_bytes()))
}

/// The line of a file whose hash is not stated: RECORD itself.
pub(super) fn line_without_hash(path: &str) -> String {
    format!("{},,\n", quote(path))
}

fn rows(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty())
}

/// The fields of a comma-separated line, in Python's dialect; `None` where a quote is not closed.
fn split_row(line: &str) -> Option<Vec<String>> {
    let mut fields = vec![String::new()];
    let mut quoted = false;
    let mut characters = line.chars().peekable();
    while let Some(character) = characters.next() {
        let field = fields.last_mut().expect("there is always one");
        match character {
            '"' if quoted && characters.peek() == Some(&'"') => {
                characters.next();
                field.push('"');
            }
            '"' if quoted || field.is_empty() => quoted = !quoted,
            ',' if !quoted => fields.push(String::new()),
            _ => field.push(character),
        }
    }
    (!quoted).then_some(fields)
}

fn quote(field: &str) -> String {
    if field.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", field.replace('"', "\"\""))
    } else {
        field.to_owned()
    }
}

/// The hash is in URL-safe base64; padding, which the specification forbids, occurs.
fn parse_hash(text: &str) -> Option<Digest> {
    let bytes = URL_SAFE_NO_PAD.decode(text.trim_end_matches('=')).ok()?;
    Some(Digest::from_bytes(bytes.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_writes() {
        let digest = Digest::of(b"x");
        for path in ["a/b.py", "a,b", "say \"hi\".txt", "é"] {
            let text = line(path, &digest, 1) + &line_without_hash("d/RECORD");
            let record = parse(&text).unwrap();
            assert_eq!(record[path], Some(digest));
            assert_eq!(record["d/RECORD"], None);
            assert_eq!(record_paths(&text), [path, "d/RECORD"]);
        }
        assert_eq!(record_paths("a,,\n,,\n\"b,,\nc\n"), ["a", "c"]);
    }

    #[test]
    fn tolerates_and_refuses() {
        assert_eq!(parse("a,md5=x,1\r\n\r\nb\n").unwrap(), [("a".into(), None), ("b".into(), None)].into());
        for text in ["a,sha256=tooshort,1\n", "\"a,,\n"] {
            assert!(matches!(parse(text), Err(WheelProblem::RecordLine { line: 1 })), "{text}");
        }
    }
}
