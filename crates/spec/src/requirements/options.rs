//! The options of a requirements file, and of `pip_extra_args`.

use super::LineKind;

/// An option and its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OptionValue {
    /// The long form, such as `--index-url`; an unknown option as it is written.
    pub name: String,
    /// Nothing for an option that takes none.
    pub value: Option<String>,
}

/// Long form, short form and whether it takes a value.
const OPTIONS: &[(&str, &str, bool)] = &[
    ("--requirement", "-r", true),
    ("--constraint", "-c", true),
    ("--editable", "-e", true),
    ("--override", "", true),
    ("--overrides", "", true),
    ("--index-url", "-i", true),
    ("--extra-index-url", "", true),
    ("--find-links", "-f", true),
    ("--trusted-host", "", true),
    ("--no-binary", "", true),
    ("--only-binary", "", true),
    ("--use-feature", "", true),
    ("--hash", "", true),
    ("--config-settings", "-C", true),
    ("--config-setting", "", true),
    ("--global-option", "", true),
    ("--no-index", "", false),
    ("--pre", "", false),
    ("--prefer-binary", "", false),
    ("--require-hashes", "", false),
];

/// What a logical line says; nothing when its quotes or values are not complete.
pub(super) fn kinds(line: &str) -> Option<Vec<LineKind>> {
    let (requirement, options) = split_requirement(line);
    let options = with_values(split_options(options)?);
    if requirement.is_empty() {
        return Some(options.into_iter().map(kind).collect());
    }
    let is_hash = |option: &OptionValue| option.name == "--hash";
    let hashes = options.iter().filter(|option| is_hash(option)).filter_map(|option| option.value.clone());
    Some(vec![LineKind::Requirement {
        requirement: requirement.to_owned(),
        hashes: hashes.collect(),
        options: options.iter().filter(|option| !is_hash(option)).cloned().collect(),
    }])
}

fn kind(option: OptionValue) -> LineKind {
    match (option.name.as_str(), option.value) {
        ("--requirement", Some(target)) => LineKind::Include { target },
        ("--constraint", Some(target)) => LineKind::Constraints { target },
        ("--editable", Some(target)) => LineKind::Editable { target },
        (_, value) => LineKind::Option(OptionValue { name: option.name, value }),
    }
}

/// Options with the words behind them: a file has no words of other use there, so that one behind an option that is
/// not known here is its value.
fn with_values(words: Vec<OptionValue>) -> Vec<OptionValue> {
    let mut options: Vec<OptionValue> = Vec::new();
    for word in words {
        let is_known = |name: &str| OPTIONS.iter().any(|(long, ..)| *long == name);
        match options.last_mut() {
            Some(last) if word.name.is_empty() && last.value.is_none() && !is_known(&last.name) => {
                last.value = word.value;
            }
            _ => options.push(word),
        }
    }
    options
}

/// What is before the first word that starts with a dash, and the rest.
fn split_requirement(line: &str) -> (&str, &str) {
    let mut start = 0;
    for word in line.split(' ') {
        if word.starts_with('-') {
            return (line[..start].trim_end(), &line[start..]);
        }
        start += word.len() + 1;
    }
    (line, "")
}

/// The options of a command line such as `pip_extra_args`, in any of the forms `--name value`, `--name=value`,
/// `-n value` and `-nvalue`; words that are no option have an empty name.
///
/// Nothing when a quote is not closed or an option's value is missing.
pub fn split_options(text: &str) -> Option<Vec<OptionValue>> {
    let mut words = shlex::split(text)?.into_iter();
    let mut options = Vec::new();
    while let Some(word) = words.next() {
        if !word.starts_with('-') {
            options.push(OptionValue { name: String::new(), value: Some(word) });
            continue;
        }
        let (name, joined) = split_word(&word);
        let known = OPTIONS.iter().find(|(long, short, _)| name == *long || name == *short);
        let (name, takes_value) = known.map_or((name, false), |(long, _, takes)| (*long, *takes));
        let value =
            if joined.is_none() && takes_value { Some(words.next()?) } else { joined.map(str::to_owned) };
        options.push(OptionValue { name: name.to_owned(), value });
    }
    Some(options)
}

/// `--name=value` or `-nvalue` in two.
fn split_word(word: &str) -> (&str, Option<&str>) {
    if word.starts_with("--") {
        return word.split_once('=').map_or((word, None), |(name, value)| (name, Some(value)));
    }
    let known = OPTIONS.iter().find(|(_, short, _)| !short.is_empty() && word.starts_with(short));
    match known.map(|(_, short, _)| word.split_at(short.len())) {
        Some((name, value)) if !value.is_empty() => (name, Some(value)),
        _ => (word, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn option(name: &str, value: &str) -> OptionValue {
        let value = Some(value).filter(|value| !value.is_empty()).map(str::to_owned);
        OptionValue { name: name.to_owned(), value }
    }

    #[test]
    fn forms() {
        let expected = [
            option("--requirement", "a b.txt"),
            option("--index-url", "x"),
            option("--constraint", "c.txt"),
            option("--pre", ""),
            option("--odd", "1"),
            option("", "word"),
        ];
        let text = "-r 'a b.txt' --index-url=x -cc.txt --pre --odd=1 word";
        assert_eq!(split_options(text).unwrap(), expected);
        assert_eq!(split_options("-r"), None);
        assert_eq!(split_options("-r 'a"), None);
    }

    #[test]
    fn values_of_options_that_only_a_resolver_knows() {
        let line = "--exclude-newer 2024-05-01 --cert=a --proxy 'b c' -P six --offline --pre";
        let expected = [
            option("--exclude-newer", "2024-05-01"),
            option("--cert", "a"),
            option("--proxy", "b c"),
            option("-P", "six"),
            option("--offline", ""),
            option("--pre", ""),
        ];
        assert_eq!(kinds(line).unwrap(), expected.map(LineKind::Option));
    }

    #[test]
    fn requirement_with_hashes() {
        let line =
            "numpy==2.0 ; python_version < '3.12' --hash=sha256:aa --hash sha256:bb --config-settings a=b";
        let expected = LineKind::Requirement {
            requirement: "numpy==2.0 ; python_version < '3.12'".to_owned(),
            hashes: vec!["sha256:aa".to_owned(), "sha256:bb".to_owned()],
            options: vec![option("--config-settings", "a=b")],
        };
        assert_eq!(kinds(line).unwrap(), [expected]);
        assert_eq!(kinds("-e ./pkg").unwrap(), [LineKind::Editable { target: "./pkg".to_owned() }]);
    }
}
