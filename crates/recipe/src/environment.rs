/// Replaces `$NAME` and `${NAME}` in `text` by what `lookup` gives, or by nothing, as a Dockerfile's `ENV` does.
///
/// `\$` is a dollar sign; `${NAME:-word}` and `${NAME:+word}` are the defaults that the Dockerfile reference
/// documents. A dollar sign that starts no reference stays.
pub fn expand_variables(text: &str, lookup: &dyn Fn(&str) -> Option<String>) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(['$', '\\']) {
        out.push_str(&rest[..at]);
        let tail = &rest[at..];
        if let Some(escaped) = tail.strip_prefix("\\$") {
            out.push('$');
            rest = escaped;
        } else if let Some((value, after)) = reference(tail, lookup) {
            out.push_str(&value);
            rest = after;
        } else {
            out.push_str(&tail[..1]);
            rest = &tail[1..];
        }
    }
    out.push_str(rest);
    out
}

/// The names that `text` refers to as `$NAME` or `${NAME}`, so without saying what stands for a missing value.
pub fn plain_references(text: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find(['$', '\\']) {
        let tail = &rest[at..];
        rest = &tail[1..];
        if let Some(escaped) = tail.strip_prefix("\\$") {
            rest = escaped;
        } else if let Some((_, after)) = reference(tail, &|_| None) {
            let whole = &tail[1..tail.len() - after.len()];
            let name = whole.strip_prefix('{').and_then(|it| it.strip_suffix('}')).unwrap_or(whole);
            if name_length(name) == name.len() {
                names.push(name.to_owned());
            }
            rest = after;
        }
    }
    names
}

/// The value of the reference that `text` starts with, and what follows it.
fn reference<'a>(text: &'a str, lookup: &dyn Fn(&str) -> Option<String>) -> Option<(String, &'a str)> {
    let text = text.strip_prefix('$')?;
    let Some(braced) = text.strip_prefix('{') else {
        let name = &text[..name_length(text)];
        return (!name.is_empty()).then(|| (lookup(name).unwrap_or_default(), &text[name.len()..]));
    };
    let (body, after) = braced.split_once('}')?;
    let name = &body[..name_length(body)];
    let value = lookup(name).filter(|value| !value.is_empty());
    let value = match &body[name.len()..] {
        "" => value.unwrap_or_default(),
        modifier => match (modifier.strip_prefix(":-"), modifier.strip_prefix(":+")) {
            (Some(word), _) => value.unwrap_or_else(|| expand_variables(word, lookup)),
            (_, Some(word)) => value.map(|_| expand_variables(word, lookup)).unwrap_or_default(),
            _ => return None,
        },
    };
    (!name.is_empty()).then_some((value, after))
}

fn name_length(text: &str) -> usize {
    let starts_with_digit = text.bytes().next().is_some_and(|b| b.is_ascii_digit());
    let length = text.bytes().take_while(|b| b.is_ascii_alphanumeric() || *b == b'_').count();
    if starts_with_digit { 0 } else { length }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expands_as_a_dockerfile_does() {
        let lookup = |name: &str| match name {
            "PATH" => Some("/bin".to_owned()),
            "EMPTY" => Some(String::new()),
            _ => None,
        };
        let cases = [
            ("/x:$PATH", "/x:/bin"),
            ("/x:${PATH}/y", "/x:/bin/y"),
            ("$NONE", ""),
            ("${NONE:-a$PATH}", "a/bin"),
            ("${EMPTY:-d}", "d"),
            ("${PATH:+yes}", "yes"),
            (r"\$PATH", "$PATH"),
            (r"a\b", r"a\b"),
            ("100$", "100$"),
            ("$1", "$1"),
            ("${", "${"),
            ("é$PATH", "é/bin"),
        ];
        for (text, expanded) in cases {
            assert_eq!(expand_variables(text, &lookup), expanded, "{text}");
        }
        assert_eq!(expand_variables(r"pa\$\$w0rd", &lookup), "pa$$w0rd");
    }

    #[test]
    fn references_without_a_default_are_named() {
        assert_eq!(plain_references("pa$$w0rd/${A}:${B:-b}${C:+c}"), ["w0rd", "A"]);
        assert_eq!(plain_references(r"\$A 100$ $1 é$B"), ["B"]);
    }
}
