//! Python's `str.format`, as far as a tag needs it.

use crate::SpecError;

/// `format.format(spec_hash=hash)`; fields other than a plain `{spec_hash}` are refused.
pub(crate) fn apply(format: &str, hash: &str) -> Result<String, SpecError> {
    let fail = |problem| SpecError::TagFormat { format: format.to_owned(), problem };
    let mut tag = String::new();
    let mut rest = format;
    while let Some(index) = rest.find(['{', '}']) {
        tag.push_str(&rest[..index]);
        let (brace, after) = rest[index..].split_at(1);
        if let Some(after) = after.strip_prefix(brace) {
            tag.push_str(brace);
            rest = after;
            continue;
        }
        if brace == "}" {
            return Err(fail("has a `}` without a `{`; write `}}` for the character"));
        }
        let (name, after) = after.split_once('}').ok_or_else(|| fail("has a `{` without a `}`"))?;
        if name != "spec_hash" {
            return Err(fail("has a field other than `{spec_hash}`"));
        }
        tag.push_str(hash);
        rest = after;
    }
    tag.push_str(rest);
    Ok(tag)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_python_formats() {
        for (format, tag) in
            [("{spec_hash}-dev", "h-dev"), ("v1", "v1"), ("{{{spec_hash}}}", "{h}"), ("a}}b", "a}b")]
        {
            assert_eq!(apply(format, "h").unwrap(), tag);
        }
        for format in ["{", "}", "{}", "{0}", "{spec_hash", "{name}", "{spec_hash!r}", "a}b"] {
            assert!(apply(format, "h").is_err(), "{format}");
        }
    }
}
