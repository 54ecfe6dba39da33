/// The first header named `name` of a metadata file: the part of RFC 822 that METADATA, PKG-INFO and WHEEL use.
///
/// Follows the core metadata specification. An empty value counts as none.
pub fn metadata_header<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines()
        .take_while(|line| !line.trim_end().is_empty())
        .filter(|line| !line.starts_with([' ', '\t']))
        .filter_map(|line| line.split_once(':'))
        .find_map(|(key, value)| key.eq_ignore_ascii_case(name).then_some(value.trim()))
        .filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn body_and_continuations_are_not_headers() {
        let text = "Metadata-Version: 2.1\nname: a\nSummary: x\n Version: 9\nVersion: 1.0 \n\nAuthor: b\n";
        assert_eq!(metadata_header(text, "Name"), Some("a"));
        assert_eq!(metadata_header(text, "Version"), Some("1.0"));
        assert_eq!(metadata_header(text, "Author"), None);
    }
}
