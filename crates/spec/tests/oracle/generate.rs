//! Random specs.

use std::path::Path;

use super::random::Random;
use super::value::Value;

const TEXTS: &[&str] = &[
    "numpy",
    "pandas>=2,<3",
    "scikit-learn[extra]==1.5.0",
    "x @ file:///tmp/x.whl",
    "it's",
    "say \"hi\"",
    "both ' and \"",
    "back\\slash",
    "tab\there",
    "line\nbreak",
    "two\nlines of text",
    "café",
    "日本語",
    "😀",
    "zero\u{200b}width",
    "nbsp\u{a0}",
    "\u{85}\u{2028}",
    "\u{ad}soft",
    "del\u{7f}",
    "\u{1}",
    "$HOME/${X}",
    "a: b",
    "# no comment",
    "- dash",
    " lead",
    "trail ",
    "",
    "'",
    "\"",
    "''",
    "\\'",
    "{braces}",
    "[list]",
    "%s",
    "@at",
    "`tick`",
    "yes",
    "null",
    "3.10",
    "1e3",
    "~",
    "\u{e000}",
    "\u{10fffd}",
    "\u{378}",
    "e\u{301}",
    "\u{1f6dd}",
    "👩‍👩‍👧",
    "ﷺ",
    "\r\n",
    "a\u{b}b",
    "٣",
];
const PLAIN: &[&str] = &[
    "3.10",
    "3.1",
    "yes",
    "No",
    "on",
    "~",
    "1_000",
    "0x1F",
    "017",
    "0b101",
    "1:30",
    "1:30.5",
    "1e3",
    "1.5e+3",
    "1.5E-10",
    "2024-01-31",
    "2024-01-31 10:20:30",
    "2001-12-14t21:59:43.10-05:00",
    ".5",
    "-.inf",
    ".nan",
    "-0",
    "-0.0",
    "+12",
    "0o17",
    "08",
    "1.2.3",
    "true",
    "FALSE",
    "word",
    "1_0.2_5",
    "12345678901234567890123456789",
    "100000000000000000.0",
    "0.00001",
    "1.0e+22",
    "a b  c",
    "http://x/y:z",
    "=",
    "v1",
    "1__0",
    "190:20:30",
    "-1:00",
];
const NUMBERS: &[&str] = &[
    "0",
    "-1",
    "3.10",
    "1e3",
    "1E-7",
    "123456789012345678901234567890",
    "0.1",
    "-0",
    "-0.0",
    "1e400",
    "1.5e16",
];

/// Which notation a spec is for; some values only make sense in one.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Notation {
    Json,
    Yaml,
}

pub(crate) fn spec(random: &mut Random, notation: Notation, directory: &Path, depth: usize) -> Value {
    let mut fields: Vec<(String, Value)> = Vec::new();
    let mut add = |name: &str, value: Value| fields.push((name.to_owned(), value));
    fixed(random, &mut add);
    typed(random, notation, &mut add);
    files(random, directory, &mut add);
    let lists = "packages conda_packages conda_channels apt_packages pip_extra_index_url entrypoint commands runtime_packages";
    for name in lists.split(' ') {
        if random.one_in(4) {
            add(name, texts(random));
        }
    }
    for name in ["pip_index", "pip_extra_args", "registry_config"] {
        if random.one_in(6) {
            add(name, Value::text(random.pick(TEXTS)));
        }
    }
    if depth < 3 && random.one_in(5) {
        add("base_image", spec(random, notation, directory, depth + 1));
    } else if random.one_in(3) {
        add(
            "base_image",
            Value::text(random.pick(&["debian:bookworm-slim", "ghcr.io/a/b:c", "", "localhost:5000/x"])),
        );
    }
    let unset = random.pick(&[
        "cuda",
        "pip_index",
        "packages",
        "registry",
        "base_image",
        "requirements",
        "env",
        "platform",
    ]);
    if random.one_in(6) && !fields.iter().any(|(name, _)| name == unset) {
        fields.push((unset.to_owned(), Value::Number("null".to_owned())));
    }
    shuffle(&mut fields, random);
    exclude(&mut fields);
    Value::Mapping(fields)
}

/// Fields whose values have a grammar.
fn fixed(random: &mut Random, add: &mut impl FnMut(&str, Value)) {
    let mut choose = |name: &str, one_in: usize, values: &[&str]| {
        if random.one_in(one_in) {
            add(name, Value::text(random.pick(values)));
        }
    };
    choose("name", 2, &["flytekit", "MyImage", "team/app", "a-b_c.d"]);
    choose("builder", 5, &["default", "envd", "noop"]);
    let registries = [
        "localhost:30000",
        "GHCR.io/User",
        "docker.io/someone",
        "user",
        "localhost:5000/a/b",
        "",
        "localhost/x",
    ];
    choose("registry", 2, &registries);
    choose("platform", 4, &["linux/amd64", "linux/arm64", "linux/amd64,linux/arm64"]);
    let formats =
        ["{spec_hash}-dev", "v1-{spec_hash}", "{{{spec_hash}}}", "fixed", "", "{spec_hash}{spec_hash}"];
    choose("tag_format", 3, &formats);
    if random.one_in(8) {
        let pairs = Value::List(vec![Value::List(vec![Value::text(".netrc"), Value::text("/root/.netrc")])]);
        add("pip_secret_mounts", pairs);
    }
    if random.one_in(8) {
        add("builder_options", Value::Mapping(vec![("bytecode".to_owned(), Value::Truth(random.one_in(2)))]));
    }
}

