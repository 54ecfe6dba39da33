use memchr::memmem;

/// One paragraph of a control file, as text; fields are looked up when they are asked for.
///
/// Follows Debian policy 5.1. Field names are compared as the archive writes them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stanza<'a>(&'a str);

impl<'a> Stanza<'a> {
    /// Wraps one paragraph, without the empty line behind it.
    pub(crate) fn new(text: &'a str) -> Self {
        Self(text)
    }

    /// The value of a field, with the continuation lines it has, trimmed at both ends.
    pub(crate) fn field(&self, name: &str) -> Option<&'a str> {
        let value = &self.0[self.value_start(name)?..];
        let mut end = 0;
        loop {
            end += memchr::memchr(b'\n', &value.as_bytes()[end..]).unwrap_or(value.len() - end);
            match value.as_bytes().get(end + 1) {
                Some(b' ' | b'\t') => end += 1,
                _ => return Some(value[..end].trim()),
            }
        }
    }

    fn value_start(&self, name: &str) -> Option<usize> {
        let bytes = self.0.as_bytes();
        memmem::find_iter(bytes, name.as_bytes()).find_map(|start| {
            let end = start + name.len();
            let begins_line = start == 0 || bytes[start - 1] == b'\n';
            (begins_line && bytes.get(end) == Some(&b':')).then_some(end + 1)
        })
    }
}

/// The paragraphs of a control file.
pub(crate) fn stanzas(text: &str) -> impl Iterator<Item = Stanza<'_>> {
    text.split("\n\n").map(|part| part.trim_matches('\n')).filter(|part| !part.is_empty()).map(Stanza::new)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_fields_and_their_continuation_lines() {
        let text = "Package: a\nDescription: short\n long: Version: 9\n .\n more\nVersion: 1\nXVersion: 2";
        let stanza = Stanza::new(text);
        assert_eq!(stanza.field("Package"), Some("a"));
        assert_eq!(stanza.field("Version"), Some("1"));
        assert_eq!(stanza.field("Description"), Some("short\n long: Version: 9\n .\n more"));
        assert_eq!(stanza.field("XVersion"), Some("2"));
        assert_eq!(stanza.field("Depends"), None);
        assert_eq!(stanzas("A: 1\n\n\nB: 2\n\n").map(|s| s.0).collect::<Vec<_>>(), ["A: 1", "B: 2"]);
    }
}