/// Fields whose values may be anything, or numbers.
fn typed(random: &mut Random, notation: Notation, add: &mut impl FnMut(&str, Value)) {
    if random.one_in(2) {
        let version = random.pick(&["3.10", "3.9", "3.12.4", "3.13"]);
        let plain = notation == Notation::Yaml && random.one_in(2);
        add("python_version", if plain { Value::Plain(version.to_owned()) } else { Value::text(version) });
    }
    for name in ["cuda", "cudnn"] {
        if random.one_in(10) {
            add(name, scalar(random, notation));
        }
    }
    if random.one_in(6) {
        let entries = (0..random.below(4))
            .map(|index| (format!("{}{index}", random.pick(TEXTS)), nested(random, notation, 0)));
        add("builder_config", Value::Mapping(entries.collect()));
    }
    if random.one_in(2) {
        let names = ["LOG_LEVEL", "A", "B", "PATH_2", "NO", "x"];
        let start = random.below(names.len());
        let entries = (0..random.below(4))
            .map(|index| (names[(start + index) % names.len()].to_owned(), scalar(random, notation)));
        add("env", Value::Mapping(entries.collect()));
    }
}

fn files(random: &mut Random, directory: &Path, add: &mut impl FnMut(&str, Value)) {
    if random.one_in(3) {
        add(
            "requirements",
            Value::text(random.pick(&["requirements.txt", "reqs-é.txt", "./requirements.txt", ""])),
        );
    }
    if random.one_in(5) {
        let paths = ["src", "data", "./tree", "requirements.txt", "src/", "."];
        let count = random.below(3);
        add("copy", Value::List((0..count).map(|_| Value::text(random.pick(&paths))).collect()));
    }
    if random.one_in(10) {
        let absolute = directory.join("tree").to_str().unwrap().to_owned();
        let root = random.pick(&["src", "./src", ".", "tree/", "data", absolute.as_str()]).to_owned();
        add("source_root", Value::Text(root));
        add("source_copy_mode", Value::text("ALL"));
    }
}

/// Drops what may not be used together with what is there.
fn exclude(fields: &mut Vec<(String, Value)>) {
    if fields.iter().any(|(name, _)| name == "builder_config") {
        // The native builder refuses keys that it does not know.
        fields.retain(|(name, _)| name != "builder");
        fields.push(("builder".to_owned(), Value::text("noop")));
    }
    if fields.iter().any(|(name, _)| name == "builder") {
        fields.retain(|(name, _)| name != "builder_options");
    }
}

fn shuffle<T>(items: &mut [T], random: &mut Random) {
    for index in (1..items.len()).rev() {
        items.swap(index, random.below(index + 1));
    }
}

fn texts(random: &mut Random) -> Value {
    Value::List((0..random.below(4)).map(|_| Value::text(random.pick(TEXTS))).collect())
}

fn scalar(random: &mut Random, notation: Notation) -> Value {
    match (random.below(4), notation) {
        (0, Notation::Json) => Value::Number(random.pick(NUMBERS).to_owned()),
        (0, Notation::Yaml) => Value::Plain(random.pick(&PLAIN[..5]).to_owned()),
        (1, Notation::Yaml) => Value::Plain(loop {
            let plain = random.pick(PLAIN);
            if plain != "~" && plain != "=" {
                break plain.to_owned();
            }
        }),
        (1, Notation::Json) => Value::Truth(random.one_in(2)),
        _ => Value::text(random.pick(TEXTS)),
    }
}

fn nested(random: &mut Random, notation: Notation, depth: usize) -> Value {
    match random.below(if depth < 2 { 4 } else { 2 }) {
        0 => Value::text(random.pick(TEXTS)),
        1 => scalar(random, notation),
        2 => Value::List((0..random.below(3)).map(|_| nested(random, notation, depth + 1)).collect()),
        _ => {
            let entries =
                (0..random.below(3)).map(|index| (format!("k{index}"), nested(random, notation, depth + 1)));
            Value::Mapping(entries.collect())
        }
    }
}

/// A scalar that may or may not be a number, a time or a truth value.
pub(crate) fn plain_scalar(random: &mut Random) -> String {
    if random.one_in(3) {
        let mut text: Vec<u8> = random.pick(PLAIN).bytes().collect();
        let index = random.below(text.len());
        let alphabet = b"0123456789_.:+-eExXbotTZ";
        text[index] = alphabet[random.below(alphabet.len())];
        return String::from_utf8(text).unwrap();
    }
    let alphabet = random.pick(&[
        "0123456789_.",
        "01234567:_.-+",
        "0123456789-T:Z. +",
        "0xXabcdefbo_-+1",
        "1.0eE+-_5",
        "~nulNULtrefasoyd",
    ]);
    let alphabet: Vec<char> = alphabet.chars().collect();
    let count = 1 + random.below(12);
    let text: String = (0..count).map(|_| alphabet[random.below(alphabet.len())]).collect();
    text.trim().to_owned()
}

/// Text that looks like YAML, most of which is none.
pub(crate) fn document(random: &mut Random) -> String {
    let tokens = [
        "a", "b", "- ", "-", ": ", ":", "? ", "[", "]", "{", "}", ", ", "\n", "\n  ", "\n    ", "\"", "'",
        "|", ">", "|-", ">-", "&x ", "*x", "<<", "#", " # c", "!!str ", "! ", "1", "1.5", "yes", "~", "\\n",
        "\t", "%", "@", "é", "\u{a0}", "\r\n", "=", "k: v", "- v", "\n\n", "---", "...", "\\x41", "''",
        "\\\n",
    ];
    let mut text = "builder: noop\nbuilder_config:\n  a: ".to_owned();
    for _ in 0..=random.below(9) {
        text.push_str(random.pick(&tokens));
    }
    text
}
